/* What the probe of a drill notices: it connects to a listener of this test. */
#include "lbnode/base/monotime.h"
#include "lbnode/cli/drill_probe.h"
#include "tests/support/test.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where nobody listens, and nobody else can, until it is closed. */
static int bind_somewhere(struct ip_endpoint *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, out));
    return fd;
}

static int listen_somewhere(struct ip_endpoint *out)
{
    int fd = bind_somewhere(out);
    assert_int_equal(listen(fd, 4096), 0);
    return fd;
}

/* Until COUNT connects were counted, or 5 s; the sum. */
static struct drill_report collect(struct drill_probe *probe, unsigned count)
{
    struct drill_report sum = {0};
    uint64_t end_ms = monotime_now_ms() + 5000;
    while (sum.connects < count && monotime_now_ms() < end_ms) {
        poll(NULL, 0, 10);
        struct drill_report part = drill_probe_take(probe);
        sum.connects += part.connects;
        sum.failed += part.failed;
        sum.gap_us = part.gap_us > sum.gap_us ? part.gap_us : sum.gap_us;
    }
    return sum;
}

static void connects_to_a_listener_succeed(void **state)
{
    struct ip_endpoint endpoint;
    struct error error = {0};
    int fd = listen_somewhere(&endpoint);
    struct drill_probe *probe = drill_probe_start(&endpoint, &error);
    assert_non_null(probe);
    struct drill_report report = collect(probe, 10);
    assert_true(report.connects >= 10);
    assert_int_equal(report.failed, 0);
    drill_probe_stop(probe);
    close(fd);
}

static void a_refused_connect_has_failed_and_the_gap_grows(void **state)
{
    struct ip_endpoint endpoint;
    struct error error = {0};
    int fd = bind_somewhere(&endpoint);
    struct drill_probe *probe = drill_probe_start(&endpoint, &error);
    assert_non_null(probe);
    struct drill_report report = collect(probe, 10);
    assert_true(report.failed >= 9);
    assert_true(report.gap_us >= 50000);
    drill_probe_stop(probe);
    drill_probe_stop(NULL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_to_a_listener_succeed),
        cmocka_unit_test(a_refused_connect_has_failed_and_the_gap_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
