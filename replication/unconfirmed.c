/* Changes on probation: a row in the store's meta table, 'u' and the id of the change -> {1
 * when it is undone, wall ms, 2 how many ms after the change}. It comes in the change's own
 * transaction and goes in that of what undoes it, so neither is ever without the other. */
#include "replication/replication_internal.h"

#include <errno.h>
#include <string.h>

static const char META_UNCONFIRMED = 'u';

enum {
    KEY_SIZE = 17
};

static void make_key(const struct uuid *change_id, uint8_t out[KEY_SIZE])
{
    out[0] = (uint8_t)META_UNCONFIRMED;
    memcpy(out + 1, change_id->bytes, 16);
}

void unconfirmed_put(const struct submit_options *options, struct store_batch *batch)
{
    uint8_t key[KEY_SIZE];
    if (options->undo_at_ms > 0) {
        struct wire_writer value = {0};
        make_key(&options->change_id, key);
        wire_put_varint(&value, 1, options->undo_at_ms);
        wire_put_varint(&value, 2, options->undo_after_ms);
        store_batch_put(batch, STORE_META, (struct bytes){key, KEY_SIZE}, wire_written(&value));
        wire_writer_free(&value);
    }
    if (!uuid_is_zero(&options->settles)) {
        make_key(&options->settles, key);
        store_batch_remove(batch, STORE_META, (struct bytes){key, KEY_SIZE});
    }
}

struct walk {
    void (*visit)(void *context, const struct unconfirmed *change);
    void *context;
};

static bool visit_row(void *context, struct bytes key, struct bytes value)
{
    const struct walk *walk = context;
    struct unconfirmed change = {0};
    struct wire_reader reader = wire_reader_of(value);
    struct wire_field field;
    if (key.size != KEY_SIZE || key.data[0] != (uint8_t)META_UNCONFIRMED)
        return false;
    memcpy(change.change_id.bytes, key.data + 1, 16);
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
    struct walk walk = {visit, context};
    store_walk(replication->store, STORE_META, (struct bytes){(const uint8_t *)"u", 1},
               visit_row, &walk);
}

bool replication_confirm(struct replication *replication,
                         const struct uuid *change_id,
                         struct error *error)
{
    struct wire_writer row = {0};
    struct store_batch batch = {0};
    uint8_t key[KEY_SIZE];
    char id[UUID_TEXT_SIZE];
    make_key(change_id, key);
    uuid_format(change_id, id);
    int result = store_get(replication->store, STORE_META, (struct bytes){key, KEY_SIZE}, &row);
    wire_writer_free(&row);
    if (result == -ENOENT)
        return error_set(error, ERROR_NOT_FOUND,
                         "Change %s does not wait for a confirmation on this node.", id);
    store_batch_remove(&batch, STORE_META, (struct bytes){key, KEY_SIZE});
    if (!result)
        result = store_commit(replication->store, &batch);
    store_batch_free(&batch);
    return result == 0 || error_set(error, ERROR_REFUSED,
                                    "The store cannot be written: %s. The change is still "
                                    "going to be undone.",
                                    strerror(-result));
}
