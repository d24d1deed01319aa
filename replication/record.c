#include "replication/record.h"

#include "lbnode/base/text.h"
#include "replication/memory.h"

#include <string.h>

/* Field numbers of the body. */
enum {
    BODY_STREAM = 1,
    BODY_SEQ = 2,
    BODY_PREVIOUS = 3,
    BODY_HLC = 4,
    BODY_WALL = 5,
    BODY_DEP = 6,
    BODY_OPENED = 7,
    BODY_KIND = 8,
    BODY_CHANGE_ID = 9,
    BODY_AUTHOR = 10,
    BODY_COMMENT = 11,
    BODY_MIN_LEVEL = 12,
    BODY_OP = 20,

    OP_ANEW = 1 /* a flag */
};

static const char signature_context[] = "lbnode-record-v1";

static struct bytes text_view(const char *text)
{
    return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static bool copy_uuid(const struct wire_field *field, struct uuid *out)
{
    if (field->type != WIRE_BYTES || field->bytes.size != sizeof(out->bytes))
        return false;
    memcpy(out->bytes, field->bytes.data, sizeof(out->bytes));
    return true;
}

/* ---- reading ---------------------------------------------------------------------------- */

static bool parse_opened(struct bytes in, struct record *out)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    unsigned seen = 0;
    while (wire_next(&reader, &field)) {
        if (field.number == 1 && copy_uuid(&field, &out->node_id)) {
            seen |= 1;
        } else if (field.number == 2 && field.type == WIRE_BYTES &&
                   field.bytes.size == RECORD_KEY_ID_SIZE) {
            memcpy(out->key_id, field.bytes.data, RECORD_KEY_ID_SIZE);
            seen |= 2;
        } else if (field.number == 3 && field.type == WIRE_VARINT) {
            out->incarnation = field.integer;
            seen |= 4;
        }
    }
    return wire_ended(&reader) && seen == 7;
}

static bool is_text(struct bytes in, size_t maximum)
{
    return in.size <= maximum && text_is_clean_utf8((const char *)in.data, in.size);
}

static bool parse_author(struct bytes in, struct record *out)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        if (field.type != WIRE_BYTES || !is_text(field.bytes, RECORD_AUTHOR_MAXIMUM))
            return false;
        if (field.number == 1)
            out->author = field.bytes;
        else if (field.number == 3)
            out->via = field.bytes;
    }
    return wire_ended(&reader);
}

static bool parse_op(struct bytes in, struct record_op *out)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    unsigned seen = 0;
    *out = (struct record_op){0};
    while (wire_next(&reader, &field)) {
        bool valid = true;
        switch (field.number) {
        case 1: valid = copy_uuid(&field, &out->object_id); break;
        case 2:
            valid = field.type == WIRE_VARINT && field.integer > 0 && field.integer <= 255;
            out->type = (uint8_t)field.integer;
            break;
        case 3:
            valid = field.type == WIRE_VARINT && field.integer <= UINT16_MAX;
            out->facet = (uint16_t)field.integer;
            break;
        case 4:
            valid = field.type == WIRE_BYTES && field.bytes.size <= CHANGE_VALUE_MAXIMUM_SIZE;
            out->value = field.bytes;
            break;
        case 5: out->anew = field.type == WIRE_VARINT && field.integer & OP_ANEW; break;
        case 6: valid = copy_uuid(&field, &out->owner); break;
        }
        if (!valid)
            return false;
        if (field.number <= 4)
            seen |= 1u << field.number;
    }
    return wire_ended(&reader) && seen == 0x1e;
}

/* Remembers where the run of fields with this number begins. */
static void note_run(struct wire_reader *run, const struct wire_reader *before, uint32_t last)
{
    if (!run->at) {
        *run = *before;
        run->last_number = last;
    }
}

static bool read_repeated(struct record *out,
                          const struct wire_reader *before,
                          const struct wire_field *field,
                          size_t *dep_count)
{
    struct dot dot;
    struct record_op op;
    if (field->type != WIRE_BYTES)
        return false;
    if (field->number == BODY_DEP) {
        note_run(&out->deps, before, BODY_DEP);
        return dot_parse(field->bytes, &dot) && ++*dep_count <= RECORD_DEPENDENCIES_MAXIMUM;
    }
    note_run(&out->ops, before, BODY_OP);
    if (!parse_op(field->bytes, &op))
        return false;
    out->makes_anew |= op.anew && op.facet == FACET_LIFE;
    return ++out->op_count <= CHANGE_SET_MAXIMUM_OPS;
}

static bool read_integer(const struct wire_field *field, enum wire_type type, uint64_t *out)
{
    *out = field->integer;
    return field->type == type;
}

static bool read_field(struct record *out, const struct wire_field *field)
{
    uint64_t integer;
    switch (field->number) {
    case BODY_STREAM: return read_integer(field, WIRE_FIXED64, &out->stream);
    case BODY_SEQ: return read_integer(field, WIRE_VARINT, &out->seq);
    case BODY_HLC: return read_integer(field, WIRE_FIXED64, &out->hlc);
    case BODY_WALL: return read_integer(field, WIRE_VARINT, &out->wall_ms);
    case BODY_PREVIOUS:
        out->previous_hash = field->bytes.data;
        return field->type == WIRE_BYTES && field->bytes.size == HASH_SIZE;
    case BODY_OPENED: return field->type == WIRE_BYTES && parse_opened(field->bytes, out);
    case BODY_KIND:
        out->kind = (enum record_kind)field->integer;
        return read_integer(field, WIRE_VARINT, &integer) && integer >= RECORD_CONFIG &&
               integer <= RECORD_CONTROL;
    case BODY_CHANGE_ID: return copy_uuid(field, &out->change_id);
    case BODY_AUTHOR: return field->type == WIRE_BYTES && parse_author(field->bytes, out);
    case BODY_COMMENT:
        return field->type == WIRE_BYTES && is_text(field->bytes, RECORD_COMMENT_MAXIMUM);
    default: return true; /* a newer node's: kept in the bytes, not understood */
    }
}

bool record_parse(struct bytes whole, struct record *out)
{
    *out = (struct record){.whole = whole};
    if (whole.size <= SIGNATURE_SIZE || whole.size > RECORD_MAXIMUM_SIZE)
        return false;
    out->body = (struct bytes){whole.data, whole.size - SIGNATURE_SIZE};
    out->signature = whole.data + out->body.size;
    struct wire_reader reader = wire_reader_of(out->body), before = reader;
    struct wire_field field;
    uint32_t seen = 0, last = 0;
    size_t dep_count = 0;
    for (; wire_next(&reader, &field); before = reader) {
        bool repeated = field.number == BODY_DEP || field.number == BODY_OP;
        if (!repeated && field.number == last && last <= BODY_OP)
            return false;
        last = field.number;
        if (repeated ? !read_repeated(out, &before, &field, &dep_count)
                     : !read_field(out, &field))
            return false;
        if (field.number < 32)
            seen |= 1u << field.number;
    }
    const uint32_t always = 1u << BODY_STREAM | 1u << BODY_SEQ | 1u << BODY_HLC |
                            1u << BODY_WALL | 1u << BODY_KIND | 1u << BODY_CHANGE_ID;
    const uint32_t opening = 1u << BODY_OPENED, following = 1u << BODY_PREVIOUS;
    return wire_ended(&reader) && (seen & always) == always && out->stream != 0 &&
           out->seq != 0 &&
           (seen & (opening | following)) == (out->seq == 1 ? opening : following);
}

bool record_next_dep(struct wire_reader *deps, struct dot *out)
{
    struct wire_field field;
    return deps->at && wire_next(deps, &field) && field.number == BODY_DEP &&
           dot_parse(field.bytes, out);
}

bool record_next_op(struct wire_reader *ops, struct record_op *out)
{
    struct wire_field field;
    return ops->at && wire_next(ops, &field) && field.number == BODY_OP &&
           parse_op(field.bytes, out);
}

/* ---- writing ---------------------------------------------------------------------------- */

static void put_uuid(struct wire_writer *writer, uint32_t number, const struct uuid *id)
{
    wire_put_bytes(writer, number, (struct bytes){id->bytes, sizeof(id->bytes)});
}

static void put_op(struct wire_writer *writer, const struct change_op *op)
{
    size_t mark = wire_begin(writer, BODY_OP);
    put_uuid(writer, 1, &op->object_id);
    wire_put_varint(writer, 2, op->type);
    wire_put_varint(writer, 3, op->facet);
    wire_put_bytes(writer, 4, (struct bytes){op->value, op->value_size});
    if (op->anew)
        wire_put_varint(writer, 5, OP_ANEW);
    if (!uuid_is_zero(&op->owner))
        put_uuid(writer, 6, &op->owner);
    wire_end(writer, mark);
}

static void put_head(struct wire_writer *writer, const struct record_draft *draft)
{
    wire_put_fixed64(writer, BODY_STREAM, draft->stream);
    wire_put_varint(writer, BODY_SEQ, draft->seq);
    if (draft->seq > 1)
        wire_put_bytes(writer, BODY_PREVIOUS, (struct bytes){draft->previous_hash, HASH_SIZE});
    wire_put_fixed64(writer, BODY_HLC, draft->hlc);
    wire_put_varint(writer, BODY_WALL, draft->wall_ms);
    vv_put(writer, BODY_DEP, draft->deps);
    if (draft->seq == 1) {
        size_t mark = wire_begin(writer, BODY_OPENED);
        put_uuid(writer, 1, &draft->node_id);
        wire_put_bytes(writer, 2, (struct bytes){draft->key_id, RECORD_KEY_ID_SIZE});
        wire_put_varint(writer, 3, draft->incarnation);
        wire_end(writer, mark);
    }
}

bool record_build(const struct record_draft *draft,
                  const struct uuid *cluster_id,
                  const struct sign_key *key,
                  struct bytes *out)
{
    struct wire_writer writer = {.limit = RECORD_MAXIMUM_SIZE};
    put_head(&writer, draft);
    wire_put_varint(&writer, BODY_KIND, draft->kind);
    put_uuid(&writer, BODY_CHANGE_ID, &draft->change_id);
    size_t mark = wire_begin(&writer, BODY_AUTHOR);
    wire_put_bytes(&writer, 1, text_view(draft->author));
    wire_put_bytes(&writer, 3, text_view(draft->via));
    wire_end(&writer, mark);
    wire_put_varint(&writer, BODY_MIN_LEVEL, 1);
    for (size_t i = 0; i < draft->changes->count; i++)
        put_op(&writer, &draft->changes->ops[i]);
    uint8_t signature[SIGNATURE_SIZE];
    struct bytes parts[] = {text_view(signature_context),
                            {cluster_id->bytes, sizeof(cluster_id->bytes)},
                            wire_written(&writer)};
    signature_make(key, parts, ARRAY_LENGTH(parts), signature);
    wire_append(&writer, signature, sizeof(signature));
    if (writer.failed) {
        wire_writer_free(&writer);
        return false;
    }
    *out = wire_written(&writer);
    return true;
}

bool record_verify(const struct record *record,
                   const struct uuid *cluster_id,
                   const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE])
{
    struct bytes parts[] = {text_view(signature_context),
                            {cluster_id->bytes, sizeof(cluster_id->bytes)},
                            record->body};
    return signature_verify(public_key, parts, ARRAY_LENGTH(parts), record->signature);
}

void record_hash(struct bytes whole, uint8_t out[HASH_SIZE])
{
    hash_make((struct bytes){0}, &whole, 1, out, HASH_SIZE);
}

void record_key_id(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                   uint8_t out[RECORD_KEY_ID_SIZE])
{
    struct bytes key = {public_key, SIGN_PUBLIC_KEY_SIZE};
    hash_make((struct bytes){0}, &key, 1, out, RECORD_KEY_ID_SIZE);
}
