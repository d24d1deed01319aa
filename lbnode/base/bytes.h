/* Views of byte strings and little/big-endian access. A view never owns its memory. */
#ifndef LBNODE_BASE_BYTES_H
#define LBNODE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member)                                                    \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

bool bytes_equal(struct bytes a, struct bytes b);

/* Lower-case hexadecimal; OUT needs 2 * size + 1 bytes. */
void bytes_to_hex(struct bytes in, char *out);
/* Strict inverse: exactly 2 * SIZE hexadecimal digits. False leaves OUT unspecified. */
bool bytes_from_hex(const char *text, uint8_t *out, size_t size);

uint16_t load_be16(const void *p);
uint32_t load_be32(const void *p);
uint64_t load_be64(const void *p);
void store_be16(void *p, uint16_t value);
void store_be32(void *p, uint32_t value);
void store_be64(void *p, uint64_t value);
uint64_t load_le64(const void *p);
void store_le64(void *p, uint64_t value);

/* A well-mixed 64-bit hash for in-memory tables. Not keyed: never expose it to strangers'
 * input. */
uint64_t bytes_hash(const void *data, size_t size, uint64_t seed);

#endif
