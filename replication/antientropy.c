/* Reading the log. Answering a PULL: a merge of streams by hybrid clock stamp. A stamp is
 * greater than those of everything that its author had applied, so the order respects causality
 * (and where a broken clock spoils that, the receiver keeps early records pending). */
#include "replication/core.h"

#include "replication/memory.h"

#include <errno.h>
#include <stdlib.h>

struct head {
    uint64_t stream, next, last, hlc;
    struct wire_writer bytes;
};

/* Reads the next record of a stream; a head beyond its last has none. */
static int load_head(struct store *store, struct head *head)
{
    uint8_t key[16];
    struct record record;
    head->bytes.size = 0;
    if (head->next > head->last)
        return 0;
    store_be64(key, head->stream);
    store_be64(key + 8, head->next);
    int result = store_get(store, STORE_LOG, (struct bytes){key, sizeof(key)}, &head->bytes);
    if (result)
        return result;
    if (!record_parse(wire_written(&head->bytes), &record))
        return -EBADMSG;
    head->hlc = record.hlc;
    return 0;
}

static struct head *earliest(struct head *heads, size_t count)
{
    struct head *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (heads[i].next <= heads[i].last && (!best || heads[i].hlc < best->hlc))
            best = &heads[i];
    return best;
}

static int emit_in_order(struct store *store,
                         struct head *heads,
                         size_t count,
                         void (*emit)(void *context, struct bytes record),
                         void *context,
                         bool *out_more)
{
    size_t bytes = 0, records = 0;
    int result = 0;
    struct head *head;
    *out_more = false;
    while (!result && (head = earliest(heads, count))) {
        if (records > 0 && (records == PULL_RECORDS || bytes + head->bytes.size > PULL_BYTES)) {
            *out_more = true;
            break;
        }
        emit(context, wire_written(&head->bytes));
        bytes += head->bytes.size;
        records++;
        head->next++;
        result = load_head(store, head);
    }
    return result;
}

void pull_end(bool more, uint64_t number, struct wire_writer *out)
{
    wire_put_varint(out, 1, more);
    if (number)
        wire_put_fixed64(out, 2, number);
}

int pull_answer(struct store *store,
                struct bytes pull_body,
                const struct vv *upto,
                void (*emit)(void *context, struct bytes record),
                void *context,
                bool *out_more)
{
    struct vv have;
    size_t count = 0;
    int result = 0;
    *out_more = false;
    if (!vv_parse(pull_body, 1, &have))
        return -EBADMSG;
    struct head *heads = memory_new((upto->count + 1) * sizeof(*heads));
    for (size_t i = 0; i < upto->count && !result; i++) {
        const struct dot *dot = &upto->entries[i];
        uint64_t known = vv_get(&have, dot->stream);
        if (known >= dot->seq)
            continue;
        heads[count] =
            (struct head){.stream = dot->stream, .next = known + 1, .last = dot->seq};
        result = load_head(store, &heads[count++]);
    }
    if (!result)
        result = emit_in_order(store, heads, count, emit, context, out_more);
    for (size_t i = 0; i < count; i++)
        wire_writer_free(&heads[i].bytes);
    free(heads);
    vv_free(&have);
    return result;
}

/* ---- slices ----------------------------------------------------------------------------- */

static bool add_to_slice(void *context, struct bytes key, struct bytes value)
{
    struct log_slice *slice = context;
    if (slice->count == slice->wanted || slice->bytes >= LOG_SLICE_BYTES) {
        slice->ended = false;
        return false;
    }
    slice->records =
        memory_grow(slice->records, slice->count, &slice->capacity, sizeof(*slice->records));
    slice->records[slice->count++] =
        (struct bytes){memory_copy(value.data, value.size), value.size};
    slice->bytes += value.size;
    return true;
}

int log_slice_read(struct store *store, struct dot first, size_t rows, struct log_slice *out)
{
    uint8_t key[16];
    *out = (struct log_slice){.wanted = rows, .ended = true};
    store_be64(key, first.stream);
    store_be64(key + 8, first.seq);
    return store_walk(store, STORE_LOG, (struct bytes){key, sizeof(key)}, add_to_slice, out);
}

void log_slice_free(struct log_slice *slice)
{
    for (size_t i = 0; i < slice->count; i++)
        free((void *)(uintptr_t)slice->records[i].data);
    free(slice->records);
    *slice = (struct log_slice){0};
}
