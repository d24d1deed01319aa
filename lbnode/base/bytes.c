#include "lbnode/base/bytes.h"

#include <string.h>

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

void bytes_to_hex(struct bytes in, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.size; i++) {
        out[2 * i] = digits[in.data[i] >> 4];
        out[2 * i + 1] = digits[in.data[i] & 15];
    }
    out[2 * in.size] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool bytes_from_hex(const char *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * size] == '\0';
}

uint16_t load_be16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t load_be32(const void *p)
{
    return (uint32_t)load_be16(p) << 16 | load_be16((const uint8_t *)p + 2);
}

uint64_t load_be64(const void *p)
{
    return (uint64_t)load_be32(p) << 32 | load_be32((const uint8_t *)p + 4);
}

void store_be16(void *p, uint16_t value)
{
    uint8_t *b = p;
    b[0] = (uint8_t)(value >> 8);
    b[1] = (uint8_t)value;
}

void store_be32(void *p, uint32_t value)
{
    store_be16(p, (uint16_t)(value >> 16));
    store_be16((uint8_t *)p + 2, (uint16_t)value);
}

void store_be64(void *p, uint64_t value)
{
    store_be32(p, (uint32_t)(value >> 32));
    store_be32((uint8_t *)p + 4, (uint32_t)value);
}

uint64_t load_le64(const void *p)
{
    return __builtin_bswap64(load_be64(p));
}

void store_le64(void *p, uint64_t value)
{
    store_be64(p, __builtin_bswap64(value));
}

uint64_t bytes_hash(const void *data, size_t size, uint64_t seed)
{
    const uint8_t *b = data;
    uint64_t h = seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    h ^= h >> 32; /* final mix of splitmix64: FNV alone has weak high bits */
    h *= 0xbf58476d1ce4e5b9u;
    h ^= h >> 29;
    return h;
}
