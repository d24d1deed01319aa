#include "lbnode/loop/loop.h"

#include "lbnode/base/monotime.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

struct loop {
    struct event_base *base;
    uint64_t now_ms, now_us; /* 0 between turns: read again on demand */
};

_Static_assert(sizeof(struct event) <= sizeof(struct loop_event), "loop_event is too small");
_Static_assert(_Alignof(struct event) <= _Alignof(struct loop_event), "loop_event alignment");

static struct event *native(struct loop_event *event)
{
    return (struct event *)(void *)event->storage;
}

static struct loop *open_loop(int timer_flag)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    struct event_config *config = event_config_new();
    if (loop && config) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | timer_flag);
        event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
        loop->base = event_base_new_with_config(config);
    }
    if (config)
        event_config_free(config);
    if (loop && !loop->base) {
        free(loop);
        loop = NULL;
    }
    return loop;
}

struct loop *loop_new(void)
{
    return open_loop(EVENT_BASE_FLAG_PRECISE_TIMER);
}

struct loop *loop_new_coarse(void)
{
    return open_loop(0);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    event_base_free(loop->base);
    free(loop);
}

void loop_turn(struct loop *loop, bool wait)
{
    loop->now_ms = 0;
    event_base_loop(loop->base, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK));
    loop->now_ms = 0;
}

void loop_run(struct loop *loop)
{
    while (!event_base_got_exit(loop->base) && !event_base_got_break(loop->base))
        loop_turn(loop, true);
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

static void read_clock(struct loop *loop)
{
    loop->now_us = monotime_now_us();
    loop->now_ms = loop->now_us / 1000;
}

uint64_t loop_now_ms(struct loop *loop)
{
    if (loop->now_ms == 0)
        read_clock(loop);
    return loop->now_ms;
}

uint64_t loop_now_us(struct loop *loop)
{
    if (loop->now_ms == 0)
        read_clock(loop);
    return loop->now_us;
}

static void io_ready(evutil_socket_t fd, short what, void *context)
{
    struct loop_io *io = context;
    unsigned readiness = 0;
    if (what & EV_READ)
        readiness |= LOOP_READABLE;
    if (what & EV_WRITE)
        readiness |= LOOP_WRITABLE;
    if (what & EV_CLOSED)
        readiness |= LOOP_CLOSED;
    io->on_ready(io, readiness);
}

int loop_io_start(struct loop *loop,
                  struct loop_io *io,
                  int fd,
                  unsigned readiness,
                  void (*on_ready)(struct loop_io *, unsigned))
{
    short what = EV_PERSIST;
    what |= readiness & LOOP_READABLE ? EV_READ : 0;
    what |= readiness & LOOP_WRITABLE ? EV_WRITE : 0;
    what |= readiness & LOOP_CLOSED ? EV_CLOSED : 0;
    what |= readiness & LOOP_EDGE ? EV_ET : 0;
    io->on_ready = on_ready;
    io->fd = fd;
    if (event_assign(native(&io->event), loop->base, fd, what, io_ready, io) != 0)
        return -EINVAL;
    if (event_add(native(&io->event), NULL) != 0)
        return errno ? -errno : -EINVAL;
    io->active = true;
    return 0;
}

int loop_io_change(struct loop *loop, struct loop_io *io, unsigned readiness)
{
    loop_io_stop(io);
    return loop_io_start(loop, io, io->fd, readiness, io->on_ready);
}

void loop_io_stop(struct loop_io *io)
{
    if (io->active)
        event_del(native(&io->event));
    io->active = false;
}

static void timer_expired(evutil_socket_t fd, short what, void *context)
{
    struct loop_timer *timer = context;
    timer->active = false;
    timer->on_expiry(timer);
}

static void start_timer(struct loop *loop,
                        struct loop_timer *timer,
                        uint64_t delay_us,
                        void (*on_expiry)(struct loop_timer *))
{
    struct timeval delay = {(time_t)(delay_us / 1000000), (suseconds_t)(delay_us % 1000000)};
    loop_timer_stop(timer);
    timer->on_expiry = on_expiry;
    evtimer_assign(native(&timer->event), loop->base, timer_expired, timer);
    evtimer_add(native(&timer->event), &delay);
    timer->active = true;
}

/* Delays count from the time that the turn began with, which is long ago here: the timer would
 * expire early, and be started anew for the rest. */
void loop_timer_start_us(struct loop *loop,
                         struct loop_timer *timer,
                         uint64_t delay_us,
                         void (*on_expiry)(struct loop_timer *))
{
    event_base_update_cache_time(loop->base);
    start_timer(loop, timer, delay_us, on_expiry);
}

void loop_timer_start(struct loop *loop,
                      struct loop_timer *timer,
                      uint64_t delay_ms,
                      void (*on_expiry)(struct loop_timer *))
{
    start_timer(loop, timer, delay_ms * 1000, on_expiry);
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (timer->active)
        event_del(native(&timer->event));
    timer->active = false;
}

static void signal_arrived(evutil_socket_t number, short what, void *context)
{
    struct loop_signal *signal = context;
    signal->on_signal(signal, (int)number);
}

int loop_signal_start(struct loop *loop,
                      struct loop_signal *signal,
                      int number,
                      void (*on_signal)(struct loop_signal *, int))
{
    signal->on_signal = on_signal;
    if (evsignal_assign(native(&signal->event), loop->base, number, signal_arrived, signal) !=
            0 ||
        evsignal_add(native(&signal->event), NULL) != 0)
        return -EINVAL;
    signal->active = true;
    return 0;
}

void loop_signal_stop(struct loop_signal *signal)
{
    if (signal->active)
        event_del(native(&signal->event));
    signal->active = false;
}
