/* Small servers that play the members of a pool. Each connection has a thread of its own. What
 * an HTTP origin does depends on the path (see origin.c). */
#ifndef TESTS_UNIT_PROXY_ORIGIN_H
#define TESTS_UNIT_PROXY_ORIGIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_BIG_SIZE = 6 << 20
};

struct origin {
    int fd;
    uint16_t port;
    char name; /* in answers */
    bool is_tcp;
    pthread_t thread;
    _Atomic bool stopping;
    _Atomic bool gate_is_open; /* before that, GET /gate and /late-upgrade wait */
    _Atomic unsigned connections, requests, open;
};

void origin_start(struct origin *origin, char name, bool is_tcp);
void origin_stop(struct origin *origin);
/* The byte at OFFSET of every big body. */
static inline char origin_byte(size_t offset)
{
    return (char)('!' + offset * 31 / 7 % 90);
}
/* A loopback port where nobody listens. */
uint16_t origin_closed_port(void);

#endif
