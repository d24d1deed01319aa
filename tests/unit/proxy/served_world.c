#include "tests/unit/proxy/served_world.h"

#include "tests/support/test.h"

void served_world_start(
    struct world *world, struct origin *a, struct origin *b, bool is_tcp, unsigned files)
{
    world_start_limited(world, files); /* forks: before there are threads */
    origin_start(a, 'a', is_tcp);
    origin_start(b, 'b', is_tcp);
    world->image.members[0].endpoint = image_loopback(a->port);
    world->image.members[1].endpoint = image_loopback(b->port);
    world_apply(world);
}

void served_world_stop(struct world *world, struct origin *a, struct origin *b)
{
    world_stop(world);
    origin_stop(a);
    origin_stop(b);
}

void served_world_await_requests(const struct origin *origin, unsigned count)
{
    WORLD_AWAIT(origin->requests >= count);
    assert_int_equal(origin->requests, count);
}
