/* The main thread: talks to the supervisor and tells the workers. It carries no traffic. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "lbnode/loop/heartbeat.h"
#include "proxy/member_down.h"
#include "proxy/pool_watch.h"
#include "proxy/proxy.h"
#include "proxy/sandbox.h"
#include "proxy/source_table.h"
#include "proxy/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

struct proxy {
    struct proxy_shared shared;
    struct loop *loop;
    struct channel *channel;
    struct loop_io report_io;
    struct worker *workers;
    uint32_t worker_count; /* started */
    struct pool_table pools;
    uint64_t announced_generation, newest_generation;
    struct heartbeat heartbeat;
    struct loop_timer strain_timer;
    struct suspicion_allowance allowance;
    struct loop_timer verdict_timer;
    uint64_t seen_verdicts;    /* changes of the board */
    struct generation *newest; /* that the workers have, or will; NULL: none yet */
    uint32_t question;         /* that every worker is to answer until the next heartbeat */
    bool stopping, done;
};

static void post_to(struct proxy *proxy, uint32_t index, const struct order *order)
{
    if (!mailbox_post(&proxy->workers[index].mailbox, order)) {
        /* The worker would run something else than the others: start afresh instead. */
        log_error("out of memory for an order to worker %u", index);
        abort();
    }
}

static void post_to_all(struct proxy *proxy, const struct order *order)
{
    for (uint32_t i = 0; i < proxy->worker_count; i++)
        post_to(proxy, i, order);
}

static void send_event(struct proxy *proxy, enum event_code code, const char *text)
{
    struct message_event event = MESSAGE_OF(EVENT, struct message_event);
    event.code = code;
    event.role = PROCESS_PROXY;
    event.wall_ms = walltime_now_ms();
    snprintf(event.text, sizeof(event.text), "%s", text);
    channel_send(proxy->channel, &event.header, NULL, 0);
}

static void reject(struct proxy *proxy, uint64_t generation, const char *why)
{
    char text[200];
    snprintf(text, sizeof(text), "Configuration %llu was refused: %.150s",
             (unsigned long long)generation, why);
    log_error("%s", text);
    send_event(proxy, EVENT_SNAPSHOT_REJECTED, text);
}

#ifdef LBNODE_POISON
static void crash_on_poison(const struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->members.count; i++) {
        const char *name = snapshot_text(snapshot, snapshot_members(snapshot)[i].name);
        if (strcmp(name, "poison-proxy") == 0)
            abort();
    }
}
#endif

static void tell_turn(void *context, const struct pool_turn *turn)
{
    struct proxy *proxy = context;
    char text[200];
    const char *name = snapshot_text(proxy->newest->snapshot, turn->pool->name);
    if (turn->fails_open)
        snprintf(
            text, sizeof(text),
            "Of pool %.80s %u of %u members are usable, fewer than %u %%: all get traffic.",
            name, turn->usable, turn->total, turn->pool->fail_open_percent);
    else
        snprintf(text, sizeof(text),
                 "Of pool %.80s %u of %u members are usable: only these get traffic.", name,
                 turn->usable, turn->total);
    log_warning("%s", text);
    send_event(proxy, turn->fails_open ? EVENT_POOL_FAILS_OPEN : EVENT_POOL_FAILS_OPEN_NO_MORE,
               text);
}

/* One look for all workers: they are woken only when there is something to see. */
static void look_at_verdicts(struct loop_timer *timer)
{
    struct proxy *proxy = CONTAINER_OF(timer, struct proxy, verdict_timer);
    struct order order = {.kind = ORDER_LOOK};
    const struct verdict_board *verdicts = proxy->shared.context->verdicts;
    uint64_t changes = atomic_load(&verdicts->changes);
    bool is_news = changes != proxy->seen_verdicts;
    proxy->seen_verdicts = changes;
    if (is_news && pool_watch_look(proxy->newest, verdicts, tell_turn, proxy))
        post_to_all(proxy, &order);
    for (uint32_t i = 0; is_news && i < proxy->worker_count; i++)
        worker_wake(&proxy->workers[i]);
    if (proxy->newest->snapshot->monitors.count > 0)
        loop_timer_start(proxy->loop, timer, MEMBER_DOWN_LOOK_MS, look_at_verdicts);
}

/* GENERATION is what the workers are to run; one of its references is ours. */
static void keep_newest(struct proxy *proxy, struct generation *generation)
{
    if (proxy->newest)
        generation_release(proxy->newest);
    proxy->newest = generation;
    pool_watch_look(generation, proxy->shared.context->verdicts, tell_turn, proxy);
    if (!proxy->verdict_timer.active)
        look_at_verdicts(&proxy->verdict_timer);
}

static void on_snapshot(struct proxy *proxy, const struct message_snapshot *message, int fd)
{
    struct error error = {0};
    const struct snapshot *snapshot = snapshot_open(fd, &error);
    if (!snapshot) {
        reject(proxy, message->generation, error.text);
        return;
    }
    if (snapshot->generation != message->generation) {
        snapshot_close(snapshot);
        reject(proxy, message->generation, "its number differs from the announced one.");
        return;
    }
#ifdef LBNODE_POISON
    crash_on_poison(snapshot);
#endif
    struct order order = {.kind = ORDER_ADOPT};
    order.generation = generation_new(snapshot, &proxy->pools, proxy->worker_count + 1);
    if (!order.generation) {
        reject(proxy, message->generation, "out of memory.");
        return;
    }
    proxy->newest_generation = message->generation;
    keep_newest(proxy, order.generation);
    post_to_all(proxy, &order);
}

/* Worker i of n serves the sockets j = i mod n. */
static void on_listener(struct proxy *proxy,
                        const struct message_listener *message,
                        const int *fds,
                        size_t count)
{
    for (size_t j = 0; j < count; j++) {
        struct order order = {.kind = ORDER_LISTEN, .fd = fds[j]};
        order.endpoint = message->endpoint;
        post_to(proxy, (uint32_t)(j % proxy->worker_count), &order);
    }
}

static void on_listener_gone(struct proxy *proxy, const struct message_listener_gone *message)
{
    struct order order = {.kind = ORDER_GONE, .endpoint = message->endpoint};
    post_to_all(proxy, &order);
}

static void stop(struct proxy *proxy, enum order_kind kind, uint32_t drain_ms)
{
    struct order order = {.kind = kind, .drain_ms = drain_ms};
    proxy->stopping = true;
    post_to_all(proxy, &order);
}

static void
on_message(void *context, const struct message *message, const int *fds, size_t count)
{
    struct proxy *proxy = context;
    const void *whole = message;
    size_t kept = 0; /* descriptors that went to workers */
    switch (message->type) {
    case MESSAGE_SNAPSHOT:
        if (count == 1)
            on_snapshot(proxy, whole, fds[0]);
        break;
    case MESSAGE_LISTENER:
        on_listener(proxy, whole, fds, count);
        kept = count;
        break;
    case MESSAGE_LISTENER_GONE: on_listener_gone(proxy, whole); break;
    case MESSAGE_STOP:
        stop(proxy, ORDER_DRAIN, ((const struct message_stop *)whole)->drain_ms);
        break;
    default: log_warning("unexpected message %s", message_type_name(message->type)); break;
    }
    for (size_t i = kept; i < count; i++)
        close(fds[i]);
}

static void on_closed(void *context)
{
    struct proxy *proxy = context;
    stop(proxy, ORDER_STOP, 0);
}

/* The traffic is the workers': one that hangs is a proxy that hangs. */
static bool workers_answer(void *context)
{
    struct proxy *proxy = context;
    for (uint32_t i = 0; i < proxy->worker_count; i++) {
        if (atomic_load(&proxy->workers[i].answered) != proxy->question)
            return false;
    }
    proxy->question++;
    for (uint32_t i = 0; i < proxy->worker_count; i++)
        mailbox_ask(&proxy->workers[i].mailbox, proxy->question);
    return true;
}

enum {
    STRAIN_CHECK_MS = 1000
};

static void tell_strain(struct proxy *proxy, enum strain_kind kind, enum strain_news news)
{
    char text[200];
    if (news == STRAIN_BEGAN)
        snprintf(text, sizeof(text), "The proxy lacks %s; new clients wait. Hint: %s.",
                 strain_what(kind), strain_remedy(kind));
    else
        snprintf(text, sizeof(text), "The proxy has %s again, after %llu s.", strain_what(kind),
                 (unsigned long long)((loop_now_ms(proxy->loop) -
                                       proxy->shared.strains[kind].began_ms) /
                                      1000));
    log_warning("%s", text);
    send_event(proxy, news == STRAIN_BEGAN ? EVENT_PROXY_STRAINED : EVENT_PROXY_RELIEVED, text);
}

/* Tells what began and what is over, and looks again while anything goes on. */
static void look_at_strains(struct loop_timer *timer)
{
    struct proxy *proxy = CONTAINER_OF(timer, struct proxy, strain_timer);
    bool any = false;
    for (unsigned kind = 0; kind < STRAIN_COUNT; kind++) {
        struct strain *strain = &proxy->shared.strains[kind];
        enum strain_news news = strain_look(strain, loop_now_ms(proxy->loop));
        if (news != STRAIN_NO_NEWS)
            tell_strain(proxy, (enum strain_kind)kind, news);
        any |= strain->is_told;
    }
    if (any && !timer->active)
        loop_timer_start(proxy->loop, timer, STRAIN_CHECK_MS, look_at_strains);
}

static void tell_suspicion(struct proxy *proxy, const struct suspicion *suspicion)
{
    struct message_suspicion message = MESSAGE_OF(SUSPICION, struct message_suspicion);
    if (!suspicion_allowance_take(&proxy->allowance, loop_now_ms(proxy->loop)))
        return;
    message.member_slot = suspicion->slot;
    message.incarnation = suspicion->incarnation;
    message.kind = (uint8_t)suspicion->kind;
    channel_send(proxy->channel, &message.header, NULL, 0);
}

static void tell_suspicions(struct proxy *proxy)
{
    struct suspicion suspicion;
    for (uint32_t i = 0; i < proxy->worker_count; i++) {
        while (suspicion_ring_take(&proxy->workers[i].suspicions, &suspicion))
            tell_suspicion(proxy, &suspicion);
    }
}

/* A worker adopted a generation, finished, lacks something, or suspects a member. */
static void on_report(struct loop_io *io, unsigned readiness)
{
    struct proxy *proxy = CONTAINER_OF(io, struct proxy, report_io);
    eventfd_t ignored;
    uint64_t oldest = UINT64_MAX;
    bool all_finished = true;
    eventfd_read(io->fd, &ignored);
    for (uint32_t i = 0; i < proxy->worker_count; i++) {
        uint64_t running = atomic_load(&proxy->workers[i].running_generation);
        oldest = running < oldest ? running : oldest;
        all_finished &= atomic_load(&proxy->workers[i].finished);
    }
    if (oldest != proxy->announced_generation && oldest == proxy->newest_generation) {
        struct message_running running = MESSAGE_OF(RUNNING, struct message_running);
        running.generation = proxy->announced_generation = oldest;
        log_debug("all workers run snapshot %llu", (unsigned long long)oldest);
        channel_send(proxy->channel, &running.header, NULL, 0);
    }
    look_at_strains(&proxy->strain_timer);
    tell_suspicions(proxy);
    proxy->done = all_finished;
}

/* As many open files as allowed, and as many clients as these are good for: a client may need
 * a connection to a member. A fifth of the files may be connections that are only kept. */
static void set_maxima(struct proxy_shared *shared, uint32_t worker_count)
{
    enum {
        OTHER_FILES = 1024,
        KEPT_FIFTH = 5,
        LEAST = 4
    };
    struct rlimit limit = {LEAST, LEAST};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t files = limit.rlim_cur < (1u << 22) ? limit.rlim_cur : (1u << 22);
    uint64_t clients = files > 2 * OTHER_FILES ? (files - OTHER_FILES) / 2 : files / 4;
    clients /= worker_count;
    shared->maximum_clients = clients > LEAST ? (uint32_t)clients : LEAST;
    shared->maximum_kept = (uint32_t)(files / KEPT_FIFTH / worker_count);
}

static bool open_shared(struct proxy *proxy, const struct process_context *context)
{
    struct proxy_shared *shared = &proxy->shared;
    shared->context = context;
    shared->members = aligned_alloc(64, MEMBER_SLOTS * sizeof(*shared->members));
    shared->limited_connections = calloc(LISTENER_SLOTS, sizeof(*shared->limited_connections));
    set_maxima(shared, context->worker_count);
    shared->buffer_budget.limit =
        context->buffer_memory > 0 ? context->buffer_memory : UINT64_MAX;
    shared->sources = source_table_new();
    shared->report_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    proxy->loop = loop_new();
    proxy->workers =
        aligned_alloc(64, (context->worker_count * sizeof(*proxy->workers) + 63) / 64 * 64);
    if (!shared->members || !shared->limited_connections || !shared->sources ||
        shared->report_fd < 0 || !proxy->loop || !proxy->workers)
        return false;
    memset(shared->members, 0, MEMBER_SLOTS * sizeof(*shared->members));
    memset(proxy->workers, 0, context->worker_count * sizeof(*proxy->workers));
    shared->workers = proxy->workers;
    return loop_io_start(proxy->loop, &proxy->report_io, shared->report_fd, LOOP_READABLE,
                         on_report) == 0;
}

static bool start(struct proxy *proxy, const struct process_context *context)
{
    const struct channel_handler handler = {on_message, on_closed, proxy};
    if (!open_shared(proxy, context))
        return false;
    for (; proxy->worker_count < context->worker_count; proxy->worker_count++) {
        int rv = worker_start(&proxy->workers[proxy->worker_count], &proxy->shared,
                              proxy->worker_count);
        if (rv != 0) {
            log_error("cannot start a worker: %s", strerror(-rv));
            return false;
        }
    }
    /* Threads cannot be started any more, and nothing has come from a stranger yet. */
    if (!sandbox_enter())
        log_warning("the kernel does not confine this process: %s", strerror(errno));
    proxy->channel = channel_new(proxy->loop, context->channel_fd, &handler);
    if (!proxy->channel)
        return false;
    proxy->heartbeat.is_well = workers_answer;
    proxy->heartbeat.context = proxy;
    heartbeat_start(&proxy->heartbeat, proxy->loop, proxy->channel);
    return true;
}

static void finish(struct proxy *proxy)
{
    heartbeat_stop(&proxy->heartbeat);
    loop_timer_stop(&proxy->strain_timer);
    loop_timer_stop(&proxy->verdict_timer);
    for (uint32_t i = 0; i < proxy->worker_count; i++)
        worker_join(&proxy->workers[i]);
    for (uint32_t i = 0; i < proxy->worker_count; i++)
        worker_free(&proxy->workers[i]);
    if (proxy->loop)
        loop_io_stop(&proxy->report_io);
    if (proxy->newest)
        generation_release(proxy->newest);
    channel_free(proxy->channel);
    loop_free(proxy->loop);
    pool_table_clear(&proxy->pools);
    if (proxy->shared.report_fd >= 0)
        close(proxy->shared.report_fd);
    free(proxy->shared.members);
    free(proxy->shared.limited_connections);
    source_table_free(proxy->shared.sources);
    free(proxy->workers);
}

int proxy_main(const struct process_context *context)
{
    struct proxy proxy = {.shared.report_fd = -1};
    signal(SIGPIPE, SIG_IGN);
    bool started = start(&proxy, context);
    if (!started)
        stop(&proxy, ORDER_STOP, 0);
    while (started && !proxy.done)
        loop_turn(proxy.loop, true);
    finish(&proxy);
    return started ? 0 : 1;
}
