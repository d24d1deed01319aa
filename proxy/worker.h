/* One worker: a thread with its own loop, sockets, connections and pools. Nothing of it is
 * touched by another thread, but for the mailbox and what is at its end. */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "lbnode/base/deadline_wheel.h"
#include "lbnode/loop/loop.h"
#include "lbnode/model/process.h"
#include "proxy/buffer.h"
#include "proxy/generation.h"
#include "proxy/idle_pool.h"
#include "proxy/mailbox.h"
#include "proxy/object_pool.h"
#include "proxy/pipe_pool.h"
#include "proxy/retry_budget.h"
#include "proxy/strain.h"
#include "proxy/suspicion_ring.h"

#include <pthread.h>

struct client;
struct listener_socket;

/* What all workers share. Owned by the main thread, outlives them. */
struct proxy_shared {
    const struct process_context *context;
    struct member_runtime *members;         /* MEMBER_SLOTS */
    _Atomic int64_t *limited_connections;   /* LISTENER_SLOTS; where a limit is set */
    struct source_table *sources;           /* where a limit per source is set */
    struct worker *workers;                 /* all of them, to wake them */
    uint32_t maximum_clients, maximum_kept; /* per worker, by the limit of open files */
    struct buffer_budget buffer_budget;     /* of all workers */
    int report_fd;                          /* wakes the main thread */
    struct strain strains[STRAIN_COUNT];
    _Atomic uint64_t
        turned_away_ms; /* the last time that a client was for want of a descriptor */
};

/* A deadline that knows what to do. */
struct timed {
    struct deadline deadline;
    void (*on_expiry)(struct timed *timed);
};

struct worker {
    struct proxy_shared *shared;
    uint32_t index;
    pthread_t thread;
    struct loop *loop;
    struct mailbox mailbox;
    struct loop_io mailbox_io;
    struct deadline_wheel wheel;
    struct loop_timer wheel_timer;
    uint64_t wheel_timer_ms; /* when it is set to expire; UINT64_MAX: it is not */

    struct held_generation *generation; /* NULL before the first */
    struct worker_counters *counters;
    struct listener_counters no_listener; /* counted into when a slot means something else */
    struct pool_counters no_pool;
    struct member_counters no_member;

    struct listener_socket *sockets;
    uint32_t full_sockets; /* of these, those that wait for a client to leave */
    int reserve_fd;        /* to turn somebody away with; -1 when it was lost */
    struct client *clients;
    uint32_t client_count;
    struct client *run_list; /* to be continued in the next turn */
    struct idle_pool idle;
    struct member_standing *standings;  /* MEMBER_SLOTS */
    uint64_t suspects_until_ms;         /* before that, a member may have to be avoided */
    uint64_t seen_verdicts;             /* changes of the board */
    bool verdicts_unseen;               /* not all of what they mean is done */
    struct retry_budget *retry_budgets; /* POOL_SLOTS */
    struct wait_lines waiting;          /* for a place at a member */
    bool places_freed;                  /* somebody who waits may have a place now */

    struct buffer_pool buffers;
    struct loop_timer starved_timer; /* while a client waits for a buffer */
    struct pipe_pool pipes;
    struct object_pool client_pool, exchange_pool, relay_pool, connection_pool;
    char date[32]; /* of this second, for responses without one */
    uint64_t date_ms;

    bool draining, stopping;
    uint64_t drain_until_ms;

    struct suspicion_ring suspicions;    /* put here, taken by the main thread */
    _Atomic uint64_t running_generation; /* written here, read by the main thread */
    _Atomic uint32_t answered;           /* the last question */
    _Atomic bool finished;
};

/* Starts the thread. 0 or -errno. */
int worker_start(struct worker *worker, struct proxy_shared *shared, uint32_t index);
/* After the thread finished; then, when all have, frees what was the worker's. */
void worker_join(struct worker *worker);
void worker_free(struct worker *worker);

uint64_t worker_now_ms(struct worker *worker);
uint64_t worker_now_us(struct worker *worker);
/* The worker lacks KIND, right now. */
void worker_note_strain(struct worker *worker, enum strain_kind kind);
/* Traffic casts doubt on a member: counts it, and asks for a probe when its pool is MONITORED;
 * no more often than each SUSPICION_INTERVAL_MS. */
void worker_suspect(struct worker *worker, const struct suspicion *suspicion, bool monitored);
/* From any thread: somebody who waits in WORKER may have a place now, or verdicts changed. */
void worker_wake(struct worker *worker);
/* (Re)sets TIMED to DELAY_MS from now. */
void worker_set_deadline(struct worker *worker, struct timed *timed, uint64_t delay_ms);
void worker_clear_deadline(struct worker *worker, struct timed *timed);
/* CLIENT goes on when there may be memory for a buffer again. */
void worker_await_buffer(struct worker *worker, struct client *client);
/* Continues CLIENT in the next turn: others come first. */
void worker_run_later(struct worker *worker, struct client *client);
/* The current time as an HTTP date. */
const char *worker_date(struct worker *worker);

/* Cells of slots that mean something new in SNAPSHOT begin at zero; with FIRST, in a new
 * process, gauges do too. (worker_counters.c) */
void worker_prepare_counters(struct worker *worker,
                             const struct snapshot *snapshot,
                             bool first);
/* The cells of a slot; a dummy when the slot has another incarnation by now. */
struct listener_counters *
worker_listener_counters(struct worker *worker, uint32_t slot, uint32_t incarnation);
struct pool_counters *
worker_pool_counters(struct worker *worker, uint32_t slot, uint32_t incarnation);
struct member_counters *
worker_member_counters(struct worker *worker, uint32_t slot, uint32_t incarnation);

#endif
