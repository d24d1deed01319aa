/* The probe of UDP-CONNECT in a network namespace of its own. */
#include "health/icmp_sockets.h"
#include "health/udp_connect.h"
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/health/own_network.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 8000,
    TIMEOUT_MS = 5000,
    SHORT_MS = 200
};

static bool has_network;

static int enter(void **state)
{
    has_network = own_network_enter();
    return 0;
}

struct fixture {
    struct loop *loop;
    struct icmp_sockets sockets;
    struct pinger *pinger;
    struct loop_timer deadline;
    bool late;
    struct udp_connect probe;
    unsigned results;
    enum verdict_reason reason;
    uint64_t started_ms, ended_ms;
    /* A service, which answers only when echo is started. */
    int service_fd;
    struct loop_io echo;
    struct ip_endpoint endpoint;
};

static void note(struct udp_connect *probe, enum verdict_reason reason, uint32_t round_trip_us)
{
    struct fixture *fixture = CONTAINER_OF(probe, struct fixture, probe);
    assert_false(udp_connect_is_running(probe));
    fixture->results++;
    fixture->reason = reason;
    fixture->ended_ms = monotime_now_ms();
}

static void be_late(struct loop_timer *timer)
{
    CONTAINER_OF(timer, struct fixture, deadline)->late = true;
}

static void echo(struct loop_io *io, unsigned readiness)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    char text[16];
    ssize_t got = recvfrom(io->fd, text, sizeof(text), 0, (struct sockaddr *)&from, &size);
    assert_true(got > 0);
    assert_int_equal(sendto(io->fd, text, (size_t)got, 0, (struct sockaddr *)&from, size), got);
}

/* A bound port on loopback, that nobody reads. */
static void open_service(struct fixture *fixture, const char *address)
{
    struct ip_endpoint any;
    struct sockaddr_storage bound;
    assert_true(ip_endpoint_parse(address, 1, &any));
    any.port = 0;
    socklen_t size = ip_endpoint_to_sockaddr(&any, &bound);
    fixture->service_fd = socket(bound.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->service_fd, (struct sockaddr *)&bound, size), 0);
    assert_int_equal(getsockname(fixture->service_fd, (struct sockaddr *)&bound, &size), 0);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&bound, &fixture->endpoint));
}

static void setup(struct fixture *fixture, const char *address)
{
    if (!has_network)
        skip();
    own_network_answer_pings(true);
    *fixture = (struct fixture){.loop = loop_new(), .sockets = icmp_sockets_open()};
    fixture->pinger = pinger_new(fixture->loop, &fixture->sockets);
    loop_timer_start(fixture->loop, &fixture->deadline, DEADLINE_MS, be_late);
    open_service(fixture, address);
}

static void teardown(struct fixture *fixture)
{
    udp_connect_cancel(&fixture->probe);
    pinger_free(fixture->pinger);
    loop_timer_stop(&fixture->deadline);
    loop_io_stop(&fixture->echo);
    close(fixture->service_fd);
    icmp_sockets_close(&fixture->sockets);
    loop_free(fixture->loop);
}

static void start(struct fixture *fixture, uint32_t timeout_ms)
{
    fixture->results = 0;
    fixture->started_ms = monotime_now_ms();
    udp_connect_start(fixture->loop, fixture->pinger, &fixture->probe, &fixture->endpoint,
                      timeout_ms, note);
    assert_true(udp_connect_is_running(&fixture->probe));
    assert_int_equal(fixture->results, 0);
}

static enum verdict_reason wait_for_result(struct fixture *fixture)
{
    while (fixture->results == 0 && !fixture->late)
        loop_turn(fixture->loop, true);
    assert_int_equal(fixture->results, 1);
    return fixture->reason;
}

static uint64_t took_ms(const struct fixture *fixture)
{
    return fixture->ended_ms - fixture->started_ms;
}

static void a_silent_port_of_a_living_host_succeeds_after_a_quiet_moment(void **state)
{
    struct fixture fixture;
    setup(&fixture, "127.0.0.1");
    start(&fixture, TIMEOUT_MS);
    assert_int_equal(wait_for_result(&fixture), VERDICT_REASON_NONE);
    assert_in_range(took_ms(&fixture), UDP_CONNECT_QUIET_MS, TIMEOUT_MS - 1);
    teardown(&fixture);
}

static void the_quiet_moment_ends_with_the_time(void **state)
{
    struct fixture fixture;
    setup(&fixture, "127.0.0.1");
    start(&fixture, SHORT_MS);
    assert_int_equal(wait_for_result(&fixture), VERDICT_REASON_NONE);
    assert_in_range(took_ms(&fixture), SHORT_MS / 2, UDP_CONNECT_QUIET_MS - 1);
    teardown(&fixture);
}

static void an_answer_succeeds_at_once_whatever_pings_say(void **state)
{
    struct fixture fixture;
    setup(&fixture, "127.0.0.1");
    own_network_answer_pings(false);
    assert_int_equal(
        loop_io_start(fixture.loop, &fixture.echo, fixture.service_fd, LOOP_READABLE, echo), 0);
    start(&fixture, TIMEOUT_MS);
    assert_int_equal(wait_for_result(&fixture), VERDICT_REASON_NONE);
    assert_in_range(took_ms(&fixture), 0, UDP_CONNECT_QUIET_MS - 1);
    teardown(&fixture);
}

static void a_closed_port_fails_at_once(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        struct fixture fixture;
        setup(&fixture, addresses[i]);
        close(fixture.service_fd);
        fixture.service_fd = -1;
        start(&fixture, TIMEOUT_MS);
        assert_int_equal(wait_for_result(&fixture), VERDICT_REASON_PORT_UNREACHABLE);
        assert_in_range(took_ms(&fixture), 0, UDP_CONNECT_QUIET_MS - 1);
        teardown(&fixture);
    }
}

static void a_host_that_answers_no_ping_fails_when_the_time_is_over(void **state)
{
    struct fixture fixture;
    setup(&fixture, "::1");
    own_network_answer_pings(false);
    start(&fixture, SHORT_MS);
    assert_int_equal(wait_for_result(&fixture), VERDICT_REASON_NO_ECHO);
    assert_in_range(took_ms(&fixture), SHORT_MS, TIMEOUT_MS);
    teardown(&fixture);
}

static void a_host_without_a_route_fails_at_once(void **state)
{
    struct fixture fixture;
    setup(&fixture, "127.0.0.1");
    assert_true(ip_endpoint_parse("192.0.2.1:53", 0, &fixture.endpoint));
    start(&fixture, TIMEOUT_MS);
    assert_int_equal(wait_for_result(&fixture), VERDICT_REASON_NO_ROUTE);
    teardown(&fixture);
}

static void without_icmp_sockets_nothing_is_guessed(void **state)
{
    struct fixture fixture;
    setup(&fixture, "127.0.0.1");
    struct icmp_sockets none = {.identifier = 0};
    pinger_free(fixture.pinger);
    fixture.pinger = pinger_new(fixture.loop, &none);
    start(&fixture, TIMEOUT_MS);
    assert_int_equal(wait_for_result(&fixture), VERDICT_REASON_NO_ICMP_SOCKET);
    teardown(&fixture);
}

static void a_cancelled_probe_has_no_result(void **state)
{
    struct fixture fixture;
    setup(&fixture, "127.0.0.1");
    start(&fixture, SHORT_MS);
    udp_connect_cancel(&fixture.probe);
    udp_connect_cancel(&fixture.probe);
    assert_false(udp_connect_is_running(&fixture.probe));
    uint64_t end_ms = monotime_now_ms() + 2 * SHORT_MS;
    while (monotime_now_ms() < end_ms)
        loop_turn(fixture.loop, false);
    assert_int_equal(fixture.results, 0);
    teardown(&fixture);
}

static void its_next_beat_may_end_it_a_little_early(void **state)
{
    struct fixture fixture;
    setup(&fixture, "127.0.0.1");
    own_network_answer_pings(false);
    start(&fixture, TIMEOUT_MS);
    udp_connect_expire(&fixture.probe, TIMEOUT_MS / 2);
    assert_int_equal(fixture.results, 0);
    udp_connect_expire(&fixture.probe, TIMEOUT_MS);
    assert_int_equal(fixture.results, 1);
    assert_int_equal(fixture.reason, VERDICT_REASON_NO_ECHO);
    own_network_answer_pings(true);
    start(&fixture, TIMEOUT_MS);
    while (ping_is_running(&fixture.probe.ping) && !fixture.late)
        loop_turn(fixture.loop, true);
    udp_connect_expire(&fixture.probe, TIMEOUT_MS);
    assert_int_equal(fixture.results, 1);
    assert_int_equal(fixture.reason, VERDICT_REASON_NONE);
    teardown(&fixture);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_port_of_a_living_host_succeeds_after_a_quiet_moment),
        cmocka_unit_test(the_quiet_moment_ends_with_the_time),
        cmocka_unit_test(an_answer_succeeds_at_once_whatever_pings_say),
        cmocka_unit_test(a_closed_port_fails_at_once),
        cmocka_unit_test(a_host_that_answers_no_ping_fails_when_the_time_is_over),
        cmocka_unit_test(a_host_without_a_route_fails_at_once),
        cmocka_unit_test(without_icmp_sockets_nothing_is_guessed),
        cmocka_unit_test(a_cancelled_probe_has_no_result),
        cmocka_unit_test(its_next_beat_may_end_it_a_little_early),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
