/* Requests and connections that wait because all members of their pool are at their limits: a
 * line per worker, first come first served. A place that becomes free goes to the workers with
 * waiters in turn, so that no line starves beside a busier one. The lines belong to their
 * workers; what all share is atomic. */
#ifndef PROXY_WAIT_QUEUE_H
#define PROXY_WAIT_QUEUE_H

#include "lbnode/model/counter_board.h"

#include <stdbool.h>

/* Embedded by who waits; zero before the first use. */
struct waiter {
    struct waiter *next, *previous;
    struct wait_line *line; /* NULL: not waiting */
};

struct wait_queue;

struct wait_line {
    struct waiter *first, *last;
    struct wait_queue *queue;
    struct wait_line *next, *previous; /* of the worker's lines with somebody in them */
    uint64_t pass;                     /* of wait_lines_next */
};

/* Of one pool. */
struct wait_queue {
    _Atomic uint32_t count;   /* who waits, in all lines */
    _Atomic uint32_t turn;    /* of the workers */
    _Atomic uint64_t workers; /* a bit for each whose line is not empty */
    /* The member whose place became free last: its number + 1 above its slot; 0: none. */
    _Atomic uint64_t freed;
    struct wait_line lines[WORKERS_MAXIMUM];
};

/* The lines of one worker that are not empty. */
struct wait_lines {
    struct wait_line *first, *last;
    uint64_t pass;
};

/* NULL when out of memory; the pool's runtime frees it. */
struct wait_queue *wait_queue_new(void);
/* At the end of the line, or at its FRONT: it had its turn already. */
void wait_queue_add(struct wait_queue *queue,
                    uint32_t worker,
                    struct wait_lines *lines,
                    struct waiter *waiter,
                    bool front);
/* Idempotent. */
void wait_queue_remove(struct waiter *waiter, uint32_t worker, struct wait_lines *lines);
/* Whose turn it is to take a place; -1: nobody waits. */
int wait_queue_next_worker(struct wait_queue *queue);

/* Walks the lines that are not empty, each once, whatever happens to them meanwhile: begin,
 * then next until it is NULL. */
void wait_lines_begin(struct wait_lines *lines);
struct wait_line *wait_lines_next(struct wait_lines *lines);

#endif
