/* The writer thread: commits batches one at a time, so that no slow disk delays the loop, and
 * tells the loop through an eventfd. */
#ifndef REPLICATION_WRITER_H
#define REPLICATION_WRITER_H

#include "lbnode/loop/loop.h"
#include "replication/errand.h"
#include "replication/store.h"

enum {
    WRITER_ERRANDS = 16 /* that wait at once */
};

struct writer;

/* STORE stays the caller's. NULL when there is no thread or descriptor. */
struct writer *writer_new(struct loop *loop,
                          struct store *store,
                          void (*on_done)(void *context, int result),
                          void *context);
/* Takes BATCH over. One at a time: not before on_done of the previous one. */
void writer_commit(struct writer *writer, struct store_batch *batch);
/* After the errands before it. A commit that comes meanwhile waits for one of them, one that
 * waits already goes first. False, and nothing is done, when too many wait. */
bool writer_run(struct writer *writer, const struct errand *errand);
/* Waits for the running commit, and for the errands, whose ends are told. NULL-safe. */
void writer_free(struct writer *writer);

#endif
