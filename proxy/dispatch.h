/* Gets a connection for one request or one TCP connection: picks a member, takes a kept
 * connection or opens one, and goes to another member when that fails (at most three attempts,
 * and as many as the pool's retry budget bears). When all members are at their limits, it waits
 * for its turn. Holds the generation that it picks from until dispatch_settle. */
#ifndef PROXY_DISPATCH_H
#define PROXY_DISPATCH_H

#include "proxy/member_connection.h"
#include "proxy/request_record.h"

enum {
    DISPATCH_ATTEMPTS = 3,
    DISPATCH_PAUSE_MS = 50 /* before the same member is tried again */
};

enum dispatch_result {
    DISPATCH_READY,      /* a kept connection */
    DISPATCH_CONNECTING, /* events will tell */
    DISPATCH_PAUSE,      /* call dispatch_next again after DISPATCH_PAUSE_MS */
    DISPATCH_QUEUED,     /* on_turn will tell, or dispatch_queue_left_ms pass */
    DISPATCH_QUEUE_FULL, /* too many wait already */
    DISPATCH_NONE,       /* no usable member */
    DISPATCH_FAILED,     /* the attempts or the budget are used up */
};

struct dispatch {
    struct worker *worker;
    struct held_generation *generation; /* NULL once settled */
    uint32_t pool;                      /* index or SNAPSHOT_NONE */
    struct ip_endpoint client;
    uint32_t tried[PICK_MAXIMUM_TRIED], tried_count;
    uint32_t attempts;
    uint32_t slot, incarnation; /* of the member */
    struct ip_endpoint endpoint;
    uint32_t number; /* of the member in its pool */
    bool assigned;
    bool has_turn;  /* it need not wait behind others */
    bool may_reuse; /* as dispatch_next was told */
    struct waiter waiter;
    uint64_t queue_until_ms;      /* 0: it never waited */
    bool any_failed;              /* what follows is a repetition */
    bool lacks_resources;         /* the last failure had its reason on this host */
    bool counts_active;           /* settled: as the pool had it */
    struct pool_runtime *runtime; /* settled, and the pool has limits; else NULL */
    struct member_connection *connection;
    struct request_record *record; /* the owner's */
    void (*on_event)(struct member_connection *connection);
    void (*on_news)(struct member_connection *connection, enum member_news news);
    void (*on_turn)(struct dispatch *dispatch); /* call dispatch_next again */
    void *owner;
};

/* Holds the worker's current generation. RECORD learns where it goes and what that takes. */
void dispatch_init(struct dispatch *dispatch,
                   struct worker *worker,
                   uint32_t pool,
                   const struct ip_endpoint *client,
                   struct request_record *record);
/* The first attempt and each further one. MAY_REUSE: a kept connection will do. */
enum dispatch_result dispatch_next(struct dispatch *dispatch, bool may_reuse);
/* How long it may still wait in the queue. */
uint64_t dispatch_queue_left_ms(const struct dispatch *dispatch);
/* It waited for too long. */
void dispatch_queue_expired(struct dispatch *dispatch);
/* Gives places that became free to those who wait. */
void dispatch_run_waiting(struct worker *worker);
/* Opens a fresh connection to the same member: the kept one had been closed by it. */
enum dispatch_result dispatch_again(struct dispatch *dispatch);
/* The member closed a fresh connection without a byte: goes to another one, if there is any and
 * the pool can bear it; else DISPATCH_FAILED. */
enum dispatch_result dispatch_elsewhere(struct dispatch *dispatch);
/* The member is given up for its verdict, while connecting or before it begins to answer: goes
 * to another one, in the latter case as dispatch_elsewhere. */
enum dispatch_result dispatch_leave(struct dispatch *dispatch);
/* The connection is open. */
void dispatch_connected(struct dispatch *dispatch);
/* The member answers. */
void dispatch_succeeded(struct dispatch *dispatch);
/* And its final answer has STATUS. Not after dispatch_settle, as are the next two. */
void dispatch_answered(struct dispatch *dispatch, unsigned status);
/* The member closed a fresh connection without a byte, and that was the last attempt. */
void dispatch_was_empty(struct dispatch *dispatch);
/* The member did not begin to answer in time. */
void dispatch_timed_out(struct dispatch *dispatch);
/* Connecting failed or took too long: counts it and closes. */
void dispatch_connect_failed(struct dispatch *dispatch);
/* There will be no other attempt: lets go of the generation, which would stay in memory as long
 * as a connection may live, and of each one that comes meanwhile another. Idempotent. */
void dispatch_settle(struct dispatch *dispatch);
/* Why DISPATCH_FAILED. */
enum termination dispatch_failure(const struct dispatch *dispatch);
/* Gives the connection back: kept for others when REUSABLE, else closed. */
void dispatch_release(struct dispatch *dispatch, bool reusable);
/* Aborts what is open and lets go of the generation. Idempotent. */
void dispatch_finish(struct dispatch *dispatch);
struct member_counters *dispatch_counters(const struct dispatch *dispatch);

#endif
