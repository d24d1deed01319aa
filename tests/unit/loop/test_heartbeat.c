#include "lbnode/loop/heartbeat.h"

#include "lbnode/base/monotime.h"
#include "tests/support/test.h"

#include <sys/socket.h>
#include <unistd.h>

struct bench {
    struct loop *loop;
    struct channel *channel;
    struct heartbeat heartbeat;
    int supervisor_fd;
};

static void on_message(void *context, const struct message *message, const int *fds, size_t n)
{}

static void on_closed(void *context)
{}

static int set_up(void **state)
{
    static struct bench bench;
    static const struct channel_handler handler = {on_message, on_closed, NULL};
    int fds[2];
    bench = (struct bench){.loop = loop_new()};
    assert_int_equal(channel_pair(fds), 0);
    bench.channel = channel_new(bench.loop, fds[0], &handler);
    bench.supervisor_fd = fds[1];
    heartbeat_start(&bench.heartbeat, bench.loop, bench.channel);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    heartbeat_stop(&bench->heartbeat);
    channel_free(bench->channel);
    loop_free(bench->loop);
    close(bench->supervisor_fd);
    return 0;
}

/* How many signs the supervisor has got. */
static unsigned signs(const struct bench *bench)
{
    char data[256];
    unsigned count = 0;
    while (recv(bench->supervisor_fd, data, sizeof(data), MSG_DONTWAIT) > 0)
        count++;
    return count;
}

static void the_first_sign_leaves_at_once(void **state)
{
    assert_int_equal(signs(*state), 1);
}

static void the_next_ones_leave_by_themselves(void **state)
{
    struct bench *bench = *state;
    uint64_t end_ms = monotime_now_us() / 1000 + 60000;
    unsigned seen = signs(bench);
    while (seen < 3 && monotime_now_us() / 1000 < end_ms) {
        loop_turn(bench->loop, true);
        seen += signs(bench);
    }
    assert_int_equal(seen, 3);
}

static void a_sign_that_is_nearly_due_leaves_when_asked_for(void **state)
{
    struct bench *bench = *state;
    signs(bench);
    heartbeat_advance(&bench->heartbeat, 0);
    assert_int_equal(signs(bench), 0);
    heartbeat_advance(&bench->heartbeat, HEARTBEAT_MS);
    assert_int_equal(signs(bench), 1);
}

static void a_stopped_one_sends_none(void **state)
{
    struct bench *bench = *state;
    signs(bench);
    heartbeat_stop(&bench->heartbeat);
    heartbeat_advance(&bench->heartbeat, HEARTBEAT_MS);
    assert_int_equal(signs(bench), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_sign_leaves_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_ones_leave_by_themselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sign_that_is_nearly_due_leaves_when_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_one_sends_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
