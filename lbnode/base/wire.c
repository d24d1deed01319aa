#include "lbnode/base/wire.h"

#include <stdlib.h>
#include <string.h>

struct wire_reader wire_reader_of(struct bytes in)
{
    return (struct wire_reader){.at = in.data, .end = in.data ? in.data + in.size : NULL};
}

static bool fail(struct wire_reader *reader)
{
    reader->failed = true;
    return false;
}

bool wire_read_varint(struct wire_reader *reader, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 10 && reader->at < reader->end; i++) {
        uint8_t byte = *reader->at++;
        if (i == 9 && byte > 1)
            return fail(reader);
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0)
            return fail(reader); /* a shorter encoding exists */
        *out = value;
        return true;
    }
    return fail(reader);
}

static bool read_value(struct wire_reader *reader, struct wire_field *out)
{
    size_t left = (size_t)(reader->end - reader->at);
    switch (out->type) {
    case WIRE_VARINT: return wire_read_varint(reader, &out->integer);
    case WIRE_FIXED64:
        if (left < 8)
            return fail(reader);
        out->integer = load_le64(reader->at);
        reader->at += 8;
        return true;
    case WIRE_BYTES:
        if (!wire_read_varint(reader, &out->integer))
            return false;
        left = (size_t)(reader->end - reader->at);
        if (out->integer > left)
            return fail(reader);
        out->bytes = (struct bytes){reader->at, (size_t)out->integer};
        reader->at += out->integer;
        return true;
    }
    return fail(reader);
}

bool wire_next(struct wire_reader *reader, struct wire_field *out)
{
    uint64_t tag;
    if (reader->failed || reader->at == reader->end || !wire_read_varint(reader, &tag))
        return false;
    uint64_t number = tag >> 3;
    if (number == 0 || number >= WIRE_MAXIMUM_FIELD || number < reader->last_number ||
        (tag & 7) > WIRE_BYTES)
        return fail(reader);
    reader->last_number = (uint32_t)number;
    *out = (struct wire_field){.number = (uint32_t)number, .type = (enum wire_type)(tag & 7)};
    return read_value(reader, out);
}

bool wire_ended(const struct wire_reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

static bool reserve(struct wire_writer *writer, size_t more)
{
    size_t limit = writer->limit ? writer->limit : (size_t)64 << 20;
    if (writer->failed || more > limit || writer->size > limit - more) {
        writer->failed = true;
        return false;
    }
    size_t wanted = writer->size + more;
    if (wanted <= writer->capacity)
        return true;
    size_t capacity = writer->capacity ? writer->capacity : 64;
    while (capacity < wanted)
        capacity *= 2;
    uint8_t *data = realloc(writer->data, capacity);
    if (!data) {
        writer->failed = true;
        return false;
    }
    writer->data = data;
    writer->capacity = capacity;
    return true;
}

void wire_append(struct wire_writer *writer, const void *data, size_t size)
{
    if (size == 0 || !reserve(writer, size))
        return;
    memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

uint8_t *wire_extend(struct wire_writer *writer, size_t size)
{
    if (!reserve(writer, size > 0 ? size : 1))
        return NULL;
    uint8_t *room = writer->data + writer->size;
    writer->size += size;
    return room;
}

static size_t encode_varint(uint64_t value, uint8_t out[10])
{
    size_t size = 0;
    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

void wire_append_varint(struct wire_writer *writer, uint64_t value)
{
    uint8_t encoded[10];
    wire_append(writer, encoded, encode_varint(value, encoded));
}

static void append_tag(struct wire_writer *writer, uint32_t number, enum wire_type type)
{
    wire_append_varint(writer, (uint64_t)number << 3 | type);
}

void wire_put_varint(struct wire_writer *writer, uint32_t number, uint64_t value)
{
    append_tag(writer, number, WIRE_VARINT);
    wire_append_varint(writer, value);
}

void wire_put_fixed64(struct wire_writer *writer, uint32_t number, uint64_t value)
{
    uint8_t encoded[8];
    store_le64(encoded, value);
    append_tag(writer, number, WIRE_FIXED64);
    wire_append(writer, encoded, sizeof(encoded));
}

void wire_put_bytes(struct wire_writer *writer, uint32_t number, struct bytes value)
{
    append_tag(writer, number, WIRE_BYTES);
    wire_append_varint(writer, value.size);
    wire_append(writer, value.data, value.size);
}

void wire_put_text(struct wire_writer *writer, uint32_t number, const char *text)
{
    wire_put_bytes(writer, number, (struct bytes){(const uint8_t *)text, strlen(text)});
}

size_t wire_begin(struct wire_writer *writer, uint32_t number)
{
    append_tag(writer, number, WIRE_BYTES);
    return writer->size;
}

void wire_end(struct wire_writer *writer, size_t mark)
{
    if (writer->failed)
        return;
    uint8_t length[10];
    size_t content = writer->size - mark;
    size_t length_size = encode_varint(content, length);
    if (!reserve(writer, length_size))
        return;
    memmove(writer->data + mark + length_size, writer->data + mark, content);
    memcpy(writer->data + mark, length, length_size);
    writer->size += length_size;
}

struct bytes wire_written(const struct wire_writer *writer)
{
    return (struct bytes){writer->data, writer->failed ? 0 : writer->size};
}

void wire_writer_free(struct wire_writer *writer)
{
    free(writer->data);
    *writer = (struct wire_writer){.limit = writer->limit};
}
