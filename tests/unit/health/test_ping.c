/* Pings in a network namespace of their own, over echo sockets and over raw ones. */
#include "health/icmp_echo.h"
#include "health/icmp_sockets.h"
#include "health/ping.h"
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/health/own_network.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 8000,
    TIMEOUT_MS = 5000,
    SHORT_MS = 200,
    MANY = 5000,
    SOME = 1000,
    SILENT_COUNT = 20
};

static bool has_network;

static int enter(void **state)
{
    has_network = own_network_enter();
    return 0;
}

struct asked {
    struct ping ping;
    unsigned results;
    enum verdict_reason reason;
    uint32_t round_trip_us;
};

struct fixture {
    struct loop *loop;
    struct icmp_sockets sockets;
    struct pinger *pinger;
    struct loop_timer deadline;
    bool late;
};

static void note(struct ping *ping, enum verdict_reason reason, uint32_t round_trip_us)
{
    struct asked *asked = CONTAINER_OF(ping, struct asked, ping);
    assert_false(ping_is_running(ping));
    asked->results++;
    asked->reason = reason;
    asked->round_trip_us = round_trip_us;
}

static void be_late(struct loop_timer *timer)
{
    CONTAINER_OF(timer, struct fixture, deadline)->late = true;
}

static void setup(struct fixture *fixture, bool echo_sockets)
{
    if (!has_network)
        skip();
    own_network_allow_echo_sockets(echo_sockets);
    own_network_answer_pings(true);
    *fixture = (struct fixture){.loop = loop_new(), .sockets = icmp_sockets_open()};
    fixture->pinger = pinger_new(fixture->loop, &fixture->sockets);
    loop_timer_start(fixture->loop, &fixture->deadline, DEADLINE_MS, be_late);
}

static void teardown(struct fixture *fixture)
{
    pinger_free(fixture->pinger);
    loop_timer_stop(&fixture->deadline);
    icmp_sockets_close(&fixture->sockets);
    loop_free(fixture->loop);
}

static struct ip_address address_of(const char *text)
{
    struct ip_address address;
    assert_true(ip_address_parse(text, &address));
    return address;
}

static void
ask(struct fixture *fixture, struct asked *asked, const char *text, uint32_t timeout)
{
    struct ip_address address = address_of(text);
    *asked = (struct asked){.results = 0};
    ping_start(fixture->pinger, &asked->ping, &address, timeout, note);
    assert_true(ping_is_running(&asked->ping));
    assert_int_equal(asked->results, 0);
}

static void wait_for(struct fixture *fixture, struct asked *asked)
{
    while (asked->results == 0 && !fixture->late)
        loop_turn(fixture->loop, true);
    assert_int_equal(asked->results, 1);
}

static void a_host_that_answers_succeeds_with_its_round_trip(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "127.1.2.3", "::1"};
    for (int echo_sockets = 0; echo_sockets < 2; echo_sockets++) {
        struct fixture fixture;
        setup(&fixture, echo_sockets);
        for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
            struct asked asked;
            ask(&fixture, &asked, hosts[i], TIMEOUT_MS);
            wait_for(&fixture, &asked);
            assert_int_equal(asked.reason, VERDICT_REASON_NONE);
            assert_in_range(asked.round_trip_us, 1, TIMEOUT_MS * 1000);
        }
        teardown(&fixture);
    }
}

static void many_at_once_get_an_answer_each(void **state)
{
    for (int echo_sockets = 0; echo_sockets < 2; echo_sockets++) {
        struct fixture fixture;
        setup(&fixture, echo_sockets);
        struct asked *asked = calloc(MANY, sizeof(*asked));
        for (unsigned i = 0; i < MANY; i++) {
            char text[IP_ADDRESS_TEXT_SIZE];
            snprintf(text, sizeof(text), "127.1.%u.%u", i / 250, 1 + i % 250);
            ask(&fixture, &asked[i], text, TIMEOUT_MS);
            if (i % 100 == 99)
                loop_turn(fixture.loop, false);
        }
        for (unsigned i = 0; i < MANY; i++) {
            wait_for(&fixture, &asked[i]);
            assert_int_equal(asked[i].reason, VERDICT_REASON_NONE);
        }
        free(asked);
        teardown(&fixture);
    }
}

static void a_silent_host_fails_when_its_time_is_over(void **state)
{
    struct fixture fixture;
    struct asked slow, quick;
    setup(&fixture, false);
    own_network_answer_pings(false);
    uint64_t start_ms = monotime_now_ms();
    ask(&fixture, &slow, "127.0.0.1", 2 * SHORT_MS);
    ask(&fixture, &quick, "::1", SHORT_MS);
    wait_for(&fixture, &quick);
    assert_in_range(monotime_now_ms() - start_ms, SHORT_MS, 2 * SHORT_MS - 1);
    assert_int_equal(slow.results, 0);
    wait_for(&fixture, &slow);
    assert_in_range(monotime_now_ms() - start_ms, 2 * SHORT_MS, DEADLINE_MS);
    assert_int_equal(quick.reason, VERDICT_REASON_NO_ECHO);
    assert_int_equal(slow.reason, VERDICT_REASON_NO_ECHO);
    teardown(&fixture);
}

static void a_host_without_a_route_fails_at_once(void **state)
{
    struct fixture fixture;
    struct asked asked;
    setup(&fixture, false);
    ask(&fixture, &asked, "192.0.2.1", TIMEOUT_MS);
    wait_for(&fixture, &asked);
    assert_int_equal(asked.reason, VERDICT_REASON_NO_ROUTE);
    assert_in_range(asked.round_trip_us, 0, TIMEOUT_MS * 1000 / 2);
    teardown(&fixture);
}

static void without_sockets_each_ping_says_so(void **state)
{
    struct loop *loop = loop_new();
    struct icmp_sockets none = {.identifier = 0};
    struct fixture fixture = {.loop = loop, .pinger = pinger_new(loop, &none)};
    struct asked asked;
    ask(&fixture, &asked, "127.0.0.1", TIMEOUT_MS);
    wait_for(&fixture, &asked);
    assert_int_equal(asked.reason, VERDICT_REASON_NO_ICMP_SOCKET);
    pinger_free(fixture.pinger);
    loop_free(loop);
}

static void a_cancelled_ping_has_no_result_and_its_place_is_free(void **state)
{
    struct fixture fixture;
    struct asked cancelled, asked;
    setup(&fixture, false);
    for (unsigned i = 0; i < 2 * PING_MAXIMUM; i++) {
        ask(&fixture, &cancelled, "127.0.0.1", TIMEOUT_MS);
        ping_cancel(&cancelled.ping);
        ping_cancel(&cancelled.ping);
        if (i % 100 == 0)
            loop_turn(fixture.loop, false);
    }
    ask(&fixture, &asked, "127.0.0.1", TIMEOUT_MS);
    wait_for(&fixture, &asked);
    assert_int_equal(asked.reason, VERDICT_REASON_NONE);
    assert_int_equal(cancelled.results, 0);
    teardown(&fixture);
}

static void its_next_beat_may_end_a_ping_a_little_early(void **state)
{
    struct fixture fixture;
    struct asked asked;
    setup(&fixture, false);
    own_network_answer_pings(false);
    ask(&fixture, &asked, "127.0.0.1", TIMEOUT_MS);
    ping_expire(&asked.ping, TIMEOUT_MS / 2);
    assert_int_equal(asked.results, 0);
    ping_expire(&asked.ping, TIMEOUT_MS);
    assert_int_equal(asked.results, 1);
    assert_int_equal(asked.reason, VERDICT_REASON_NO_ECHO);
    teardown(&fixture);
}

static void pass_ms(uint64_t ms)
{
    uint64_t end_ms = monotime_now_ms() + ms;
    while (monotime_now_ms() <= end_ms)
        continue;
}

/* However many wait to be read, and whoever ends the pings: their time or their next beat. */
static void answers_count_that_came_while_this_process_did_not_run(void **state)
{
    struct fixture fixture;
    setup(&fixture, false);
    struct asked *asked = calloc(SOME, sizeof(*asked));
    for (unsigned i = 0; i < SOME; i++)
        ask(&fixture, &asked[i], "127.0.0.1", SHORT_MS);
    pass_ms(2 * SHORT_MS);
    ping_expire(&asked[SOME - 1].ping, 0);
    assert_int_equal(asked[SOME - 1].results, 1);
    for (unsigned i = 0; i < SOME; i++) {
        wait_for(&fixture, &asked[i]);
        assert_int_equal(asked[i].reason, VERDICT_REASON_NONE);
    }
    for (unsigned i = 0; i < SOME; i++)
        ask(&fixture, &asked[i], "127.0.0.1", SHORT_MS);
    pass_ms(2 * SHORT_MS);
    for (unsigned i = 0; i < SOME; i++) {
        wait_for(&fixture, &asked[i]);
        assert_int_equal(asked[i].reason, VERDICT_REASON_NONE);
    }
    free(asked);
    teardown(&fixture);
}

/* Requests to silent neighbours wait in the kernel for their link addresses and fill the buffer
 * that all share: the others wait for room, and lose nothing but time. */
static void a_full_buffer_delays_a_ping_and_fails_nobody(void **state)
{
    struct fixture fixture;
    struct asked silent[SILENT_COUNT], asked;
    int smallest = 1;
    setup(&fixture, false);
    int silence = own_network_open_silence();
    if (silence < 0) {
        teardown(&fixture);
        skip();
    }
    assert_int_equal(
        setsockopt(fixture.sockets.fds[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest)),
        0);
    for (unsigned i = 0; i < SILENT_COUNT; i++) {
        char text[IP_ADDRESS_TEXT_SIZE];
        snprintf(text, sizeof(text), "192.0.2.%u", 2 + i);
        ask(&fixture, &silent[i], text, TIMEOUT_MS / 2);
    }
    ask(&fixture, &asked, "127.0.0.1", TIMEOUT_MS);
    assert_true(asked.ping.unsent);
    wait_for(&fixture, &asked);
    assert_int_equal(asked.reason, VERDICT_REASON_NONE);
    for (unsigned i = 0; i < SILENT_COUNT; i++) {
        wait_for(&fixture, &silent[i]);
        assert_int_equal(silent[i].reason, VERDICT_REASON_NO_ECHO);
    }
    close(silence);
    teardown(&fixture);
}

/* ---- forged answers -----------------------------------------------------------------------
 */

/* Somebody on the wire who sees each request and answers as it likes. */
struct forger {
    int fd;
    struct icmp_echo seen;
};

static void forger_start(struct forger *forger)
{
    forger->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    assert_true(forger->fd >= 0);
}

static void forger_see(struct forger *forger)
{
    uint8_t datagram[512];
    struct pollfd poll_fd = {forger->fd, POLLIN, 0};
    do {
        assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
        assert_true(recv(forger->fd, datagram, sizeof(datagram), 0) >= 20 + ICMP_ECHO_SIZE);
    } while (datagram[20] != 8);
    forger->seen.identifier = load_be16(datagram + 24);
    forger->seen.sequence = load_be16(datagram + 26);
    forger->seen.cookie = load_be64(datagram + 28);
}

/* A reply is a request with another first byte, and a sum that is as much greater. */
static void
forger_answer(const struct forger *forger, const char *source, struct icmp_echo echo)
{
    struct ip_endpoint from = {.address = address_of(source)};
    struct sockaddr_storage address;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint8_t message[ICMP_ECHO_SIZE];
    socklen_t size = ip_endpoint_to_sockaddr(&from, &address);
    icmp_echo_write(&echo, ICMP_V4_MESSAGE, message);
    uint32_t sum = load_be16(message + 2) + 0x0800u;
    message[0] = 0;
    store_be16(message + 2, (uint16_t)(sum + (sum >> 16)));
    assert_int_equal(bind(forger->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(
        sendto(forger->fd, message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to)),
        sizeof(message));
}

static void only_the_right_cookie_from_the_right_host_is_an_answer(void **state)
{
    struct fixture fixture;
    struct asked asked;
    struct forger forger;
    setup(&fixture, false);
    own_network_answer_pings(false);
    forger_start(&forger);
    ask(&fixture, &asked, "127.0.0.9", TIMEOUT_MS);
    forger_see(&forger);
    struct icmp_echo wrong = forger.seen;
    wrong.cookie++;
    forger_answer(&forger, "127.0.0.9", wrong);
    wrong = forger.seen;
    wrong.sequence++;
    forger_answer(&forger, "127.0.0.9", wrong);
    wrong.sequence = UINT16_MAX;
    forger_answer(&forger, "127.0.0.9", wrong);
    forger_answer(&forger, "127.0.0.8", forger.seen);
    for (unsigned i = 0; i < 20; i++)
        loop_turn(fixture.loop, false);
    assert_int_equal(asked.results, 0);
    forger_answer(&forger, "127.0.0.9", forger.seen);
    wait_for(&fixture, &asked);
    assert_int_equal(asked.reason, VERDICT_REASON_NONE);
    close(forger.fd);
    teardown(&fixture);
}

/* An answer that comes after the time is over does not count for the next ping. */
static void a_late_answer_is_nobodys(void **state)
{
    struct fixture fixture;
    struct asked first, second;
    struct forger forger;
    setup(&fixture, false);
    own_network_answer_pings(false);
    forger_start(&forger);
    ask(&fixture, &first, "127.0.0.1", SHORT_MS);
    forger_see(&forger);
    wait_for(&fixture, &first);
    ask(&fixture, &second, "127.0.0.1", SHORT_MS);
    forger_answer(&forger, "127.0.0.1", forger.seen);
    wait_for(&fixture, &second);
    assert_int_equal(second.reason, VERDICT_REASON_NO_ECHO);
    close(forger.fd);
    teardown(&fixture);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_answers_succeeds_with_its_round_trip),
        cmocka_unit_test(many_at_once_get_an_answer_each),
        cmocka_unit_test(a_silent_host_fails_when_its_time_is_over),
        cmocka_unit_test(a_host_without_a_route_fails_at_once),
        cmocka_unit_test(without_sockets_each_ping_says_so),
        cmocka_unit_test(a_cancelled_ping_has_no_result_and_its_place_is_free),
        cmocka_unit_test(its_next_beat_may_end_a_ping_a_little_early),
        cmocka_unit_test(answers_count_that_came_while_this_process_did_not_run),
        cmocka_unit_test(a_full_buffer_delays_a_ping_and_fails_nobody),
        cmocka_unit_test(only_the_right_cookie_from_the_right_host_is_an_answer),
        cmocka_unit_test(a_late_answer_is_nobodys),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
