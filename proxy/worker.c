#include "proxy/worker.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "proxy/client_connection.h"
#include "proxy/dispatch.h"
#include "proxy/http_exchange.h"
#include "proxy/listener.h"
#include "proxy/member_down.h"
#include "proxy/relay_tcp.h"
#include "proxy/reserve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

/* ---- time -----------------------------------------------------------------------------------
 */

uint64_t worker_now_ms(struct worker *worker)
{
    return loop_now_ms(worker->loop);
}

uint64_t worker_now_us(struct worker *worker)
{
    return loop_now_us(worker->loop);
}

static void arm_wheel(struct worker *worker);

static void on_deadline(void *context, struct deadline *deadline)
{
    struct timed *timed = CONTAINER_OF(deadline, struct timed, deadline);
    timed->on_expiry(timed);
}

static void on_wheel_timer(struct loop_timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, wheel_timer);
    worker->wheel_timer_ms = UINT64_MAX;
    deadline_wheel_advance(&worker->wheel, worker_now_ms(worker), on_deadline, worker);
    arm_wheel(worker);
}

/* Wakes up when the wheel has something to do, not at every tick. */
static void arm_wheel(struct worker *worker)
{
    uint64_t next_ms = deadline_wheel_next_ms(&worker->wheel), now_ms = worker_now_ms(worker);
    if (next_ms >= worker->wheel_timer_ms)
        return;
    worker->wheel_timer_ms = next_ms;
    loop_timer_start(worker->loop, &worker->wheel_timer,
                     next_ms > now_ms ? next_ms - now_ms : 1, on_wheel_timer);
}

void worker_set_deadline(struct worker *worker, struct timed *timed, uint64_t delay_ms)
{
    uint64_t when_ms = worker_now_ms(worker) + delay_ms;
    if (worker->wheel.count == 0) /* it has stood still */
        deadline_wheel_advance(&worker->wheel, worker_now_ms(worker), on_deadline, worker);
    deadline_set(&worker->wheel, &timed->deadline, when_ms);
    if (when_ms < worker->wheel_timer_ms)
        arm_wheel(worker);
}

void worker_clear_deadline(struct worker *worker, struct timed *timed)
{
    deadline_clear(&worker->wheel, &timed->deadline);
}

const char *worker_date(struct worker *worker)
{
    uint64_t now_ms = worker_now_ms(worker);
    if (worker->date[0] == '\0' || now_ms - worker->date_ms >= 1000) {
        static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        time_t now = (time_t)(walltime_now_ms() / 1000);
        struct tm tm;
        gmtime_r(&now, &tm);
        snprintf(worker->date, sizeof(worker->date), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                 tm.tm_min, tm.tm_sec);
        worker->date_ms = now_ms;
    }
    return worker->date;
}

/* ---- orders ---------------------------------------------------------------------------------
 */

/* Between requests, and nothing has come of the next one. */
static bool is_idle(const struct client *client)
{
    return !client->exchange && !client->relay && buffer_size(client->in) == 0;
}

/* Closes idle clients: all of them, or those whose listener is gone. */
static void close_idle_clients(struct worker *worker, bool all)
{
    for (struct client *client = worker->clients, *next; client; client = next) {
        next = client->next;
        if (is_idle(client) && (all || !client_listener(client)))
            client_close(client);
    }
}

static void adopt(struct worker *worker, struct generation *generation)
{
    struct held_generation *held = held_generation_new(generation);
    if (!held) {
        log_error("out of memory for a new configuration");
        generation_release(generation);
        return;
    }
    struct held_generation *old = worker->generation;
    const struct snapshot *snapshot = generation->snapshot;
    worker_prepare_counters(worker, snapshot, old == NULL);
    worker->generation = held;
    held_generation_drop(old);
    listener_adopt(worker);
    idle_pool_sweep(worker, generation);
    close_idle_clients(worker, false);
    member_down_look_again(worker);
    atomic_store(&worker->running_generation, snapshot->generation);
    eventfd_write(worker->shared->report_fd, 1);
}

static void drain(struct worker *worker, uint32_t drain_ms)
{
    worker->draining = true;
    worker->drain_until_ms = worker_now_ms(worker) + drain_ms;
    listener_remove_all(worker);
    idle_pool_sweep(worker, NULL);
    close_idle_clients(worker, true);
}

static void obey(struct worker *worker, const struct order *order)
{
    switch (order->kind) {
    case ORDER_ADOPT: adopt(worker, order->generation); break;
    case ORDER_LOOK: member_down_look_again(worker); break;
    case ORDER_LISTEN: listener_add(worker, order->fd, &order->endpoint); break;
    case ORDER_GONE: listener_remove(worker, &order->endpoint); break;
    case ORDER_DRAIN: drain(worker, order->drain_ms); break;
    case ORDER_STOP: worker->stopping = true; break;
    }
}

static void on_mailbox_ready(struct loop_io *io, unsigned readiness)
{
    struct worker *worker = CONTAINER_OF(io, struct worker, mailbox_io);
    worker->places_freed = true;
    struct order *order = mailbox_take(&worker->mailbox);
    while (order) {
        struct order *next = order->next;
        obey(worker, order);
        free(order);
        order = next;
    }
    member_down_look(worker);
    atomic_store(&worker->answered, atomic_load(&worker->mailbox.question));
}

/* ---- the loop -------------------------------------------------------------------------------
 */

void worker_note_strain(struct worker *worker, enum strain_kind kind)
{
    if (strain_note(&worker->shared->strains[kind], worker_now_ms(worker)))
        eventfd_write(worker->shared->report_fd, 1);
}

void worker_suspect(struct worker *worker, const struct suspicion *suspicion, bool monitored)
{
    uint32_t slot = suspicion->slot;
    if (!suspicion_is_due(&worker->shared->members[slot].suspected_ms, worker_now_ms(worker)))
        return;
    counter_add(&worker->counters->proxy.suspicions[suspicion->kind], 1);
    counter_add(&worker_member_counters(worker, slot, suspicion->incarnation)->suspicions, 1);
    if (monitored && suspicion_ring_put(&worker->suspicions, suspicion))
        eventfd_write(worker->shared->report_fd, 1);
}

void worker_wake(struct worker *worker)
{
    eventfd_write(worker->mailbox.event_fd, 1);
}

void worker_run_later(struct worker *worker, struct client *client)
{
    if (client->will_run)
        return;
    client->will_run = true;
    client->run_next = worker->run_list;
    worker->run_list = client;
}

enum {
    STARVED_CHECK_MS = 20
};

/* Looks who waits; those find out themselves whether it is enough, and wait again if not. */
static void on_starved_timer(struct loop_timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, starved_timer);
    for (struct client *client = worker->clients; client; client = client->next) {
        if (client->is_starved)
            worker_run_later(worker, client);
        client->is_starved = false;
    }
}

void worker_await_buffer(struct worker *worker, struct client *client)
{
    counter_add(&worker->counters->proxy.reads_held, !client->is_starved);
    client->is_starved = true;
    worker_note_strain(worker, STRAIN_BUFFERS);
    if (!worker->starved_timer.active)
        loop_timer_start(worker->loop, &worker->starved_timer, STARVED_CHECK_MS,
                         on_starved_timer);
}

static void run_listed(struct worker *worker)
{
    struct client *client = worker->run_list;
    worker->run_list = NULL;
    while (client) {
        struct client *next = client->run_next;
        client->will_run = false;
        if (client->closed)
            object_bury(&worker->client_pool, client);
        else
            client->run(client);
        client = next;
    }
}

static void settle(struct worker *worker)
{
    object_pool_settle(&worker->client_pool);
    object_pool_settle(&worker->exchange_pool);
    object_pool_settle(&worker->relay_pool);
    object_pool_settle(&worker->connection_pool);
    atomic_store_explicit(&worker->counters->proxy.buffer_bytes, worker->buffers.bytes,
                          memory_order_relaxed);
}

static bool is_done(struct worker *worker)
{
    if (worker->stopping)
        return true;
    return worker->draining &&
           (worker->client_count == 0 || worker_now_ms(worker) >= worker->drain_until_ms);
}

static void on_drain_tick(struct loop_timer *timer)
{
    /* Only wakes the loop, which then looks at the time. */
}

static void *run(void *context)
{
    struct worker *worker = context;
    struct loop_timer drain_timer = {0};
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!is_done(worker)) {
        loop_turn(worker->loop, worker->run_list == NULL && !worker->places_freed &&
                                    !worker->verdicts_unseen);
        run_listed(worker);
        if (worker->verdicts_unseen)
            member_down_look_again(worker);
        if (worker->places_freed)
            dispatch_run_waiting(worker);
        settle(worker);
        if (worker->draining && !drain_timer.active)
            loop_timer_start(worker->loop, &drain_timer, 10, on_drain_tick);
    }
    loop_timer_stop(&drain_timer);
    while (worker->clients)
        client_abort(worker->clients);
    run_listed(worker);
    listener_remove_all(worker);
    idle_pool_sweep(worker, NULL);
    settle(worker);
    atomic_store(&worker->finished, true);
    eventfd_write(worker->shared->report_fd, 1);
    return NULL;
}

static void release(struct worker *worker)
{
    loop_io_stop(&worker->mailbox_io);
    loop_timer_stop(&worker->wheel_timer);
    loop_timer_stop(&worker->starved_timer);
    held_generation_drop(worker->generation);
    object_pool_clear(&worker->client_pool);
    object_pool_clear(&worker->exchange_pool);
    object_pool_clear(&worker->relay_pool);
    object_pool_clear(&worker->connection_pool);
    buffer_pool_clear(&worker->buffers);
    pipe_pool_clear(&worker->pipes);
    free(worker->idle.by_slot);
    free(worker->standings);
    free(worker->retry_budgets);
    reserve_release(&worker->reserve_fd);
    mailbox_close(&worker->mailbox);
    loop_free(worker->loop);
}

int worker_start(struct worker *worker, struct proxy_shared *shared, uint32_t index)
{
    worker->shared = shared;
    worker->index = index;
    worker->counters = &shared->context->counters->workers[index];
    worker->client_pool.object_size = sizeof(struct client);
    worker->exchange_pool.object_size = sizeof(struct exchange);
    worker->relay_pool.object_size = relay_object_size();
    worker->connection_pool.object_size = sizeof(struct member_connection);
    worker->buffers.budget = &shared->buffer_budget;
    worker->wheel_timer_ms = UINT64_MAX;
    worker->loop = loop_new_coarse();
    if (!worker->loop)
        return -ENOMEM;
    int rv = mailbox_open(&worker->mailbox);
    if (rv != 0) {
        loop_free(worker->loop);
        return rv;
    }
    worker->reserve_fd = -1;
    reserve_refill(&worker->reserve_fd, worker->mailbox.event_fd);
    worker->idle.by_slot = calloc(MEMBER_SLOTS, sizeof(*worker->idle.by_slot));
    worker->standings = calloc(MEMBER_SLOTS, sizeof(*worker->standings));
    worker->retry_budgets = calloc(POOL_SLOTS, sizeof(*worker->retry_budgets));
    deadline_wheel_init(&worker->wheel, worker_now_ms(worker));
    rv = loop_io_start(worker->loop, &worker->mailbox_io, worker->mailbox.event_fd,
                       LOOP_READABLE, on_mailbox_ready);
    if (rv == 0)
        rv = worker->idle.by_slot && worker->standings && worker->retry_budgets
                 ? -pthread_create(&worker->thread, NULL, run, worker)
                 : -ENOMEM;
    if (rv != 0)
        release(worker);
    return rv;
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}

void worker_free(struct worker *worker)
{
    release(worker);
}
