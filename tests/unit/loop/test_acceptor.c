#include "lbnode/loop/acceptor.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct acceptor acceptor;
static struct sockaddr_in address;
static int listen_fd, accepted;

static void on_client(struct acceptor *self, int fd, const struct sockaddr_storage *from)
{
    assert_int_equal(from->ss_family, AF_INET);
    accepted++;
    close(fd);
}

static int setup(void **state)
{
    socklen_t size = sizeof(address);
    accepted = 0;
    memset(&acceptor, 0, sizeof(acceptor));
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    loop = loop_new();
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool good = bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                listen(listen_fd, 16) == 0 &&
                getsockname(listen_fd, (struct sockaddr *)&address, &size) == 0 &&
                acceptor_start(loop, &acceptor, listen_fd, on_client) == 0;
    return good ? 0 : -1;
}

static int teardown(void **state)
{
    acceptor_stop(&acceptor);
    close(listen_fd);
    loop_free(loop);
    return 0;
}

static int visit(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void wait_for(int count)
{
    uint64_t deadline_ms = monotime_now_ms() + 5000;
    while (accepted < count && monotime_now_ms() < deadline_ms)
        loop_turn(loop, true);
    assert_int_equal(accepted, count);
}

static void all_who_come_are_taken(void **state)
{
    int fds[3];
    for (unsigned i = 0; i < ARRAY_LENGTH(fds); i++)
        fds[i] = visit();
    wait_for(3);
    for (unsigned i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
}

/* The socket stays readable, and the loop sleeps all the same. */
static void without_descriptors_it_waits_and_does_not_spin(void **state)
{
    struct rlimit before, none;
    int fd = visit();
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    unsigned turns = 0;
    uint64_t began_ms = monotime_now_ms();
    while (acceptor.pause_ms < 4 * ACCEPTOR_PAUSE_MS && turns < 1000) { /* longer each time */
        loop_turn(loop, true);
        turns++;
    }
    uint64_t took_ms = monotime_now_ms() - began_ms;
    setrlimit(RLIMIT_NOFILE, &before);
    assert_in_range(turns, 2, 10);
    assert_true(took_ms >= ACCEPTOR_PAUSE_MS / 2); /* the first pause, by a coarse clock */
    assert_int_equal(accepted, 0);
    assert_int_equal(acceptor.pause_ms, 4 * ACCEPTOR_PAUSE_MS);
    wait_for(1);
    assert_int_equal(acceptor.pause_ms, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_who_come_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(without_descriptors_it_waits_and_does_not_spin, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
