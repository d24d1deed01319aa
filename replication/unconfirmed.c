/* Changes on probation: a row in the store's meta table, 'u' and the id of the change -> {1
 * when it is undone, wall ms, 2 how many ms after the change}. It comes in the change's own
 * transaction and goes in that of what undoes it, so neither is ever without the other. A
 * confirmation alone removes it, on the thread that commits. */
#include "replication/replication_internal.h"

#include "replication/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char META_UNCONFIRMED = 'u';

enum {
    ROW_KEY_SIZE = 17
};

/* A confirmation on its way to the disk. */
struct confirming {
    struct confirming *next;
    struct replication *replication;
    struct store *store;
    struct store_batch batch;
    struct uuid change_id;
    replication_done *done; /* NULL: nobody waits any more */
    void *context;
};

static void make_key(const struct uuid *change_id, uint8_t out[ROW_KEY_SIZE])
{
    out[0] = (uint8_t)META_UNCONFIRMED;
    memcpy(out + 1, change_id->bytes, 16);
}

void unconfirmed_put(const struct submit_options *options, struct store_batch *batch)
{
    uint8_t key[ROW_KEY_SIZE];
    if (options->undo_at_ms > 0) {
        struct wire_writer value = {0};
        make_key(&options->change_id, key);
        wire_put_varint(&value, 1, options->undo_at_ms);
        wire_put_varint(&value, 2, options->undo_after_ms);
        store_batch_put(batch, STORE_META, (struct bytes){key, ROW_KEY_SIZE},
                        wire_written(&value));
        wire_writer_free(&value);
    }
    if (!uuid_is_zero(&options->settles)) {
        make_key(&options->settles, key);
        store_batch_remove(batch, STORE_META, (struct bytes){key, ROW_KEY_SIZE});
    }
}

/* ---- reading ---------------------------------------------------------------------------- */

struct walk {
    const struct replication *replication;
    void (*visit)(void *context, const struct unconfirmed *change);
    void *context;
};

static bool is_being_confirmed(const struct replication *replication, const struct uuid *id)
{
    for (const struct confirming *at = replication->confirming; at; at = at->next)
        if (uuid_equal(&at->change_id, id))
            return true;
    return false;
}

static bool visit_row(void *context, struct bytes key, struct bytes value)
{
    const struct walk *walk = context;
    struct unconfirmed change = {0};
    struct wire_reader reader = wire_reader_of(value);
    struct wire_field field;
    if (key.size != ROW_KEY_SIZE || key.data[0] != (uint8_t)META_UNCONFIRMED)
        return false;
    memcpy(change.change_id.bytes, key.data + 1, 16);
    change.being_confirmed = is_being_confirmed(walk->replication, &change.change_id);
    while (wire_next(&reader, &field)) {
        if (field.number == 1 && field.type == WIRE_VARINT)
            change.undo_at_ms = field.integer;
        else if (field.number == 2 && field.type == WIRE_VARINT)
            change.undo_after_ms = field.integer;
    }
    walk->visit(walk->context, &change);
    return true;
}

void replication_visit_unconfirmed(const struct replication *replication,
                                   void (*visit)(void *context,
                                                 const struct unconfirmed *change),
                                   void *context)
{
    struct walk walk = {replication, visit, context};
    store_walk(replication->store, STORE_META, (struct bytes){(const uint8_t *)"u", 1},
               visit_row, &walk);
}

/* ---- confirming ------------------------------------------------------------------------- */

static int commit(void *argument)
{
    const struct confirming *confirming = argument;
    return store_commit(confirming->store, &confirming->batch);
}

static void unlink_confirming(struct confirming *confirming)
{
    struct confirming **at = &confirming->replication->confirming;
    while (*at != confirming)
        at = &(*at)->next;
    *at = confirming->next;
}

static void committed(void *argument, int result)
{
    struct confirming *confirming = argument;
    struct replication *replication = confirming->replication;
    struct error error = {0};
    unlink_confirming(confirming);
    replication->damaged |= result == -EBADMSG;
    if (result)
        error_set(&error, ERROR_REFUSED,
                  "The store cannot be written: %s. The change is still going to be undone.",
                  strerror(-result));
    if (confirming->done) {
        replication_unconfirmed_changed(replication);
        confirming->done(confirming->context, &error);
    }
    store_batch_free(&confirming->batch);
    free(confirming);
}

static bool is_waiting(const struct replication *replication, struct bytes key, int *result)
{
    struct wire_writer row = {0};
    *result = store_get(replication->store, STORE_META, key, &row);
    wire_writer_free(&row);
    return *result == 0;
}

bool replication_confirm(struct replication *replication,
                         const struct uuid *change_id,
                         replication_done *done,
                         void *context,
                         struct error *error)
{
    uint8_t key[ROW_KEY_SIZE];
    char id[UUID_TEXT_SIZE];
    int result;
    make_key(change_id, key);
    uuid_format(change_id, id);
    if (!is_waiting(replication, (struct bytes){key, ROW_KEY_SIZE}, &result))
        return result == -ENOENT
                   ? error_set(error, ERROR_NOT_FOUND,
                               "Change %s does not wait for a confirmation on this node.", id)
                   : error_set(error, ERROR_REFUSED, "The store cannot be read: %s.",
                               strerror(-result));
    struct confirming *confirming = memory_new(sizeof(*confirming));
    *confirming = (struct confirming){.next = replication->confirming,
                                      .replication = replication,
                                      .store = replication->store,
                                      .change_id = *change_id,
                                      .done = done,
                                      .context = context};
    store_batch_remove(&confirming->batch, STORE_META, (struct bytes){key, ROW_KEY_SIZE});
    replication->confirming = confirming;
    const struct errand errand = {commit, committed, confirming};
    if (replication_run_errand(replication, &errand))
        return true;
    unlink_confirming(confirming);
    store_batch_free(&confirming->batch);
    free(confirming);
    return error_set(error, ERROR_UNAVAILABLE,
                     "The disk is busy; try again. The change is still going to be undone.");
}

void unconfirmed_cancel(struct replication *replication)
{
    for (struct confirming *at = replication->confirming; at; at = at->next)
        at->done = NULL;
}

void replication_unconfirmed_changed(const struct replication *replication)
{
    if (replication->handler.unconfirmed)
        replication->handler.unconfirmed(replication->handler.context);
}
