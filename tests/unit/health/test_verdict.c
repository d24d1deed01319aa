#include "health/verdict.h"
#include "tests/support/test.h"

enum {
    RISE = 3,
    FALL = 2
};

static void the_first_own_result_decides_alone(void **state)
{
    struct verdict up = {0}, down = {0};
    assert_true(verdict_step(&up, true, RISE, FALL));
    assert_int_equal(up.state, VERDICT_ONLINE);
    assert_true(verdict_step(&down, false, RISE, FALL));
    assert_int_equal(down.state, VERDICT_ERROR);
}

static void max_retries_down_failures_in_a_row_bring_it_down(void **state)
{
    struct verdict verdict = {.state = VERDICT_ONLINE};
    assert_false(verdict_step(&verdict, false, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL)); /* breaks the row */
    assert_false(verdict_step(&verdict, false, RISE, FALL));
    assert_int_equal(verdict.state, VERDICT_ONLINE);
    assert_true(verdict_step(&verdict, false, RISE, FALL));
    assert_int_equal(verdict.state, VERDICT_ERROR);
    assert_int_equal(verdict.history, 4); /* 0100: newest lowest */
}

static void max_retries_successes_in_a_row_bring_it_up(void **state)
{
    struct verdict verdict = {.state = VERDICT_ERROR};
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_false(verdict_step(&verdict, false, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_true(verdict_step(&verdict, true, RISE, FALL));
    assert_int_equal(verdict.state, VERDICT_ONLINE);
}

static void what_others_found_is_gone_on_from_and_the_history_stays(void **state)
{
    struct verdict verdict = {0};
    assert_true(verdict_step(&verdict, true, RISE, FALL));
    assert_false(verdict_step(&verdict, false, RISE, FALL));
    assert_true(verdict_is_in_transition(&verdict));
    assert_true(verdict_assume(&verdict, VERDICT_ERROR));
    assert_false(verdict_is_in_transition(&verdict));
    assert_int_equal(verdict.history, 2);
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_true(verdict_step(&verdict, true, RISE, FALL));
}

static void a_result_that_decides_alone_is_one_with_counts_of_one(void **state)
{
    struct verdict verdict = {.state = VERDICT_ONLINE};
    assert_true(verdict_step(&verdict, false, 1, 1));
    assert_int_equal(verdict.state, VERDICT_ERROR);
}

/* ---- an oracle that looks at all results from the first one on -----------------------------
 */

enum {
    SEQUENCES = 2000,
    RESULTS = 200
};

struct sequence {
    bool good[RESULTS];
    unsigned rise, fall;
    uint64_t seed;
};

static uint32_t draw(struct sequence *sequence, uint32_t below)
{
    sequence->seed = sequence->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(sequence->seed >> 33) % below;
}

/* Long rows of one kind are as frequent as changes at each probe. */
static void sequence_draw(struct sequence *sequence, uint64_t seed)
{
    *sequence = (struct sequence){.seed = seed};
    sequence->rise = 1 + draw(sequence, 10);
    sequence->fall = 1 + draw(sequence, 10);
    uint32_t stay = 1 + draw(sequence, 12);
    for (unsigned i = 0; i < RESULTS; i++)
        sequence->good[i] =
            i > 0 && draw(sequence, stay) > 0 ? sequence->good[i - 1] : draw(sequence, 2) == 1;
}

/* Is the verdict after the result FROM, which changed it to UP, changed by the one at AT? */
static bool oracle_changes(const struct sequence *sequence, unsigned from, bool up, unsigned at)
{
    unsigned needed = up ? sequence->fall : sequence->rise;
    if (at - from < needed)
        return false;
    for (unsigned i = at + 1 - needed; i <= at; i++) {
        if (sequence->good[i] == up)
            return false;
    }
    return true;
}

static bool oracle_is_up(const struct sequence *sequence, unsigned after)
{
    bool up = sequence->good[0];
    for (unsigned at = 1, from = 0; at <= after; at++) {
        if (oracle_changes(sequence, from, up, at)) {
            up = !up;
            from = at;
        }
    }
    return up;
}

static void random_results_lead_to_what_an_oracle_says(void **state)
{
    for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
        struct sequence sequence;
        struct verdict verdict = {0};
        uint64_t history = 0;
        sequence_draw(&sequence, seed);
        for (unsigned i = 0; i < RESULTS; i++) {
            enum verdict_state before = verdict.state;
            bool changed =
                verdict_step(&verdict, sequence.good[i], sequence.rise, sequence.fall);
            enum verdict_state expected =
                oracle_is_up(&sequence, i) ? VERDICT_ONLINE : VERDICT_ERROR;
            if (verdict.state != expected)
                print_error("seed %u, result %u\n", (unsigned)seed, i);
            assert_int_equal(verdict.state, expected);
            assert_int_equal(changed, before != expected);
            history = history * 2 + sequence.good[i];
            assert_true(verdict.history == history);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_own_result_decides_alone),
        cmocka_unit_test(max_retries_down_failures_in_a_row_bring_it_down),
        cmocka_unit_test(max_retries_successes_in_a_row_bring_it_up),
        cmocka_unit_test(what_others_found_is_gone_on_from_and_the_history_stays),
        cmocka_unit_test(a_result_that_decides_alone_is_one_with_counts_of_one),
        cmocka_unit_test(random_results_lead_to_what_an_oracle_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
