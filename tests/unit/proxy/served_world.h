/* A world with two members that serve, as most tests of the proxy want it. */
#ifndef TESTS_UNIT_PROXY_SERVED_WORLD_H
#define TESTS_UNIT_PROXY_SERVED_WORLD_H

#include "tests/unit/proxy/origin.h"
#include "tests/unit/proxy/visitor.h"
#include "tests/unit/proxy/world.h"

enum {
    SERVED_WORLD_QUEUE = 4 /* sockets that keep a queue full */
};

/* A proxy with at most FILES open descriptors (0: no limit) that runs with the members A and B,
 * both of HTTP or both of TCP. */
void served_world_start(
    struct world *world, struct origin *a, struct origin *b, bool is_tcp, unsigned files);
void served_world_stop(struct world *world, struct origin *a, struct origin *b);
/* Waits until ORIGIN has had COUNT requests; more are a failure. */
void served_world_await_requests(const struct origin *origin, unsigned count);
/* A member whose queue is full: further attempts to connect are not answered. */
void served_world_fill_queue(int fds[SERVED_WORLD_QUEUE], struct ip_endpoint *endpoint);
void served_world_close_queue(const int fds[SERVED_WORLD_QUEUE]);

#endif
