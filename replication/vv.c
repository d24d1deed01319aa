#include "replication/vv.h"

#include "lbnode/crypto/crypto.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

/* The position of STREAM, or where it would stand. */
static size_t position_of(const struct vv *vv, uint64_t stream)
{
    size_t low = 0, high = vv->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (vv->entries[middle].stream < stream)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t vv_get(const struct vv *vv, uint64_t stream)
{
    size_t at = position_of(vv, stream);
    return at < vv->count && vv->entries[at].stream == stream ? vv->entries[at].seq : 0;
}

bool vv_raise(struct vv *vv, uint64_t stream, uint64_t seq)
{
    size_t at = position_of(vv, stream);
    if (at < vv->count && vv->entries[at].stream == stream) {
        if (vv->entries[at].seq >= seq)
            return false;
        vv->entries[at].seq = seq;
        return true;
    }
    if (seq == 0)
        return false;
    vv->entries = memory_grow(vv->entries, vv->count, &vv->capacity, sizeof(*vv->entries));
    memmove(vv->entries + at + 1, vv->entries + at, (vv->count - at) * sizeof(*vv->entries));
    vv->entries[at] = (struct dot){stream, seq};
    vv->count++;
    return true;
}

bool vv_merge(struct vv *vv, const struct vv *other)
{
    bool rose = false;
    for (size_t i = 0; i < other->count; i++)
        rose |= vv_raise(vv, other->entries[i].stream, other->entries[i].seq);
    return rose;
}

void vv_copy(struct vv *to, const struct vv *from)
{
    to->count = 0;
    vv_merge(to, from);
}

bool vv_covers(const struct vv *vv, const struct vv *other)
{
    for (size_t i = 0; i < other->count; i++)
        if (vv_get(vv, other->entries[i].stream) < other->entries[i].seq)
            return false;
    return true;
}

bool vv_equal(const struct vv *a, const struct vv *b)
{
    return a->count == b->count && vv_covers(a, b) && vv_covers(b, a);
}

uint64_t vv_digest(const struct vv *vv)
{
    size_t size = vv->count * 16;
    uint8_t *canonical = memory_new(size);
    for (size_t i = 0; i < vv->count; i++) {
        store_be64(canonical + 16 * i, vv->entries[i].stream);
        store_be64(canonical + 16 * i + 8, vv->entries[i].seq);
    }
    uint8_t digest[8];
    hash_make((struct bytes){0}, &(struct bytes){canonical, size}, 1, digest, sizeof(digest));
    free(canonical);
    return load_be64(digest);
}

void vv_free(struct vv *vv)
{
    free(vv->entries);
    *vv = (struct vv){0};
}

void vv_put(struct wire_writer *writer, uint32_t number, const struct vv *vv)
{
    for (size_t i = 0; i < vv->count; i++) {
        size_t mark = wire_begin(writer, number);
        wire_put_fixed64(writer, 1, vv->entries[i].stream);
        wire_put_varint(writer, 2, vv->entries[i].seq);
        wire_end(writer, mark);
    }
}

bool dot_parse(struct bytes in, struct dot *out)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    *out = (struct dot){0};
    while (wire_next(&reader, &field)) {
        if (field.number == 1 && field.type == WIRE_FIXED64)
            out->stream = field.integer;
        else if (field.number == 2 && field.type == WIRE_VARINT)
            out->seq = field.integer;
    }
    return wire_ended(&reader) && out->stream != 0 && out->seq != 0;
}

bool vv_parse(struct bytes in, uint32_t number, struct vv *out)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    struct dot dot = {0};
    uint64_t last = 0;
    *out = (struct vv){0};
    while (wire_next(&reader, &field)) {
        if (field.number != number)
            continue;
        if (field.type != WIRE_BYTES || !dot_parse(field.bytes, &dot) || dot.stream <= last ||
            out->count >= VV_MAXIMUM_ENTRIES)
            goto refuse;
        last = dot.stream;
        vv_raise(out, dot.stream, dot.seq);
    }
    if (wire_ended(&reader))
        return true;
refuse:
    vv_free(out);
    return false;
}
