/* What workers may do to a probe: each behaviour has its verdict, its reason, a bound of time
 * and a bound of memory. */
#include "health/probe.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/health_reason.h"
#include "tests/support/test.h"
#include "tests/unit/health/hostile_worker.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SHORT_MS = 700,      /* the time of a probe that is to use it up */
    AMPLE_MS = 5000,     /* of one that is to end before, on a busy machine too */
    DEADLINE_MS = 10000, /* a probe whose time never ends does not make it */
    HTTP_MEMORY = 20 << 10,
    TLS_MEMORY = 64 << 10,
    TLS_CACHES = 96 << 10, /* of OpenSSL, however many handshakes there are */
};

#define OK         "HTTP/1.1 200 OK\r\n"
#define ANSWER     OK "Content-Length: 2\r\n\r\nok"
#define TLS_ALERT_ "\x15\x03\x03\x00\x02"

#define HTTP(name, reason, status, ...)                                                        \
    {                                                                                          \
        name, SNAPSHOT_MONITOR_HTTP, VERDICT_REASON_##reason, status, __VA_ARGS__              \
    }
#define HTTPS(name, reason, status, ...)                                                       \
    {                                                                                          \
        name, SNAPSHOT_MONITOR_HTTPS, VERDICT_REASON_##reason, status, __VA_ARGS__             \
    }
#define HELLO(name, reason, status, ...)                                                       \
    {                                                                                          \
        name, SNAPSHOT_MONITOR_TLS_HELLO, VERDICT_REASON_##reason, status, __VA_ARGS__         \
    }
#define DOES(function, literal)                                                                \
    {                                                                                          \
        function, literal, sizeof(literal) - 1                                                 \
    }
#define SAYS(literal) DOES(serve_answer, literal)
#define PADS(literal, count)                                                                   \
    {                                                                                          \
        serve_padded, literal, sizeof(literal) - 1, count                                      \
    }

static const struct row {
    const char *name;
    uint8_t type; /* enum snapshot_monitor_type */
    enum verdict_reason reason;
    uint16_t status;
    struct behaviour behaviour;
} rows[] = {
    /* good enough */
    HTTP("a good answer", NONE, 200, SAYS(ANSWER)),
    HTTP("a good answer in single bytes", NONE, 200, DOES(serve_in_bytes, ANSWER)),
    HTTP("no reason phrase", NONE, 200, SAYS("HTTP/1.1 200\r\n\r\n")),
    HTTP("an early answer", NONE, 200, DOES(serve_greeting, ANSWER)),
    HTTP("half-close after the answer", NONE, 200, DOES(serve_and_shut, ANSWER)),
    HTTP("closes after the answer", NONE, 200, DOES(serve_and_close, ANSWER)),
    HTTP("resets after the answer", NONE, 200, DOES(serve_and_reset, ANSWER)),
    HTTP("an endless body", NONE, 200, DOES(serve_endless, OK "\r\nx")),
    HTTP("a body shorter than its length",
         NONE,
         200,
         DOES(serve_and_close, OK "Content-Length: 1000000\r\n\r\nx")),
    HTTP("wrong chunks", NONE, 200, SAYS(OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n")),
    HTTP("two answers", NONE, 200, SAYS(ANSWER "HTTP/1.1 500 no\r\n\r\n")),
    HTTP("interim first", NONE, 200, SAYS("HTTP/1.1 100 Continue\r\n\r\n" ANSWER)),
    HTTP("a large head", NONE, 200, PADS(OK "X: ", 10000)),
    /* a status that is not expected */
    HTTP("503", STATUS, 503, SAYS("HTTP/1.1 503 no\r\n\r\n")),
    HTTP("a redirect", STATUS, 302, SAYS("HTTP/1.1 302 x\r\nLocation: /\r\n\r\n")),
    HTTP("a 204 with a body", STATUS, 204, SAYS("HTTP/1.1 204 x\r\n\r\nbody")),
    HTTP("304", STATUS, 304, SAYS("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n")),
    HTTP("switches protocols", SWITCHED, 101, SAYS("HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n")),
    HTTP("status 2000", STATUS_RANGE, 0, SAYS("HTTP/1.1 2000 OK\r\n\r\n")),
    HTTP("status 099", STATUS_RANGE, 0, SAYS("HTTP/1.1 099 OK\r\n\r\n")),
    HTTP("status in words", STATUS_LINE, 0, SAYS("HTTP/1.1 OK\r\n\r\n\r\n")),
    HTTP("lower case", STATUS_LINE, 0, SAYS("http/1.1 200 OK\r\n\r\n")),
    HTTP("HTTP/3 in a status line", HTTP_VERSION, 0, SAYS("HTTP/3.0 200 OK\r\n\r\n")),
    /* no answer, or half of one */
    HTTP("says nothing", TIMEOUT, 0, DOES(serve_nothing, "")),
    HTTP("a dripping head", ANSWER_SLOW, 0, DOES(serve_drip, OK "X: ")),
    HTTP("a status line only", ANSWER_SLOW, 0, SAYS(OK)),
    HTTP("an interim answer only", ANSWER_SLOW, 0, SAYS("HTTP/1.1 100 Continue\r\n\r\n")),
    HTTP("interim answers for ever", ONLY_INTERIM, 102, DOES(serve_interims, "")),
    HTTP("half an answer and the end", CLOSED_IN_ANSWER, 0, DOES(serve_and_close, OK)),
    HTTP("half an answer and a reset", RESET_IN_ANSWER, 0, DOES(serve_and_reset, OK)),
    HTTP("reset at once", RESET, 0, DOES(serve_reset, "")),
    HTTP("reset after the request", RESET, 0, DOES(serve_and_reset, "")),
    HTTP("closed after the request", CLOSED, 0, DOES(serve_and_close, "")),
    HTTP("half-close without an answer", CLOSED, 0, DOES(serve_and_shut, "")),
    /* another protocol */
    HTTP("garbage", NOT_HTTP, 0, SAYS("\xde\xad\xbe\xef")),
    HTTP("HTTP/0.9", NOT_HTTP, 0, SAYS("<html>hello</html>")),
    HTTP("an empty line first", NOT_HTTP, 0, SAYS("\r\n" ANSWER)),
    HTTP("SSH", SPEAKS_SSH, 0, DOES(serve_greeting, "SSH-2.0-OpenSSH_9.2\r\n")),
    HTTP("HTTP/2", SPEAKS_HTTP2, 0, SAYS("\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x80")),
    HTTP("TLS", SPEAKS_TLS, 0, SAYS(TLS_ALERT_ "\x02\x46")),
    /* a head that is none */
    HTTP("NUL in a header", HEAD_NUL, 0, SAYS(OK "X: a\0b\r\n\r\n")),
    HTTP("a control byte in a header", HEAD_VALUE, 0, SAYS(OK "X: \x1b[0m\r\n\r\n")),
    HTTP("bare CR", HEAD_LINE_END, 0, SAYS(OK "X: a\rY: b\r\n\r\n")),
    HTTP("bare LF", HEAD_LINE_END, 0, SAYS("HTTP/1.1 200 OK\nX: y\n\n")),
    HTTP("a folded header", HEAD_FOLDED, 0, SAYS(OK "X: a\r\n b\r\n\r\n")),
    HTTP("an empty header name", HEAD_NAME, 0, SAYS(OK ": a\r\n\r\n")),
    HTTP("a space before the colon", HEAD_NAME, 0, SAYS(OK "X : a\r\n\r\n")),
    HTTP("two lengths",
         CONTENT_LENGTH,
         0,
         SAYS(OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n")),
    HTTP("header fields for ever", HEAD_FIELDS, 0, DOES(serve_fields, OK)),
    HTTP("a header of any size", HEAD_SIZE, 0, DOES(serve_endless, OK "X: y")),
    HTTP("a head larger than the buffer", HEAD_SIZE, 0, PADS(OK "X: ", 17000)),
    HTTP("a status line of any size", STATUS_LINE, 0, DOES(serve_endless, "HTTP/1.1 200 y")),
    /* TLS */
    HTTPS("an expired certificate of its own", NONE, 200, DOES(tls_answer, ANSWER)),
    HTTPS("TLS 1.2", NONE, 200, DOES(tls_answer_1_2, ANSWER)),
    HTTPS("no close_notify", NONE, 200, DOES(tls_cut, ANSWER)),
    HTTPS("503 over TLS", STATUS, 503, DOES(tls_answer, "HTTP/1.1 503 no\r\n\r\n")),
    HTTPS("garbage over TLS", NOT_HTTP, 0, DOES(tls_answer, "\xde\xad\xbe\xef")),
    HTTPS("half an answer over TLS", CLOSED_IN_ANSWER, 0, DOES(tls_cut, OK)),
    HTTPS("silence over TLS", TIMEOUT, 0, DOES(tls_answer, "")),
    HTTPS("the end after the handshake", CLOSED, 0, DOES(tls_close, "")),
    HTTPS("no TLS after the handshake", TLS_BROKEN, 0, DOES(tls_break, ANSWER)),
    HTTPS("session tickets for ever", TLS_BROKEN, 0, DOES(tls_tickets, "")),
    HTTPS("wants a certificate", TLS_ALERT, 116, DOES(tls_wants_certificate, ANSWER)),
    HTTPS("no handshake", TLS_SLOW, 0, DOES(serve_nothing, "")),
    HTTPS("a dripping handshake", TLS_SLOW, 0, DOES(serve_drip, "\x16\x03\x03\x40\x00\x02")),
    HTTPS("an alert", TLS_ALERT, 40, SAYS(TLS_ALERT_ "\x02\x28")),
    HTTPS("garbage for a handshake", NOT_TLS, 0, SAYS("\xde\xad\xbe\xef\xde\xad\xbe\xef")),
    HTTPS("garbage in a handshake",
          TLS_FAILED,
          0,
          SAYS("\x16\x03\x03\x00\x08\xde\xad\xbe\xef\xde\xad\xbe\xef")),
    HTTPS("a certificate of any size",
          TLS_FAILED,
          0,
          DOES(serve_endless, "\x16\x03\x03\x40\x00\x02\xff\xff\xff\x03\x03")),
    HTTPS("plain HTTP", SPEAKS_PLAIN, 0, SAYS("HTTP/1.1 400 Bad Request\r\n\r\n")),
    HTTPS("SSH, TLS asked", SPEAKS_SSH, 0, DOES(serve_greeting, "SSH-2.0-OpenSSH_9.2\r\n")),
    HTTPS("the end within the handshake", TLS_CLOSED, 0, DOES(serve_and_close, "\x16\x03")),
    HTTPS("a reset within the handshake", TLS_RESET, 0, DOES(serve_and_reset, "\x16\x03")),
    HELLO("a hello", NONE, 0, DOES(tls_answer, "")),
    HELLO("a hello of TLS 1.2", NONE, 0, DOES(tls_answer_1_2, "")),
    HELLO("an alert for a hello", TLS_ALERT, 70, SAYS(TLS_ALERT_ "\x02\x46")),
    HELLO("warnings for ever",
          TLS_ALERT,
          112,
          SAYS(TLS_ALERT_ "\x01\x70" TLS_ALERT_ "\x01\x70" TLS_ALERT_ "\x01\x70" TLS_ALERT_
                          "\x01\x70" TLS_ALERT_ "\x01\x70")),
    HELLO("no hello", TLS_SLOW, 0, DOES(serve_nothing, "")),
    HELLO("half a hello", TLS_SLOW, 0, SAYS("\x16\x03\x03\x00\x40\x02")),
    HELLO("plain HTTP for a hello", SPEAKS_PLAIN, 0, SAYS("HTTP/1.1 400 no\r\n\r\n")),
    HELLO("garbage for a hello", NOT_TLS, 0, SAYS("\xde\xad\xbe\xef")),
    HELLO("another message for a hello",
          TLS_FAILED,
          0,
          SAYS("\x16\x03\x03\x00\x40\x0b\x00\x00\x3c\x03\x03")),
};

/* ---- one probe -----------------------------------------------------------------------------
 */

struct run {
    struct probe probe;
    struct probe_result result;
    bool ended;
};

static void on_result(struct probe *probe, const struct probe_result *result)
{
    struct run *run = CONTAINER_OF(probe, struct run, probe);
    assert_false(run->ended);
    run->result = *result;
    run->ended = true;
}

static struct probe_target
target_of(uint8_t type, uint16_t port, const char *path, uint32_t timeout_ms)
{
    struct ip_endpoint endpoint = {.port = port};
    assert_true(ip_address_parse("127.0.0.1", &endpoint.address));
    return (struct probe_target){.endpoint = endpoint,
                                 .type = type,
                                 .expected_codes = "200",
                                 .request = {.http_method = "GET",
                                             .url_path = path,
                                             .domain_name = "",
                                             .http_version = 11,
                                             .endpoint = endpoint},
                                 .timeout_ms = timeout_ms};
}

struct outcome {
    struct probe_result result;
    uint64_t ran_ms;
    size_t memory; /* the most that it had of the heap */
};

static struct outcome probe_for(
    struct prober *prober, uint8_t type, uint16_t port, const char *path, uint32_t timeout_ms)
{
    struct run run = {.ended = false};
    struct probe_target target = target_of(type, port, path, timeout_ms);
    size_t before = mallinfo2().uordblks, most = before;
    uint64_t start_ms = monotime_now_ms();
    probe_start(prober, &run.probe, &target, on_result);
    while (!run.ended && monotime_now_ms() < start_ms + DEADLINE_MS) {
        size_t now = mallinfo2().uordblks;
        most = now > most ? now : most;
        loop_turn(prober->loop, true);
    }
    assert_true(run.ended);
    assert_false(probe_is_running(&run.probe));
    return (struct outcome){run.result, monotime_now_ms() - start_ms, most - before};
}

static bool waits_for_timeout(enum verdict_reason reason)
{
    return reason == VERDICT_REASON_TIMEOUT || reason == VERDICT_REASON_ANSWER_SLOW ||
           reason == VERDICT_REASON_TLS_SLOW;
}

static void assert_row(struct prober *prober, const struct row *row)
{
    uint16_t port;
    int listener = worker_listen(8, 0, &port);
    pid_t worker = worker_start(listener, &row->behaviour);
    bool waits = waits_for_timeout(row->reason);
    uint32_t timeout_ms = waits ? SHORT_MS : AMPLE_MS;
    struct outcome outcome = probe_for(prober, row->type, port, "/", timeout_ms);
    size_t bound = row->type == SNAPSHOT_MONITOR_HTTPS ? TLS_MEMORY : HTTP_MEMORY;
    worker_stop(worker);
    close(listener);
    if (outcome.result.reason != row->reason || outcome.result.status != row->status)
        fail_msg("%s: '%s' (%u) in place of '%s' (%u)", row->name,
                 verdict_reason_text(outcome.result.reason), outcome.result.status,
                 verdict_reason_text(row->reason), row->status);
    if (waits != (outcome.ran_ms >= timeout_ms))
        fail_msg("%s: took %llu ms", row->name, (unsigned long long)outcome.ran_ms);
    if (outcome.memory > bound)
        fail_msg("%s: took %zu bytes", row->name, outcome.memory);
}

/* ---- the rules -----------------------------------------------------------------------------
 */

struct fixture {
    struct loop *loop;
    struct prober *prober;
};

/* OpenSSL fills caches with the first handshakes, which no later probe pays for. */
static void warm_up(struct fixture *fixture)
{
    struct behaviour answers = SAYS(ANSWER);
    uint16_t port;
    int listener = worker_listen(1, 0, &port);
    answers.serve = tls_answer;
    pid_t worker = worker_start(listener, &answers);
    struct outcome outcome =
        probe_for(fixture->prober, SNAPSHOT_MONITOR_HTTPS, port, "/", AMPLE_MS);
    assert_int_equal(outcome.result.reason, VERDICT_REASON_NONE);
    worker_stop(worker);
    close(listener);
}

static void setup(struct fixture *fixture)
{
    static const struct icmp_sockets no_icmp = {.fds = {-1, -1}};
    fixture->loop = loop_new();
    fixture->prober = prober_new(fixture->loop, &no_icmp);
    warm_up(fixture);
}

static void teardown(struct fixture *fixture)
{
    prober_free(fixture->prober);
    loop_free(fixture->loop);
}

static void test_each_behaviour_has_its_reason_and_bounds(void **state)
{
    struct fixture fixture;
    setup(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_row(fixture.prober, &rows[i]);
    teardown(&fixture);
}

static void run_quick_rows(struct fixture *fixture, bool with_tls)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        bool is_tls = rows[i].type == SNAPSHOT_MONITOR_HTTPS;
        if (!waits_for_timeout(rows[i].reason) && (with_tls || !is_tls))
            assert_row(fixture->prober, &rows[i]);
    }
}

static void test_all_memory_comes_back(void **state)
{
    struct fixture fixture;
    setup(&fixture);
    run_quick_rows(&fixture, false);
    size_t before = mallinfo2().uordblks;
    run_quick_rows(&fixture, false);
    assert_in_range(mallinfo2().uordblks, 0, before);
    run_quick_rows(&fixture, true);
    assert_in_range(mallinfo2().uordblks, 0, before + TLS_CACHES);
    teardown(&fixture);
}

/* Whether the request had come before decides how the kernel ends such a connection. */
static void test_closed_at_once(void **state)
{
    struct fixture fixture;
    struct behaviour closes = {.serve = serve_close};
    uint16_t port;
    setup(&fixture);
    int listener = worker_listen(1, 0, &port);
    pid_t worker = worker_start(listener, &closes);
    struct outcome outcome =
        probe_for(fixture.prober, SNAPSHOT_MONITOR_HTTP, port, "/", AMPLE_MS);
    assert_true(outcome.result.reason == VERDICT_REASON_CLOSED ||
                outcome.result.reason == VERDICT_REASON_RESET);
    worker_stop(worker);
    close(listener);
    teardown(&fixture);
}

static void test_nobody_listens(void **state)
{
    struct fixture fixture;
    uint16_t port;
    setup(&fixture);
    close(worker_listen(1, 0, &port));
    struct outcome outcome =
        probe_for(fixture.prober, SNAPSHOT_MONITOR_TCP, port, "/", AMPLE_MS);
    assert_int_equal(outcome.result.reason, VERDICT_REASON_CONNECT_REFUSED);
    outcome = probe_for(fixture.prober, SNAPSHOT_MONITOR_HTTPS, port, "/", AMPLE_MS);
    assert_int_equal(outcome.result.reason, VERDICT_REASON_CONNECT_REFUSED);
    teardown(&fixture);
}

/* A full queue of connections: the kernel drops what comes. */
static void test_nobody_accepts(void **state)
{
    struct fixture fixture;
    int fillers[4];
    uint16_t port;
    int listener = worker_listen(0, 0, &port);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(port)};
    setup(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    struct outcome outcome =
        probe_for(fixture.prober, SNAPSHOT_MONITOR_TCP, port, "/", SHORT_MS);
    assert_int_equal(outcome.result.reason, VERDICT_REASON_CONNECT_TIMEOUT);
    for (size_t i = 0; i < ARRAY_LENGTH(fillers); i++)
        close(fillers[i]);
    close(listener);
    teardown(&fixture);
}

static void test_nobody_reads_the_request(void **state)
{
    struct fixture fixture;
    uint16_t port;
    static char path[3500];
    int listener = worker_listen(1, 1, &port); /* the smallest window that there is */
    memset(path, 'p', sizeof(path) - 1);
    path[0] = '/';
    setup(&fixture);
    struct outcome outcome =
        probe_for(fixture.prober, SNAPSHOT_MONITOR_HTTP, port, path, SHORT_MS);
    assert_int_equal(outcome.result.reason, VERDICT_REASON_REQUEST_NOT_READ);
    close(listener);
    teardown(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_behaviour_has_its_reason_and_bounds),
        cmocka_unit_test(test_all_memory_comes_back),
        cmocka_unit_test(test_closed_at_once),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_nobody_accepts),
        cmocka_unit_test(test_nobody_reads_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
