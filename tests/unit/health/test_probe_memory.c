/* What an HTTPS probe keeps for the next one of the same member, and when it does not. */
#include "health/probe.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/health/hostile_worker.h"
#include "tests/unit/health/resuming_worker.h"

#include <unistd.h>

enum {
    TIMEOUT_MS = 10000,
    IN_FULL = 200, /* what the worker says of a handshake */
    RESUMED = 202,
    TLS_1_2 = 0x0303,
    TLS_1_3 = 0x0304,
};

struct fixture {
    struct loop *loop;
    struct prober *prober;
    struct probe_memory memory;
    int listener;
    uint16_t port;
    pid_t worker;
    struct probe probe;
    struct probe_result result;
    bool ended;
};

static void setup(struct fixture *fixture, struct resuming_worker worker)
{
    static const struct icmp_sockets no_icmp = {.fds = {-1, -1}};
    *fixture = (struct fixture){.loop = loop_new()};
    fixture->prober = prober_new(fixture->loop, &no_icmp);
    fixture->listener = worker_listen(8, 0, &fixture->port);
    fixture->worker = resuming_worker_start(fixture->listener, &worker);
}

static void teardown(struct fixture *fixture)
{
    worker_stop(fixture->worker);
    close(fixture->listener);
    probe_memory_clear(&fixture->memory);
    prober_free(fixture->prober);
    loop_free(fixture->loop);
}

static void on_result(struct probe *probe, const struct probe_result *result)
{
    struct fixture *fixture = CONTAINER_OF(probe, struct fixture, probe);
    fixture->result = *result;
    fixture->ended = true;
}

static void probe_for(struct fixture *fixture, const char *expected_codes)
{
    struct ip_endpoint endpoint = {.port = fixture->port};
    assert_true(ip_address_parse("127.0.0.1", &endpoint.address));
    struct probe_target target = {.endpoint = endpoint,
                                  .type = SNAPSHOT_MONITOR_HTTPS,
                                  .expected_codes = expected_codes,
                                  .request = {.http_method = "GET",
                                              .url_path = "/",
                                              .domain_name = "www.example.org",
                                              .http_version = 11,
                                              .endpoint = endpoint},
                                  .timeout_ms = TIMEOUT_MS,
                                  .memory = &fixture->memory};
    fixture->ended = false;
    probe_start(fixture->prober, &fixture->probe, &target, on_result);
    while (!fixture->ended)
        loop_turn(fixture->loop, true);
}

static void assert_handshake(struct fixture *fixture, uint16_t status)
{
    probe_for(fixture, "200-299");
    assert_int_equal(fixture->result.reason, VERDICT_REASON_NONE);
    assert_int_equal(fixture->result.status, status);
    assert_false(fixture->result.is_void);
}

static void assert_resumes(int version)
{
    struct fixture fixture;
    setup(&fixture, (struct resuming_worker){.version = version});
    assert_handshake(&fixture, IN_FULL);
    for (int i = 0; i < 5; i++)
        assert_handshake(&fixture, RESUMED);
    teardown(&fixture);
}

static void test_the_second_probe_resumes(void **state)
{
    assert_resumes(TLS_1_2);
    assert_resumes(TLS_1_3);
}

static void test_a_member_that_lost_its_keys_is_well(void **state)
{
    static const int versions[] = {TLS_1_2, TLS_1_3};
    struct fixture fixture;
    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++) {
        setup(&fixture, (struct resuming_worker){.version = versions[i], .loses_keys = true});
        for (int probes = 0; probes < 3; probes++)
            assert_handshake(&fixture, IN_FULL);
        teardown(&fixture);
    }
}

static void test_a_session_that_is_refused_says_nothing_of_the_member(void **state)
{
    struct fixture fixture;
    setup(&fixture, (struct resuming_worker){.version = TLS_1_2, .moves_to_1_3 = true});
    assert_handshake(&fixture, IN_FULL);
    probe_for(&fixture, "200-299");
    assert_int_equal(fixture.result.reason, VERDICT_REASON_TLS_ALERT);
    assert_true(fixture.result.is_void);
    assert_null(fixture.memory.session);
    assert_handshake(&fixture, IN_FULL);
    teardown(&fixture);
}

static void test_after_a_failure_the_handshake_is_full(void **state)
{
    struct fixture fixture;
    setup(&fixture, (struct resuming_worker){.version = TLS_1_3});
    assert_handshake(&fixture, IN_FULL);
    probe_for(&fixture, "204");
    assert_int_equal(fixture.result.reason, VERDICT_REASON_STATUS);
    assert_int_equal(fixture.result.status, RESUMED);
    assert_false(fixture.result.is_void);
    assert_handshake(&fixture, IN_FULL);
    teardown(&fixture);
}

static void test_now_and_then_the_handshake_is_full(void **state)
{
    struct fixture fixture;
    setup(&fixture, (struct resuming_worker){.version = TLS_1_3});
    assert_handshake(&fixture, IN_FULL);
    assert_handshake(&fixture, RESUMED);
    uint64_t full_ms = fixture.memory.full_ms;
    probe_memory_begin(&fixture.memory, full_ms + PROBE_FULL_HANDSHAKE_MS - 1);
    assert_non_null(fixture.memory.session);
    probe_memory_begin(&fixture.memory, full_ms + PROBE_FULL_HANDSHAKE_MS);
    assert_null(fixture.memory.session);
    assert_handshake(&fixture, IN_FULL);
    teardown(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_probe_resumes),
        cmocka_unit_test(test_a_member_that_lost_its_keys_is_well),
        cmocka_unit_test(test_a_session_that_is_refused_says_nothing_of_the_member),
        cmocka_unit_test(test_after_a_failure_the_handshake_is_full),
        cmocka_unit_test(test_now_and_then_the_handshake_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
