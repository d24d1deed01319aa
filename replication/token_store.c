#include "replication/token_store.h"

#include <string.h>

enum {
    TOKEN_KEY_SIZE = 1 + TOKEN_ID_SIZE,
    FINGERPRINT_KEY_SIZE = 1 + 16
};

static const uint8_t META_TOKEN = 't', META_FINGERPRINT = 'f';

static struct bytes token_key(const uint8_t id[TOKEN_ID_SIZE], uint8_t room[TOKEN_KEY_SIZE])
{
    room[0] = META_TOKEN;
    memcpy(room + 1, id, TOKEN_ID_SIZE);
    return (struct bytes){room, TOKEN_KEY_SIZE};
}

/* ---- tokens ----------------------------------------------------------------------------- */

void token_row_put(struct store_batch *batch, const struct token_row *row)
{
    struct wire_writer value = {0};
    uint8_t key[TOKEN_KEY_SIZE];
    wire_put_bytes(&value, 1, (struct bytes){row->psk, TOKEN_PSK_SIZE});
    wire_put_varint(&value, 2, row->expires_wall_ms);
    wire_put_varint(&value, 3, row->wrong_proofs);
    wire_put_varint(&value, 4, row->created_wall_ms);
    if (!uuid_is_zero(&row->used_by)) {
        wire_put_bytes(&value, 5, (struct bytes){row->used_by.bytes, 16});
        wire_put_bytes(&value, 6, (struct bytes){row->used_key, SIGN_PUBLIC_KEY_SIZE});
    }
    store_batch_put(batch, STORE_META, token_key(row->id, key), wire_written(&value));
    if (value.data)
        secret_wipe(value.data, value.size);
    wire_writer_free(&value);
}

void token_row_remove(struct store_batch *batch, const uint8_t id[TOKEN_ID_SIZE])
{
    uint8_t key[TOKEN_KEY_SIZE];
    store_batch_remove(batch, STORE_META, token_key(id, key));
}

int token_row_save(struct store *store, const struct token_row *row)
{
    struct store_batch batch = {0};
    token_row_put(&batch, row);
    int result = store_commit(store, &batch);
    store_batch_free(&batch);
    return result;
}

static bool copy_exactly(const struct wire_field *field, void *out, size_t size)
{
    if (field->type != WIRE_BYTES || field->bytes.size != size)
        return false;
    memcpy(out, field->bytes.data, size);
    return true;
}

static bool read_row(struct bytes value, struct token_row *out)
{
    struct wire_reader reader = wire_reader_of(value);
    struct wire_field field;
    bool has_psk = false;
    while (wire_next(&reader, &field)) {
        switch (field.number) {
        case 1: has_psk = copy_exactly(&field, out->psk, TOKEN_PSK_SIZE); break;
        case 2: out->expires_wall_ms = field.integer; break;
        case 3: out->wrong_proofs = field.integer; break;
        case 4: out->created_wall_ms = field.integer; break;
        case 5: copy_exactly(&field, out->used_by.bytes, 16); break;
        case 6: copy_exactly(&field, out->used_key, SIGN_PUBLIC_KEY_SIZE); break;
        default: break;
        }
    }
    return wire_ended(&reader) && has_psk;
}

bool token_row_load(struct store *store, const uint8_t id[TOKEN_ID_SIZE], struct token_row *out)
{
    struct wire_writer stored = {0};
    uint8_t key[TOKEN_KEY_SIZE];
    *out = (struct token_row){0};
    memcpy(out->id, id, TOKEN_ID_SIZE);
    bool found = store_get(store, STORE_META, token_key(id, key), &stored) == 0 &&
                 read_row(wire_written(&stored), out);
    if (stored.data)
        secret_wipe(stored.data, stored.size);
    wire_writer_free(&stored);
    return found;
}

static bool visit_token(void *context, struct bytes key, struct bytes value)
{
    struct token_rows *out = context;
    if (key.size != TOKEN_KEY_SIZE || key.data[0] != META_TOKEN)
        return false;
    struct token_row *row = &out->rows[out->count];
    *row = (struct token_row){0};
    memcpy(row->id, key.data + 1, TOKEN_ID_SIZE);
    read_row(value, row); /* what is malformed has expired long ago */
    return ++out->count < TOKENS_MAXIMUM;
}

void token_rows_load(struct store *store, struct token_rows *out)
{
    *out = (struct token_rows){0};
    store_walk(store, STORE_META, (struct bytes){&META_TOKEN, 1}, visit_token, out);
}

size_t token_rows_sweep(struct store *store, uint64_t now_wall_ms, struct store_batch *batch)
{
    struct token_rows found;
    size_t left = 0;
    token_rows_load(store, &found);
    for (size_t i = 0; i < found.count; i++) {
        if (found.rows[i].expires_wall_ms < now_wall_ms)
            token_row_remove(batch, found.rows[i].id);
        else
            left++;
    }
    secret_wipe(&found, sizeof(found));
    return left;
}

void token_rows_clear(struct store *store, struct store_batch *batch)
{
    token_rows_sweep(store, UINT64_MAX, batch);
}

/* ---- fingerprints ----------------------------------------------------------------------- */

static struct bytes fingerprint_key(const struct uuid *node_id,
                                    uint8_t room[FINGERPRINT_KEY_SIZE])
{
    room[0] = META_FINGERPRINT;
    memcpy(room + 1, node_id->bytes, 16);
    return (struct bytes){room, FINGERPRINT_KEY_SIZE};
}

void fingerprint_row_put(struct store_batch *batch,
                         const struct uuid *node_id,
                         const uint8_t fingerprint[FINGERPRINT_SIZE])
{
    uint8_t key[FINGERPRINT_KEY_SIZE];
    store_batch_put(batch, STORE_META, fingerprint_key(node_id, key),
                    (struct bytes){fingerprint, FINGERPRINT_SIZE});
}

bool fingerprint_row_load(struct store *store,
                          const struct uuid *node_id,
                          uint8_t out[FINGERPRINT_SIZE])
{
    struct wire_writer stored = {0};
    uint8_t key[FINGERPRINT_KEY_SIZE];
    bool found = store_get(store, STORE_META, fingerprint_key(node_id, key), &stored) == 0 &&
                 stored.size == FINGERPRINT_SIZE;
    if (found)
        memcpy(out, stored.data, FINGERPRINT_SIZE);
    wire_writer_free(&stored);
    return found;
}
