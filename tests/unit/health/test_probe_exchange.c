/* What the member said before it ended the connection, when that was before the request. */
#include "health/probe_exchange.h"
#include "tests/support/test.h"
#include "tests/unit/health/hostile_worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 10000
};

struct fixture {
    struct loop *loop;
    struct prober *prober;
    struct probe_exchange exchange;
    struct probe_target target;
    pid_t worker;
};

/* Connected to a worker that BEHAVES. */
static void meet(struct fixture *fixture, uint8_t type, const struct behaviour *behaves)
{
    static const struct icmp_sockets no_icmp = {.fds = {-1, -1}};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint16_t port;
    int listener = worker_listen(1, 0, &port);
    fixture->loop = loop_new();
    fixture->prober = prober_new(fixture->loop, &no_icmp);
    fixture->worker = worker_start(listener, behaves);
    fixture->target = (struct probe_target){
        .type = type,
        .expected_codes = "200",
        .request = {
            .http_method = "GET", .url_path = "/", .domain_name = "", .http_version = 11}};
    address.sin_port = htons(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(listener);
    probe_exchange_init(&fixture->exchange, fd, 1);
}

static void part(struct fixture *fixture)
{
    int fd = fixture->exchange.fd;
    probe_exchange_end(&fixture->exchange, &fixture->target);
    close(fd);
    worker_stop(fixture->worker);
    prober_free(fixture->prober);
    loop_free(fixture->loop);
}

static void await(const struct fixture *fixture, short event)
{
    struct pollfd socket = {.fd = fixture->exchange.fd, .events = event};
    assert_int_equal(poll(&socket, 1, DEADLINE_MS), 1);
    assert_true(socket.revents & event);
}

/* What the worker says has come, and then a reset: the next byte that is sent fails. */
static void await_words_and_reset(const struct fixture *fixture)
{
    await(fixture, POLLIN);
    kill(fixture->worker, SIGKILL);
    await(fixture, POLLERR);
}

static struct probe_judgement go_on(struct fixture *fixture)
{
    struct probe_judgement judgement = {.reason = VERDICT_REASON_COUNT};
    assert_true(probe_exchange_go_on(&fixture->exchange, fixture->prober, &fixture->target,
                                     false, &judgement));
    return judgement;
}

static void an_answer_before_a_reset_counts(void **state)
{
    const char early[] = "HTTP/1.1 503 no\r\n\r\n";
    const struct behaviour resets = {serve_deaf, early, sizeof(early) - 1, 0};
    struct fixture fixture;
    meet(&fixture, SNAPSHOT_MONITOR_HTTP, &resets);
    await_words_and_reset(&fixture);
    struct probe_judgement judgement = go_on(&fixture);
    assert_int_equal(judgement.reason, VERDICT_REASON_STATUS);
    assert_int_equal(judgement.status, 503);
    part(&fixture);
}

static void an_alert_before_a_reset_counts(void **state)
{
    const char alert[] = "\x15\x03\x03\x00\x02\x02\x46";
    const struct behaviour resets = {serve_deaf, alert, sizeof(alert) - 1, 0};
    struct fixture fixture;
    meet(&fixture, SNAPSHOT_MONITOR_TLS_HELLO, &resets);
    await_words_and_reset(&fixture);
    struct probe_judgement judgement = go_on(&fixture);
    assert_int_equal(judgement.reason, VERDICT_REASON_TLS_ALERT);
    assert_int_equal(judgement.status, 0x46);
    part(&fixture);
}

static void a_reset_without_a_word_is_a_reset(void **state)
{
    const struct behaviour resets = {.serve = serve_reset};
    struct fixture fixture;
    meet(&fixture, SNAPSHOT_MONITOR_HTTP, &resets);
    await(&fixture, POLLERR);
    assert_int_equal(go_on(&fixture).reason, VERDICT_REASON_RESET);
    part(&fixture);
}

/* In TLS 1.3 a client is ready before its server has looked at its certificate (RFC
 * 8446 4.4.2.4): the alert comes when the request is already on its way. */
static void who_wants_a_certificate_says_so_after_the_handshake(void **state)
{
    const struct behaviour wants = {.serve = tls_wants_certificate};
    struct fixture fixture;
    meet(&fixture, SNAPSHOT_MONITOR_HTTPS, &wants);
    struct probe_exchange *exchange = &fixture.exchange;
    exchange->tls = tls_client_new(prober_tls(fixture.prober), exchange->fd, "", NULL);
    assert_int_equal(tls_client_handshake(exchange->tls), TLS_DONE);
    exchange->stage = PROBE_SENDS;
    struct probe_judgement judgement = go_on(&fixture); /* the socket blocks */
    assert_int_equal(judgement.reason, VERDICT_REASON_TLS_ALERT);
    assert_int_equal(judgement.status, 116);
    part(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_before_a_reset_counts),
        cmocka_unit_test(an_alert_before_a_reset_counts),
        cmocka_unit_test(a_reset_without_a_word_is_a_reset),
        cmocka_unit_test(who_wants_a_certificate_says_so_after_the_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
