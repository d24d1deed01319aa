/* The monitor set against small servers on loopback, from a real snapshot. */
#include "health/monitor_set_internal.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/health/monitor_site.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 8000
};

/* One member, which accepts and says nothing, and its monitor. */
static void start_with_one(struct fixture *fixture,
                           struct server *server,
                           struct site *site,
                           const char *type)
{
    fixture_start(fixture);
    server_start(server, fixture->loop, "");
    site_start(site);
    site_member(site, server->port);
    site_monitor(site, type);
}

static void each_failure_has_its_reason(void **state)
{
    struct fixture fixture;
    struct server good, bad, silent, garbage;
    struct site site;
    fixture_start(&fixture);
    server_start(&good, fixture.loop, "HTTP/1.0 200 OK\r\n\r\n");
    server_start(&bad, fixture.loop, "HTTP/1.0 503 no\r\n\r\n");
    server_start(&silent, fixture.loop, "");
    server_start(&garbage, fixture.loop, "hello\r\n\r\n");
    site_start(&site);
    site_member(&site, good.port);
    site_member(&site, bad.port);
    site_member(&site, silent.port);
    site_member(&site, garbage.port);
    site_monitor(&site, "HTTP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    fixture_await(&fixture, &site.members[0], VERDICT_ONLINE);
    for (size_t i = 1; i < 4; i++)
        fixture_await(&fixture, &site.members[i], VERDICT_ERROR);
    assert_int_equal(fixture_reason(&fixture, &site.members[1]), VERDICT_REASON_STATUS);
    assert_int_equal(fixture_reason(&fixture, &site.members[2]), VERDICT_REASON_TIMEOUT);
    assert_int_equal(fixture_reason(&fixture, &site.members[3]), VERDICT_REASON_NOT_HTTP);
    server_stop(&good);
    server_stop(&bad);
    server_stop(&silent);
    server_stop(&garbage);
    fixture_stop(&fixture);
}

static void a_refused_tcp_member_goes_down_and_comes_back(void **state)
{
    uint32_t slot, incarnation;
    struct fixture fixture;
    struct server server;
    struct site site;
    start_with_one(&fixture, &server, &site, "TCP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    fixture_await(&fixture, &site.members[0], VERDICT_ONLINE);
    server_stop(&server);
    fixture_await(&fixture, &site.members[0], VERDICT_ERROR);
    assert_int_equal(fixture_reason(&fixture, &site.members[0]),
                     VERDICT_REASON_CONNECT_REFUSED);
    fixture_slot(&fixture, &site.members[0], &slot, &incarnation);
    const struct verdict_slot *told = &fixture.board->slots[slot];
    assert_in_range(told->failures, 1, told->probes - 1);
    assert_int_equal(told->history & 1, 0);
    assert_int_equal(told->history >> (told->probes - 1), 1);
    fixture_stop(&fixture);
}

static void changes_faster_than_the_timeout_do_not_hide_a_silent_member(void **state)
{
    struct fixture fixture;
    struct server silent;
    struct site site;
    start_with_one(&fixture, &silent, &site, "HTTP");
    int image = site_image(&site, fixture.slots);
    monitor_set_adopt(fixture.set, site_open(image));
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    while (fixture_state(&fixture, &site.members[0]) == VERDICT_UNKNOWN &&
           monotime_now_ms() < deadline) {
        loop_turn(fixture.loop, true);
        monitor_set_adopt(fixture.set, site_open(image));
    }
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ERROR);
    close(image);
    server_stop(&silent);
    fixture_stop(&fixture);
}

static void who_finds_no_place_for_tls_waits_in_turn(void **state)
{
    struct fixture fixture;
    struct server silent[3];
    struct site site;
    fixture_start(&fixture);
    fixture.set->most_running_tls = 1;
    site_start(&site);
    for (size_t i = 0; i < 3; i++) {
        server_start(&silent[i], fixture.loop, "");
        site_member(&site, silent[i].port);
    }
    site_monitor(&site, "HTTPS");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    while (!fixture.set->first_waiting && monotime_now_ms() < deadline)
        loop_turn(fixture.loop, true);
    assert_non_null(fixture.set->first_waiting);
    for (size_t i = 0; i < 3; i++) {
        assert_in_range(fixture.set->running_tls, 0, 1);
        fixture_await(&fixture, &site.members[i], VERDICT_ERROR);
        assert_int_equal(fixture_reason(&fixture, &site.members[i]), VERDICT_REASON_TLS_SLOW);
    }
    for (size_t i = 0; i < 3; i++)
        server_stop(&silent[i]);
    fixture_stop(&fixture);
}

static void what_this_node_cannot_do_is_not_held_against_the_member(void **state)
{
    struct fixture fixture;
    struct site site;
    fixture_start(&fixture);
    site_start(&site);
    site_member(&site, 1);
    site_monitor(&site, "PING");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    for (uint64_t end = monotime_now_ms() + DEADLINE_MS; monotime_now_ms() < end;) {
        loop_turn(fixture.loop, true);
        if (fixture_reason(&fixture, &site.members[0]) != VERDICT_REASON_NONE)
            break;
    }
    assert_int_equal(fixture_reason(&fixture, &site.members[0]), VERDICT_REASON_NO_ICMP_SOCKET);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_UNKNOWN);
    fixture_stop(&fixture);
}

static void without_a_monitor_nothing_is_probed_or_judged(void **state)
{
    struct fixture fixture;
    struct site site;
    fixture_start(&fixture);
    site_start(&site);
    site_member(&site, 1);
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    for (uint64_t end = monotime_now_ms() + 300; monotime_now_ms() < end;)
        loop_turn(fixture.loop, true);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_UNKNOWN);
    assert_int_equal(fixture.board->changes, 0);
    fixture_stop(&fixture);
}

static void a_restarted_process_goes_on_with_the_verdicts_on_the_board(void **state)
{
    struct fixture fixture;
    struct site site;
    uint32_t slot, incarnation;
    fixture_start(&fixture);
    site_start(&site);
    site_member(&site, 1);
    site_monitor(&site, "TCP");
    const struct snapshot *snapshot = site_snapshot(&site, fixture.slots);
    fixture_slot(&fixture, &site.members[0], &slot, &incarnation);
    fixture.board->slots[slot].word = verdict_word_make(incarnation, VERDICT_ONLINE, 0);
    monitor_set_adopt(fixture.set, snapshot);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ONLINE);
    fixture_stop(&fixture);
}

static void a_peers_verdict_fills_the_board_until_there_is_an_own_one(void **state)
{
    struct fixture fixture;
    struct site site;
    uint32_t slot, incarnation;
    fixture_start(&fixture);
    site_start(&site);
    site_member(&site, 1); /* nobody listens on port 1 */
    site_monitor(&site, "TCP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    fixture_slot(&fixture, &site.members[0], &slot, &incarnation);
    monitor_set_import(fixture.set, slot, incarnation + 1, VERDICT_ONLINE, 0);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_UNKNOWN);
    monitor_set_import(fixture.set, slot, incarnation, VERDICT_ONLINE, 0);
    assert_int_equal(fixture_state(&fixture, &site.members[0]), VERDICT_ONLINE);
    fixture_await(&fixture, &site.members[0], VERDICT_ERROR);
    fixture_stop(&fixture);
}

static void who_asks_gets_a_probe_at_once_of_the_member_it_means(void **state)
{
    struct fixture fixture;
    struct server server;
    struct site site;
    uint32_t slot, incarnation;
    start_with_one(&fixture, &server, &site, "TCP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    fixture_await(&fixture, &site.members[0], VERDICT_ONLINE);
    const struct verdict_slot *board =
        fixture_slot(&fixture, &site.members[0], &slot, &incarnation);
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = board->history;
        monitor_set_probe_now(fixture.set, slot, incarnation + 1);
        monitor_set_probe_now(fixture.set, MEMBER_SLOTS, incarnation);
        assert_int_equal(board->history, before);
        monitor_set_probe_now(fixture.set, slot, incarnation);
        while (board->history == before && monotime_now_ms() < deadline)
            loop_turn(fixture.loop, true);
    }
    assert_true(board->history >= 0x3f); /* six probes: five of them in less than a delay */
    server_stop(&server);
    fixture_stop(&fixture);
}

/* Turns the loop until the member has one more result, and says when that was; but lets
 * nothing happen from FROM_MS to TO_MS, as on a busy machine. */
static uint64_t next_result_ms(struct fixture *fixture,
                               const struct verdict_slot *board,
                               uint64_t from_ms,
                               uint64_t to_ms)
{
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    uint32_t before = board->probes;
    while (board->probes == before && monotime_now_ms() < deadline) {
        if (monotime_now_ms() >= from_ms)
            while (monotime_now_ms() < to_ms)
                ;
        loop_turn(fixture->loop, false);
    }
    assert_int_not_equal(board->probes, before);
    return monotime_now_ms();
}

/* The delay is 1 s and so is the timeout: the beat after a late start finds the probe running.
 * A busier machine than the test means may spoil a try. */
static void a_probe_that_began_late_costs_no_beat(void **state)
{
    struct fixture fixture;
    struct server silent;
    struct site site;
    uint32_t slot, incarnation;
    uint64_t took_ms = UINT64_MAX;
    start_with_one(&fixture, &silent, &site, "HTTP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    fixture_await(&fixture, &site.members[0], VERDICT_ERROR);
    const struct verdict_slot *board =
        fixture_slot(&fixture, &site.members[0], &slot, &incarnation);
    for (unsigned i = 0; i < 4 && took_ms > 2500; i++) {
        uint64_t beat_ms = next_result_ms(&fixture, board, UINT64_MAX, 0) + 1000;
        next_result_ms(&fixture, board, beat_ms - 50, beat_ms + 40); /* one begins late */
        next_result_ms(&fixture, board, UINT64_MAX, 0);
        took_ms = next_result_ms(&fixture, board, UINT64_MAX, 0) - beat_ms;
    }
    assert_in_range(took_ms, 1500, 2500); /* two timeouts, and no beat between */
    server_stop(&silent);
    fixture_stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_has_its_reason),
        cmocka_unit_test(a_refused_tcp_member_goes_down_and_comes_back),
        cmocka_unit_test(changes_faster_than_the_timeout_do_not_hide_a_silent_member),
        cmocka_unit_test(who_finds_no_place_for_tls_waits_in_turn),
        cmocka_unit_test(what_this_node_cannot_do_is_not_held_against_the_member),
        cmocka_unit_test(without_a_monitor_nothing_is_probed_or_judged),
        cmocka_unit_test(a_restarted_process_goes_on_with_the_verdicts_on_the_board),
        cmocka_unit_test(a_peers_verdict_fills_the_board_until_there_is_an_own_one),
        cmocka_unit_test(who_asks_gets_a_probe_at_once_of_the_member_it_means),
        cmocka_unit_test(a_probe_that_began_late_costs_no_beat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
