#include "health/probe_schedule.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

enum {
    MEMBERS = 10000,
    DELAY_MS = 5000,
    TICKS_MAXIMUM = 100000
};

/* A process that wakes when the schedule says so, to the tick, and notes what it starts. */
struct process {
    struct probe_schedule *schedule;
    uint64_t now_ms;
    uint16_t started[TICKS_MAXIMUM]; /* by tick */
    uint64_t last_ms[MEMBERS];
    unsigned probes[MEMBERS];
    uint64_t longest_gap_ms;
};

static void run_now(struct process *process)
{
    uint32_t slot;
    while (probe_schedule_take(process->schedule, process->now_ms, &slot)) {
        assert_in_range(slot, 0, MEMBERS - 1);
        assert_in_range(process->now_ms / PROBE_TICK_MS, 0, TICKS_MAXIMUM - 1);
        process->started[process->now_ms / PROBE_TICK_MS]++;
        uint64_t gap_ms = process->now_ms - process->last_ms[slot];
        if (process->probes[slot] > 0 && gap_ms > process->longest_gap_ms)
            process->longest_gap_ms = gap_ms;
        process->last_ms[slot] = process->now_ms;
        process->probes[slot]++;
    }
}

static void run_until(struct process *process, uint64_t end_ms)
{
    for (;;) {
        uint64_t next_ms = probe_schedule_next_ms(process->schedule, process->now_ms);
        if (next_ms >= end_ms)
            break;
        assert_true(next_ms > process->now_ms);
        process->now_ms = next_ms;
        run_now(process);
    }
    process->now_ms = end_ms;
}

static unsigned most_started(const struct process *process,
                             uint64_t from_ms,
                             uint64_t to_ms,
                             unsigned window_ms)
{
    unsigned most = 0, ticks = window_ms / PROBE_TICK_MS;
    for (uint64_t i = from_ms / PROBE_TICK_MS; i + ticks <= to_ms / PROBE_TICK_MS; i++) {
        unsigned sum = 0;
        for (unsigned j = 0; j < ticks; j++)
            sum += process->started[i + j];
        most = sum > most ? sum : most;
    }
    return most;
}

static struct process *process_with(uint32_t members, uint32_t delay_ms)
{
    struct process *process = calloc(1, sizeof(*process));
    assert_non_null(process);
    process->now_ms = 1003;
    process->schedule = probe_schedule_new(MEMBERS, process->now_ms);
    for (uint32_t i = 0; i < members; i++)
        probe_schedule_put(process->schedule, i, i * 0x9e3779b97f4a7c15ull, delay_ms,
                           process->now_ms);
    run_now(process);
    return process;
}

static void process_end(struct process *process)
{
    probe_schedule_free(process->schedule);
    free(process);
}

static void a_new_member_is_probed_at_once_and_then_on_its_beats(void **state)
{
    struct process *process = process_with(1, DELAY_MS);
    assert_int_equal(process->probes[0], 1);
    run_until(process, 1004 + DELAY_MS + PROBE_TICK_MS);
    assert_int_equal(process->probes[0], 2);
    uint64_t beat_ms = process->last_ms[0];
    for (unsigned i = 1; i < 50; i++) {
        run_until(process, beat_ms + i * DELAY_MS + 1);
        assert_int_equal(process->last_ms[0], beat_ms + i * DELAY_MS);
        assert_int_equal(process->probes[0], 2 + i);
    }
    process_end(process);
}

static void ten_thousand_members_are_spread_evenly(void **state)
{
    struct process *process = process_with(MEMBERS, DELAY_MS);
    run_until(process, 60000);
    assert_in_range(most_started(process, 10000, 60000, 10), 20, 45);
    assert_in_range(most_started(process, 10000, 60000, 100), 200, 230);
    assert_int_equal(process->longest_gap_ms, DELAY_MS);
    process_end(process);
}

static void many_new_members_come_in_portions(void **state)
{
    struct process *process = process_with(MEMBERS, 60000);
    run_until(process, 1003 + MEMBERS / PROBE_FRESH_PER_TICK * PROBE_TICK_MS + 100);
    for (unsigned i = 0; i < MEMBERS; i++)
        assert_true(process->probes[i] >= 1);
    assert_in_range(most_started(process, 1000, process->now_ms, PROBE_TICK_MS), 20, 30);
    process_end(process);
}

static void after_a_pause_nothing_clumps_and_nobody_waits_for_more_than_two_beats(void **state)
{
    struct process *process = process_with(MEMBERS, DELAY_MS);
    run_until(process, 30000);
    process->longest_gap_ms = 0;
    process->now_ms += 1000;
    run_now(process);
    run_until(process, 60000);
    assert_in_range(most_started(process, 31000, 60000, 10), 20, 50);
    assert_in_range(most_started(process, 31000, 60000, 100), 200, 245);
    assert_in_range(process->longest_gap_ms, DELAY_MS, 2 * DELAY_MS);
    process_end(process);
}

static void a_part_of_the_missed_beats_is_made_up_for(void **state)
{
    struct process *process = process_with(MEMBERS, DELAY_MS);
    run_until(process, 30000);
    unsigned before = 0, after = 0;
    for (unsigned i = 0; i < MEMBERS; i++)
        before += process->probes[i];
    process->now_ms += 1000;
    run_now(process);
    run_until(process, 41000);
    for (unsigned i = 0; i < MEMBERS; i++)
        after += process->probes[i];
    assert_in_range(after - before, 2 * MEMBERS + 600, 2 * MEMBERS + 1000);
    process_end(process);
}

/* A twelfth of the rate of so few members would be less than their next beat. */
static void of_few_members_a_missed_beat_is_made_up_for_at_once(void **state)
{
    struct process *process = process_with(2, DELAY_MS);
    for (unsigned i = 0; i < 10; i++) {
        unsigned before = process->probes[0];
        process->now_ms =
            probe_schedule_next_ms(process->schedule, process->now_ms) + DELAY_MS + 60;
        uint64_t end_of_pause_ms = process->now_ms;
        run_now(process);
        run_until(process, end_of_pause_ms + 150);
        assert_in_range(process->probes[0], before + 1, before + 2);
    }
    process_end(process);
}

static void a_pause_longer_than_the_wheel_loses_nobody(void **state)
{
    struct process *process = process_with(100, DELAY_MS);
    run_until(process, 10000);
    process->now_ms += 100000;
    run_now(process);
    run_until(process, 125000);
    for (unsigned i = 0; i < 100; i++)
        assert_in_range(process->last_ms[i], 120000, 125000);
    process_end(process);
}

static void a_long_delay_is_kept_beyond_a_turn_of_the_wheel(void **state)
{
    struct process *process = process_with(5, 60000);
    run_until(process, 200000);
    for (unsigned i = 0; i < 5; i++)
        assert_in_range(process->probes[i], 4, 5);
    process_end(process);
}

static void the_same_delay_again_changes_nothing(void **state)
{
    struct process *process = process_with(100, DELAY_MS);
    for (unsigned i = 0; i < 30; i++) {
        for (uint32_t slot = 0; slot < 100; slot++)
            probe_schedule_put(process->schedule, slot, slot, DELAY_MS, process->now_ms);
        run_until(process, process->now_ms + 1000);
    }
    assert_int_equal(process->longest_gap_ms, DELAY_MS);
    process_end(process);
}

static void another_delay_counts_from_now_without_a_probe_more(void **state)
{
    struct process *process = process_with(1, 60000);
    probe_schedule_put(process->schedule, 0, 7, 1000, process->now_ms);
    assert_int_equal(process->probes[0], 1);
    run_until(process, process->now_ms + 10000);
    assert_in_range(process->probes[0], 10, 11);
    process_end(process);
}

static void hurry_adds_one_probe_and_leaves_the_beats(void **state)
{
    struct process *process = process_with(1, DELAY_MS);
    run_until(process, 12000);
    uint64_t beat_ms = process->last_ms[0];
    unsigned probes = process->probes[0];
    probe_schedule_hurry(process->schedule, 0);
    probe_schedule_hurry(process->schedule, 0);
    run_now(process);
    assert_int_equal(process->probes[0], probes + 1);
    run_until(process, beat_ms + DELAY_MS + 1);
    assert_int_equal(process->last_ms[0], beat_ms + DELAY_MS);
    assert_int_equal(process->probes[0], probes + 2);
    process_end(process);
}

static void who_was_removed_is_not_probed(void **state)
{
    struct process *process = process_with(100, DELAY_MS);
    for (uint32_t slot = 0; slot < 100; slot += 2) {
        probe_schedule_hurry(process->schedule, slot);
        probe_schedule_remove(process->schedule, slot);
        probe_schedule_hurry(process->schedule, slot);
        probe_schedule_remove(process->schedule, slot);
    }
    memset(process->probes, 0, sizeof(process->probes));
    run_until(process, 20000);
    for (unsigned i = 0; i < 100; i++)
        assert_true(i % 2 == 0 ? process->probes[i] == 0 : process->probes[i] > 2);
    process_end(process);
}

static void with_nobody_there_is_nothing_to_wake_for(void **state)
{
    struct process *process = process_with(0, DELAY_MS);
    assert_true(probe_schedule_next_ms(process->schedule, process->now_ms) == UINT64_MAX);
    process_end(process);
}

static void a_delay_of_zero_does_not_spin(void **state)
{
    struct process *process = process_with(1, 0);
    run_until(process, 11003);
    assert_in_range(process->probes[0], 99, 102);
    process_end(process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_member_is_probed_at_once_and_then_on_its_beats),
        cmocka_unit_test(ten_thousand_members_are_spread_evenly),
        cmocka_unit_test(many_new_members_come_in_portions),
        cmocka_unit_test(after_a_pause_nothing_clumps_and_nobody_waits_for_more_than_two_beats),
        cmocka_unit_test(a_part_of_the_missed_beats_is_made_up_for),
        cmocka_unit_test(of_few_members_a_missed_beat_is_made_up_for_at_once),
        cmocka_unit_test(a_pause_longer_than_the_wheel_loses_nobody),
        cmocka_unit_test(a_long_delay_is_kept_beyond_a_turn_of_the_wheel),
        cmocka_unit_test(the_same_delay_again_changes_nothing),
        cmocka_unit_test(another_delay_counts_from_now_without_a_probe_more),
        cmocka_unit_test(hurry_adds_one_probe_and_leaves_the_beats),
        cmocka_unit_test(who_was_removed_is_not_probed),
        cmocka_unit_test(with_nobody_there_is_nothing_to_wake_for),
        cmocka_unit_test(a_delay_of_zero_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
