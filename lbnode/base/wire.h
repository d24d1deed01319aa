/* Low-level encoding of everything that is signed, stored or sent: a strict subset of the
 * protobuf wire format (wire types 0, 1 and 2; ascending field numbers, repeated fields
 * adjacent; minimal varints). One valid encoding per value, so bytes can be compared and
 * hashed. */
#ifndef LBNODE_BASE_WIRE_H
#define LBNODE_BASE_WIRE_H

#include "lbnode/base/bytes.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1, /* little endian */
    WIRE_BYTES = 2,   /* length-delimited: bytes, text, nested messages */
};

enum {
    WIRE_MAXIMUM_FIELD = 1 << 16 /* field numbers are below */
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t integer;   /* VARINT, FIXED64 */
    struct bytes bytes; /* BYTES: a view into the input */
};

/* A cursor over const bytes; never allocates. */
struct wire_reader {
    const uint8_t *at, *end;
    uint32_t last_number;
    bool failed;
};

struct wire_reader wire_reader_of(struct bytes in);
/* The next field; false at the end and on malformed input. Ask wire_ended afterwards. */
bool wire_next(struct wire_reader *reader, struct wire_field *out);
/* True when all input was read and well-formed. */
bool wire_ended(const struct wire_reader *reader);
/* A bare minimal varint; false (and the reader failed) when malformed. */
bool wire_read_varint(struct wire_reader *reader, uint64_t *out);

/* A growing output buffer. Any failure (memory, limit) sticks in `failed`. */
struct wire_writer {
    uint8_t *data; /* owned; wire_writer_free or taken over by the caller */
    size_t size, capacity;
    size_t limit; /* bytes; 0 means 64 MiB */
    bool failed;
};

void wire_put_varint(struct wire_writer *writer, uint32_t number, uint64_t value);
void wire_put_fixed64(struct wire_writer *writer, uint32_t number, uint64_t value);
void wire_put_bytes(struct wire_writer *writer, uint32_t number, struct bytes value);
/* As bytes, without the terminator. */
void wire_put_text(struct wire_writer *writer, uint32_t number, const char *text);
/* A nested message: everything put between begin and end becomes the value of NUMBER. Begin
 * returns the mark that end wants. */
size_t wire_begin(struct wire_writer *writer, uint32_t number);
void wire_end(struct wire_writer *writer, size_t mark);
/* Without a tag: for framing and fixed trailers. */
void wire_append_varint(struct wire_writer *writer, uint64_t value);
void wire_append(struct wire_writer *writer, const void *data, size_t size);
/* SIZE more bytes, for the caller to fill; valid until something is put. NULL when it failed.
 */
uint8_t *wire_extend(struct wire_writer *writer, size_t size);
struct bytes wire_written(const struct wire_writer *writer);
void wire_writer_free(struct wire_writer *writer);

#endif
