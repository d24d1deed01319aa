/* The event loop: the only wrapper of libevent's core. One loop per thread, no locks.
 * Each watched thing is a struct that its owner embeds; it must stay in place and be stopped
 * before it is freed, and a descriptor must be stopped before close(). */
#ifndef LBNODE_LOOP_LOOP_H
#define LBNODE_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

enum loop_readiness {
    LOOP_READABLE = 1,
    LOOP_WRITABLE = 2,
    LOOP_CLOSED = 4, /* the peer closed its sending side */
    LOOP_EDGE = 8,   /* report changes only (edge-triggered) */
};

/* Room for libevent's struct event; loop.c asserts that it fits. */
struct loop_event {
    _Alignas(16) unsigned char storage[128];
};

struct loop_io {
    struct loop_event event;
    void (*on_ready)(struct loop_io *io, unsigned readiness);
    int fd;
    bool active;
};

struct loop_timer {
    struct loop_event event;
    void (*on_expiry)(struct loop_timer *timer);
    bool active;
};

struct loop_signal {
    struct loop_event event;
    void (*on_signal)(struct loop_signal *signal, int number);
    bool active;
};

/* NULL when the kernel refuses (no descriptors, no memory). */
struct loop *loop_new(void);
/* As loop_new, but timers may be some milliseconds late, which saves a system call per turn. */
struct loop *loop_new_coarse(void);
void loop_free(struct loop *loop);
/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* One turn: waits for something to happen when WAIT, handles what is ready, returns. */
void loop_turn(struct loop *loop, bool wait);
void loop_stop(struct loop *loop);
/* Monotonic time, read once per turn. */
uint64_t loop_now_ms(struct loop *loop);
uint64_t loop_now_us(struct loop *loop);

/* Watch FD persistently for READINESS (a set of loop_readiness). 0 or -errno. */
int loop_io_start(struct loop *loop,
                  struct loop_io *io,
                  int fd,
                  unsigned readiness,
                  void (*on_ready)(struct loop_io *, unsigned));
/* Watch the same descriptor for something else. */
int loop_io_change(struct loop *loop, struct loop_io *io, unsigned readiness);
void loop_io_stop(struct loop_io *io); /* idempotent */

/* One shot, at least DELAY_MS from now; starting an active timer moves it. */
void loop_timer_start(struct loop *loop,
                      struct loop_timer *timer,
                      uint64_t delay_ms,
                      void (*on_expiry)(struct loop_timer *));
/* As above with microseconds, for the election. */
void loop_timer_start_us(struct loop *loop,
                         struct loop_timer *timer,
                         uint64_t delay_us,
                         void (*on_expiry)(struct loop_timer *));
void loop_timer_stop(struct loop_timer *timer); /* idempotent */

int loop_signal_start(struct loop *loop,
                      struct loop_signal *signal,
                      int number,
                      void (*on_signal)(struct loop_signal *, int));
void loop_signal_stop(struct loop_signal *signal);

#endif
