#include "lbnode/loop/loop_swarm.h"

#include "lbnode/base/bytes.h"
#include "tests/support/test.h"

#include <sys/socket.h>
#include <unistd.h>

/* One end of a pair of sockets in the swarm, and what was reported of it. */
struct bee {
    struct swarm_io io;
    struct loop_swarm *swarm;
    int fd, other;
    unsigned reports, readiness;
    struct bee *victim; /* leaves when this one hears something */
};

static void bee_leave(struct bee *bee)
{
    if (bee->fd < 0)
        return;
    loop_swarm_leave(bee->swarm, &bee->io);
    close(bee->fd);
    bee->fd = -1;
}

static void on_ready(struct swarm_io *io, unsigned readiness)
{
    struct bee *bee = CONTAINER_OF(io, struct bee, io);
    assert_true(bee->fd >= 0);
    bee->reports++;
    bee->readiness = readiness;
    if (bee->victim)
        bee_leave(bee->victim);
}

static void bee_join(struct bee *bee, struct loop_swarm *swarm)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
                     0);
    *bee = (struct bee){.swarm = swarm, .fd = pair[0], .other = pair[1]};
    assert_int_equal(loop_swarm_join(swarm, &bee->io, bee->fd, on_ready), 0);
}

static void bee_end(struct bee *bee)
{
    bee_leave(bee);
    close(bee->other);
}

static void each_change_is_reported_once(void **state)
{
    struct loop *loop = loop_new();
    struct loop_swarm *swarm = loop_swarm_new(loop);
    struct bee bee;
    bee_join(&bee, swarm);
    loop_turn(loop, true);
    assert_int_equal(bee.reports, 1);
    assert_int_equal(bee.readiness, LOOP_WRITABLE);
    loop_turn(loop, false);
    assert_int_equal(bee.reports, 1);
    assert_int_equal(write(bee.other, "x", 1), 1);
    loop_turn(loop, true);
    assert_int_equal(bee.reports, 2);
    assert_true(bee.readiness & LOOP_READABLE);
    bee_end(&bee);
    loop_swarm_free(swarm);
    loop_free(loop);
}

static void the_end_of_the_other_side_is_readable(void **state)
{
    struct loop *loop = loop_new();
    struct loop_swarm *swarm = loop_swarm_new(loop);
    struct bee bee;
    bee_join(&bee, swarm);
    close(bee.other);
    loop_turn(loop, true);
    assert_int_equal(bee.readiness, LOOP_READABLE | LOOP_WRITABLE);
    bee_leave(&bee);
    loop_swarm_free(swarm);
    loop_free(loop);
}

/* Both have something to report at the same time, and whoever is first makes the other leave.
 */
static void who_left_hears_nothing_more(void **state)
{
    struct loop *loop = loop_new();
    struct loop_swarm *swarm = loop_swarm_new(loop);
    struct bee a, b;
    bee_join(&a, swarm);
    bee_join(&b, swarm);
    a.victim = &b;
    b.victim = &a;
    loop_turn(loop, true);
    assert_int_equal(a.reports + b.reports, 1);
    bee_end(&a);
    bee_end(&b);
    loop_swarm_free(swarm);
    loop_free(loop);
}

static void more_than_one_batch_is_heard(void **state)
{
    static struct bee bees[300];
    struct loop *loop = loop_new();
    struct loop_swarm *swarm = loop_swarm_new(loop);
    for (size_t i = 0; i < ARRAY_LENGTH(bees); i++)
        bee_join(&bees[i], swarm);
    for (size_t i = 0; i < ARRAY_LENGTH(bees); i++)
        loop_turn(loop, false);
    for (size_t i = 0; i < ARRAY_LENGTH(bees); i++) {
        assert_int_equal(bees[i].reports, 1);
        bee_end(&bees[i]);
    }
    loop_swarm_free(swarm);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_is_reported_once),
        cmocka_unit_test(the_end_of_the_other_side_is_readable),
        cmocka_unit_test(who_left_hears_nothing_more),
        cmocka_unit_test(more_than_one_batch_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
