#include "tests/unit/proxy/leap.h"

#include "tests/support/test.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    LONGEST_WAIT_MS = 10
};

static _Atomic uint64_t *ahead_ms; /* shared with children */
static pid_t parent;

void leap_prepare(void)
{
    ahead_ms = mmap(NULL, sizeof(*ahead_ms), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                    -1, 0);
    parent = getpid();
    assert_ptr_not_equal(ahead_ms, MAP_FAILED);
}

void leap(uint64_t ms)
{
    atomic_fetch_add(ahead_ms, ms);
}

/* These two stand in for the C library's, in libevent too. */

int clock_gettime(clockid_t clock, struct timespec *out)
{
    long rv = syscall(SYS_clock_gettime, clock, out);
    bool is_monotonic =
        clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
    if (rv == 0 && is_monotonic && ahead_ms && getpid() != parent) {
        uint64_t ms = atomic_load(ahead_ms);
        out->tv_sec += (time_t)(ms / 1000);
        out->tv_nsec += (long)(ms % 1000) * 1000000;
        out->tv_sec += out->tv_nsec / 1000000000;
        out->tv_nsec %= 1000000000;
    }
    return (int)rv;
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms)
{
    if (timeout_ms < 0 || timeout_ms > LONGEST_WAIT_MS)
        timeout_ms = LONGEST_WAIT_MS;
    return (int)syscall(SYS_epoll_pwait, fd, events, count, timeout_ms, NULL, 0);
}
