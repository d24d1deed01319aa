/* More clients than there is memory for: they wait, all of them are served, and the bound of
 * the buffers holds at every moment. */
#include "lbnode/base/text.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CROWD = 60,
    MEMORY = 1 << 20, /* about 50 small buffers */
    BODY_SIZE = 60000
};

static struct world world;
static struct origin a, b;
static struct visitor crowd[CROWD];

static int begin(bool is_tcp)
{
    world_start_narrow(&world, MEMORY); /* forks: before there are threads */
    origin_start(&a, 'a', is_tcp);
    origin_start(&b, 'b', is_tcp);
    world.image.members[0].endpoint = image_loopback(a.port);
    world.image.members[1].endpoint = image_loopback(b.port);
    world_apply(&world);
    return 0;
}

static int setup(void **state)
{
    return begin(false);
}

static int setup_tcp(void **state)
{
    return begin(true);
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

static void assert_bounded(void)
{
    assert_in_range(WORLD_SUM(&world, proxy.buffer_bytes), 0, MEMORY);
}

static void heads_that_find_no_memory_wait_for_it(void **state)
{
    for (int i = 0; i < CROWD; i++) {
        visitor_connect(&crowd[i], &world.http);
        visitor_say(&crowd[i], "GET /who HTTP/1.1\r\n"); /* takes a buffer */
    }
    world_wait(&world, &world.events[EVENT_PROXY_STRAINED], 1);
    assert_bounded();
    for (int i = 0; i < CROWD; i++)
        visitor_say(&crowd[i], "Host: t\r\n\r\n");
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(visitor_read(&crowd[i], "GET"), 200);
        assert_bounded();
        visitor_leave(&crowd[i]);
    }
    WORLD_AWAIT(WORLD_SUM(&world, listeners[0].terminations[TERMINATION_COMPLETE]) == CROWD);
}

/* Reads from all of the crowd, whoever has something, until each connection ended. */
static void read_all(size_t least)
{
    static size_t sizes[CROWD];
    struct pollfd fds[CROWD];
    unsigned open = CROWD;
    memset(sizes, 0, sizeof(sizes));
    for (int i = 0; i < CROWD; i++)
        fds[i] = (struct pollfd){.fd = crowd[i].fd, .events = POLLIN};
    while (open > 0) {
        static char data[65536];
        assert_true(poll(fds, CROWD, WORLD_PATIENCE_MS) > 0);
        for (int i = 0; i < CROWD; i++) {
            ssize_t size = fds[i].revents ? recv(fds[i].fd, data, sizeof(data), 0) : 1;
            assert_true(size >= 0);
            sizes[i] += fds[i].revents ? (size_t)size : 0;
            open -= size == 0;
            if (size == 0)
                fds[i].fd = -1;
        }
        assert_bounded();
    }
    for (int i = 0; i < CROWD; i++) {
        assert_true(sizes[i] >= least);
        visitor_leave(&crowd[i]);
    }
}

static void answers_wait_for_memory_and_nobody_is_cut(void **state)
{
    for (int i = 0; i < CROWD; i++) {
        int small = 4096;
        visitor_connect(&crowd[i], &world.http);
        setsockopt(crowd[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        visitor_say(&crowd[i], "GET /bytes/60000 HTTP/1.0\r\n\r\n");
    }
    read_all(BODY_SIZE);
    WORLD_AWAIT(WORLD_SUM(&world, listeners[0].terminations[TERMINATION_COMPLETE]) == CROWD);
}

static void tcp_connections_wait_for_memory_too(void **state)
{
    static char piece[BODY_SIZE];
    memset(piece, 'p', sizeof(piece));
    for (int i = 0; i < CROWD; i++) {
        visitor_connect(&crowd[i], &world.tcp);
        visitor_send(&crowd[i], piece, sizeof(piece));
        shutdown(crowd[i].fd, SHUT_WR);
    }
    read_all(strlen("a got 60000")); /* that much came to the member */
    WORLD_AWAIT(WORLD_SUM(&world, listeners[1].terminations[TERMINATION_COMPLETE]) == CROWD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heads_that_find_no_memory_wait_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_wait_for_memory_and_nobody_is_cut, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tcp_connections_wait_for_memory_too, setup_tcp,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
