#include "replication/snapshot_frames.h"

#include <string.h>

enum {
    DEAD_SIZE = 4,
    REPLACED_HEAD = 4 + 4,
    DOT_SIZE = 8 + 8
};

/* ---- reading ---------------------------------------------------------------------------- */

static bool take_hash(const struct wire_field *field, uint8_t out[HASH_SIZE])
{
    if (field->type != WIRE_BYTES || field->bytes.size != HASH_SIZE)
        return false;
    memcpy(out, field->bytes.data, HASH_SIZE);
    return true;
}

static bool take_number(const struct wire_field *field, uint64_t most, uint64_t *out)
{
    *out = field->integer;
    return field->type == WIRE_VARINT && field->integer <= most;
}

static bool take_fixed64(const struct wire_field *field, uint64_t *out)
{
    *out = field->integer;
    return field->type == WIRE_FIXED64;
}

static bool take_bytes(const struct wire_field *field, size_t most, struct bytes *out)
{
    *out = field->bytes;
    return field->type == WIRE_BYTES && field->bytes.size <= most;
}

/* Numbers of operations, ascending. */
static bool take_dead(const struct wire_field *field, struct bytes *out)
{
    if (!take_bytes(field, (size_t)CHANGE_SET_MAXIMUM_OPS * DEAD_SIZE, out) || out->size == 0 ||
        out->size % DEAD_SIZE != 0)
        return false;
    for (size_t at = DEAD_SIZE; at < out->size; at += DEAD_SIZE)
        if (load_be32(out->data + at) <= load_be32(out->data + at - DEAD_SIZE))
            return false;
    return true;
}

/* Entries whole, operations ascending. */
static bool take_replaced(const struct wire_field *field, struct bytes *out)
{
    int64_t last = -1;
    if (!take_bytes(field, RECORD_MAXIMUM_SIZE, out) || out->size == 0)
        return false;
    for (size_t at = 0; at < out->size;) {
        if (out->size - at < REPLACED_HEAD || (int64_t)load_be32(out->data + at) <= last)
            return false;
        last = load_be32(out->data + at);
        size_t count = load_be32(out->data + at + 4);
        at += REPLACED_HEAD;
        if (count > (out->size - at) / DOT_SIZE)
            return false;
        at += count * DOT_SIZE;
    }
    return true;
}

static bool take_field(const struct wire_field *field, struct snapshot_part *out)
{
    if (field->number == 1)
        return take_fixed64(field, &out->transfer) && out->transfer != 0;
    switch (out->kind << 8 | field->number) {
    case SNAPSHOT_BEGIN << 8 | 2: return take_number(field, UINT64_MAX, &out->schema);
    case SNAPSHOT_BEGIN << 8 | 3:
    case SNAPSHOT_END << 8 | 3: return take_hash(field, out->state_hash);
    case SNAPSHOT_BEGIN << 8 | 4:
        return take_number(field, SNAPSHOT_STREAMS_MAXIMUM, &out->streams);
    case SNAPSHOT_BEGIN << 8 | 5:
    case SNAPSHOT_END << 8 | 5: return take_number(field, UINT64_MAX, &out->records);
    case SNAPSHOT_BEGIN << 8 | 6: return take_fixed64(field, &out->hlc);
    case SNAPSHOT_STREAM << 8 | 2: return take_fixed64(field, &out->stream) && out->stream != 0;
    case SNAPSHOT_STREAM << 8 | 3: return take_bytes(field, SIZE_MAX, &out->row);
    case SNAPSHOT_RECORD << 8 | 2: return take_bytes(field, RECORD_MAXIMUM_SIZE, &out->record);
    case SNAPSHOT_RECORD << 8 | 3: return take_dead(field, &out->dead);
    case SNAPSHOT_RECORD << 8 | 4: return take_replaced(field, &out->replaced);
    default: return false;
    }
}

static uint32_t needed_fields(enum snapshot_kind kind)
{
    switch (kind) {
    case SNAPSHOT_BEGIN: return 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6;
    case SNAPSHOT_STREAM: return 1u << 1 | 1u << 2 | 1u << 3;
    case SNAPSHOT_RECORD: return 1u << 1 | 1u << 2;
    case SNAPSHOT_END: return 1u << 1 | 1u << 3 | 1u << 5;
    }
    return UINT32_MAX;
}

bool snapshot_part_parse(uint32_t frame_type, struct bytes body, struct snapshot_part *out)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    uint32_t seen = 0;
    *out = (struct snapshot_part){.kind = (enum snapshot_kind)frame_type};
    if (frame_type < SNAPSHOT_BEGIN || frame_type > SNAPSHOT_END)
        return false;
    while (wire_next(&reader, &field)) {
        if (field.number > 31 || seen >> field.number & 1 || !take_field(&field, out))
            return false;
        seen |= 1u << field.number;
    }
    uint32_t needed = needed_fields(out->kind);
    return wire_ended(&reader) && (seen & needed) == needed;
}

bool snapshot_part_is_dead(const struct snapshot_part *part, uint32_t op_index, size_t *cursor)
{
    while (*cursor < part->dead.size && load_be32(part->dead.data + *cursor) < op_index)
        *cursor += DEAD_SIZE;
    return *cursor < part->dead.size && load_be32(part->dead.data + *cursor) == op_index;
}

bool snapshot_part_replaced(const struct snapshot_part *part,
                            uint32_t op_index,
                            size_t *cursor,
                            struct bytes *out)
{
    const struct bytes *all = &part->replaced;
    while (*cursor < all->size) {
        uint32_t index = load_be32(all->data + *cursor);
        size_t size = (size_t)load_be32(all->data + *cursor + 4) * DOT_SIZE;
        if (index > op_index)
            return false;
        *out = (struct bytes){all->data + *cursor + REPLACED_HEAD, size};
        *cursor += REPLACED_HEAD + size;
        if (index == op_index)
            return true;
    }
    return false;
}

/* ---- writing ---------------------------------------------------------------------------- */

void snapshot_part_put(struct wire_writer *out, const struct snapshot_part *part)
{
    const struct bytes hash = {part->state_hash, HASH_SIZE};
    wire_put_fixed64(out, 1, part->transfer);
    switch (part->kind) {
    case SNAPSHOT_BEGIN:
        wire_put_varint(out, 2, part->schema);
        wire_put_bytes(out, 3, hash);
        wire_put_varint(out, 4, part->streams);
        wire_put_varint(out, 5, part->records);
        wire_put_fixed64(out, 6, part->hlc);
        break;
    case SNAPSHOT_STREAM:
        wire_put_fixed64(out, 2, part->stream);
        wire_put_bytes(out, 3, part->row);
        break;
    case SNAPSHOT_RECORD:
        wire_put_bytes(out, 2, part->record);
        if (part->dead.size > 0)
            wire_put_bytes(out, 3, part->dead);
        if (part->replaced.size > 0)
            wire_put_bytes(out, 4, part->replaced);
        break;
    case SNAPSHOT_END:
        wire_put_bytes(out, 3, hash);
        wire_put_varint(out, 5, part->records);
        break;
    }
}
