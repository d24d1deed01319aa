/* The monitor set of a node whose place in the vrrp group changes. The monitor's delay is 5 s
 * and three results in a row decide, so what happens sooner is due to what is tested. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/health/monitor_site.h"

enum {
    MEMBERS = 3,
    LIMIT_MS = 4000 /* before the next beat of most, and much before three of them */
};

static const struct uuid group; /* zero, as the site's load balancer has none */
static struct fixture fixture;
static struct site site;
static struct server servers[MEMBERS];

static void start(size_t members, unsigned quick_ms)
{
    fixture_start(&fixture);
    site_start(&site);
    for (size_t i = 0; i < members; i++) {
        server_start(&servers[i], fixture.loop, "");
        site_member(&site, servers[i].port);
    }
    site_slow_monitor(&site, quick_ms);
}

static void come_up(size_t members, enum health_rank rank)
{
    monitor_set_rank(fixture.set, &group, rank);
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    for (size_t i = 0; i < members; i++)
        fixture_await(&fixture, &site.members[i], VERDICT_ONLINE);
}

static void stop(size_t first, size_t members)
{
    for (size_t i = first; i < members; i++)
        server_stop(&servers[i]);
    fixture_stop(&fixture);
}

static const struct verdict_slot *board_of(size_t member)
{
    uint32_t slot, incarnation;
    return fixture_slot(&fixture, &site.members[member], &slot, &incarnation);
}

static void import(size_t member, enum verdict_state state)
{
    uint32_t slot, incarnation;
    fixture_slot(&fixture, &site.members[member], &slot, &incarnation);
    monitor_set_import(fixture.set, slot, incarnation, state, 0);
}

/* Until each of the MEMBERS has been probed COUNT times; a beat of its own may come on top. */
static void await_probes(size_t members, uint32_t count)
{
    uint64_t deadline = monotime_now_ms() + LIMIT_MS;
    for (size_t i = 0; i < members; i++)
        while (board_of(i)->probes < count && monotime_now_ms() < deadline)
            loop_turn(fixture.loop, true);
    for (size_t i = 0; i < members; i++)
        assert_in_range(board_of(i)->probes, count, count + 1);
}

static void probe_now(size_t member)
{
    uint32_t slot, incarnation;
    const struct verdict_slot *board =
        fixture_slot(&fixture, &site.members[member], &slot, &incarnation);
    uint32_t before = board->probes;
    uint64_t deadline = monotime_now_ms() + LIMIT_MS;
    monitor_set_probe_now(fixture.set, slot, incarnation);
    while (board->probes == before && monotime_now_ms() < deadline)
        loop_turn(fixture.loop, true);
    assert_true(board->probes > before);
}

static void who_becomes_active_asks_all_once_and_one_failure_decides(void **state)
{
    start(MEMBERS, 0);
    come_up(MEMBERS, HEALTH_RANK_SUCCESSOR);
    server_stop(&servers[0]);
    monitor_set_rank(fixture.set, &group, HEALTH_RANK_ACTIVE);
    await_probes(MEMBERS, 2);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ERROR);
    assert_int_equal(fixture_state(&fixture, &site.members[1]), VERDICT_ONLINE);
    assert_int_equal(fixture_state(&fixture, &site.members[2]), VERDICT_ONLINE);
    stop(1, MEMBERS);
}

static void a_new_active_node_that_reaches_nobody_believes_what_it_knew(void **state)
{
    start(MEMBERS, 0);
    come_up(MEMBERS, HEALTH_RANK_SUCCESSOR);
    server_stop(&servers[0]);
    server_stop(&servers[1]);
    monitor_set_rank(fixture.set, &group, HEALTH_RANK_ACTIVE);
    await_probes(MEMBERS, 2);
    for (size_t i = 0; i < MEMBERS; i++)
        assert_int_equal(fixture_state(&fixture, &site.members[i]), VERDICT_ONLINE);
    stop(2, MEMBERS);
}

static void who_was_active_already_takes_nobody_down_by_one_failure(void **state)
{
    start(1, 0);
    come_up(1, HEALTH_RANK_ACTIVE);
    server_stop(&servers[0]);
    monitor_set_rank(fixture.set, &group, HEALTH_RANK_ACTIVE);
    probe_now(0);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ONLINE);
    fixture_stop(&fixture);
}

static void who_probes_rarely_believes_others_and_looks_at_once(void **state)
{
    start(2, 0);
    come_up(2, HEALTH_RANK_OTHER);
    assert_true(verdict_word_is_rare(board_of(0)->word));
    import(0, VERDICT_ERROR);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ERROR);
    assert_int_equal(verdict_word_own(board_of(0)->word), VERDICT_ONLINE);
    await_probes(1, 2);
    assert_int_equal(board_of(1)->probes, 1);
    import(0, VERDICT_UNKNOWN);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ONLINE);
    stop(0, 2);
}

static void a_node_may_be_in_many_groups(void **state)
{
    start(1, 0);
    for (uint16_t i = 1; i < MONITOR_SET_MAXIMUM_GROUPS; i++)
        monitor_set_rank(fixture.set, &(struct uuid){{(uint8_t)i, (uint8_t)(i >> 8)}},
                         HEALTH_RANK_ACTIVE);
    come_up(1, HEALTH_RANK_OTHER);
    assert_true(verdict_word_is_rare(board_of(0)->word));
    stop(0, 1);
}

static void others_do_not_take_the_last_usable_member_down(void **state)
{
    start(2, 0);
    come_up(2, HEALTH_RANK_OTHER);
    import(0, VERDICT_ERROR);
    import(1, VERDICT_ERROR);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ERROR);
    assert_int_equal(fixture_state(&fixture, &site.members[1]), VERDICT_ONLINE);
    import(0, VERDICT_ONLINE);
    import(1, VERDICT_ERROR);
    assert_int_equal(fixture_state(&fixture, &site.members[1]), VERDICT_ERROR);
    stop(0, 2);
}

static void who_stops_to_probe_rarely_goes_on_from_what_others_found(void **state)
{
    start(2, 0);
    come_up(2, HEALTH_RANK_OTHER);
    import(0, VERDICT_ERROR);
    monitor_set_rank(fixture.set, &group, HEALTH_RANK_SUCCESSOR);
    assert_false(verdict_word_is_rare(board_of(0)->word));
    assert_int_equal(verdict_word_own(board_of(0)->word), VERDICT_ERROR);
    import(0, VERDICT_UNKNOWN);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ERROR);
    stop(0, 2);
}

static void while_results_count_towards_a_change_they_come_quickly(void **state)
{
    start(1, 200);
    come_up(1, HEALTH_RANK_ACTIVE);
    server_stop(&servers[0]);
    uint64_t began = monotime_now_ms();
    probe_now(0);
    fixture_await(&fixture, &site.members[0], VERDICT_ERROR);
    assert_in_range(monotime_now_ms() - began, 300, LIMIT_MS);
    assert_int_equal(board_of(0)->failures, 3);
    fixture_stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_becomes_active_asks_all_once_and_one_failure_decides),
        cmocka_unit_test(a_new_active_node_that_reaches_nobody_believes_what_it_knew),
        cmocka_unit_test(who_was_active_already_takes_nobody_down_by_one_failure),
        cmocka_unit_test(who_probes_rarely_believes_others_and_looks_at_once),
        cmocka_unit_test(a_node_may_be_in_many_groups),
        cmocka_unit_test(others_do_not_take_the_last_usable_member_down),
        cmocka_unit_test(who_stops_to_probe_rarely_goes_on_from_what_others_found),
        cmocka_unit_test(while_results_count_towards_a_change_they_come_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
