/* What history.c (questions about the past), history_read.c (the index) and audit.c share. */
#ifndef REPLICATION_HISTORY_INTERNAL_H
#define REPLICATION_HISTORY_INTERNAL_H

#include "replication/history_index.h"
#include "replication/replication_internal.h"

struct history_waiter {
    replication_done *done;
    void *context;
};

struct audit;

struct history {
    struct replication *replication;
    struct history_index index;
    struct loop_timer timer; /* the next slice of the log */
    struct vv target;        /* the index is extended up to here */
    struct history_waiter *waiters;
    size_t waiter_count, waiter_capacity;
    struct audit *audits; /* under way */
};

/* One of a kind, made at the first use. */
struct history *history_of(struct replication *replication);
/* The log was replaced: what is known of it is void. */
void history_forget(struct replication *replication);
/* Nobody is called back any more. NULL-safe. */
void history_free(struct replication *replication);

/* audit.c */
void audits_free(struct audit *audits);

#endif
