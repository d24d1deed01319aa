/* A running proxy process with its channel, boards and listening sockets, for tests. Everything
 * is on loopback with ports from the kernel. */
#ifndef TESTS_UNIT_PROXY_WORLD_H
#define TESTS_UNIT_PROXY_WORLD_H

#include "lbnode/base/event_codes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/loop/channel.h"
#include "lbnode/model/process.h"
#include "tests/unit/proxy/image.h"

#include <sys/types.h>
#include <unistd.h>

enum {
    WORLD_WORKERS = 2,
    WORLD_PATIENCE_MS = 10000
};

struct world {
    pid_t pid;
    struct loop *loop;
    struct channel *channel;
    struct process_context context;
    struct image image; /* what runs; change it and call world_apply */
    struct ip_endpoint http, tcp;
    uint64_t running_generation;
    unsigned rejected;
    uint64_t events[EVENT_CODE_COUNT]; /* how often each was told */
    uint64_t suspicions;               /* told, and the last of them */
    struct message_suspicion suspicion;
    bool channel_closed;
};

/* Forks the proxy and gives it an HTTP and a TCP listener. No configuration yet. */
void world_start(struct world *world);
/* The same with at most FILES open descriptors in the proxy. */
void world_start_limited(struct world *world, unsigned files);
/* The same, with buffers of at most BUFFER_MEMORY bytes. */
void world_start_narrow(struct world *world, uint64_t buffer_memory);
/* The image with the next generation number; returns when it runs. */
void world_apply(struct world *world);
/* The pool gets a monitor that finds all members ONLINE, from the next world_apply on. */
void world_monitor(struct world *world);
/* What health thinks of a member. */
void world_judge(struct world *world, uint32_t member, enum verdict_state state);
void world_send(struct world *world, const struct message *message, int fd);
/* Turns the loop until *FLAG is at least WANTED. */
void world_wait(struct world *world, const uint64_t *flag, uint64_t wanted);
/* Waits for the proxy to end by itself; its exit status. */
int world_exit_status(struct world *world);
/* Closes the channel and checks that the proxy ends in order. */
void world_stop(struct world *world);
/* The sum over the workers of a cell of the counter board. */
#define WORLD_SUM(world, cell)                                                                 \
    ((uint64_t)((world)->context.counters->workers[0].cell) +                                  \
     (uint64_t)((world)->context.counters->workers[1].cell))
/* Looks at CONDITION each millisecond until it holds; a failure when it never does. */
#define WORLD_AWAIT(condition)                                                                 \
    do {                                                                                       \
        uint64_t await_until_ms = monotime_now_ms() + WORLD_PATIENCE_MS;                       \
        while (!(condition) && monotime_now_ms() < await_until_ms)                             \
            usleep(1000);                                                                      \
        assert_true(condition);                                                                \
    } while (0)
uint64_t world_listener_requests(const struct world *world);

#endif
