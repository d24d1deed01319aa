/* The writer thread: commits batches one at a time, so that no slow disk delays the loop, and
 * tells the loop through an eventfd. */
#ifndef REPLICATION_WRITER_H
#define REPLICATION_WRITER_H

#include "lbnode/loop/loop.h"
#include "replication/store.h"

struct writer;

/* STORE stays the caller's. NULL when there is no thread or descriptor. */
struct writer *writer_new(struct loop *loop,
                          struct store *store,
                          void (*on_done)(void *context, int result),
                          void *context);
/* Takes BATCH over. One at a time: not before on_done of the previous one. */
void writer_commit(struct writer *writer, struct store_batch *batch);
void writer_free(struct writer *writer); /* waits for the running commit; NULL-safe */

#endif
