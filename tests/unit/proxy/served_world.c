#include "tests/unit/proxy/served_world.h"

#include "tests/support/test.h"

#include <sys/socket.h>
#include <unistd.h>

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

void served_world_fill_queue(int fds[SERVED_WORLD_QUEUE], struct ip_endpoint *endpoint)
{
    struct sockaddr_storage address;
    *endpoint = image_loopback(0);
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    getsockname(fds[0], (struct sockaddr *)&address, &size);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, endpoint));
    for (int i = 1; i < SERVED_WORLD_QUEUE; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fds[i], (struct sockaddr *)&address, size);
    }
}

void served_world_close_queue(const int fds[SERVED_WORLD_QUEUE])
{
    for (int i = 0; i < SERVED_WORLD_QUEUE; i++)
        close(fds[i]);
}
