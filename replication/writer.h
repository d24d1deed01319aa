/* The writer thread: commits batches one at a time, so that no slow disk delays the loop, and
 * tells the loop through an eventfd. */
#ifndef REPLICATION_WRITER_H
#define REPLICATION_WRITER_H

#include "lbnode/loop/loop.h"
#include "replication/errand.h"
#include "replication/store.h"

struct writer;

/* STORE stays the caller's. NULL when there is no thread or descriptor. */
struct writer *writer_new(struct loop *loop,
                          struct store *store,
                          void (*on_done)(void *context, int result),
                          void *context);
/* Takes BATCH over. One at a time: not before on_done of the previous one. */
void writer_commit(struct writer *writer, struct store_batch *batch);
/* A commit that comes meanwhile waits for it, one that waits already goes first. False, and
 * nothing is done, while another errand is under way. */
bool writer_run(struct writer *writer, const struct errand *errand);
/* Waits for the running commit, and for an errand, whose end is told. NULL-safe. */
void writer_free(struct writer *writer);

#endif
