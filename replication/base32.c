#include "replication/base32.h"

#include "lbnode/crypto/crypto.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

enum {
    DATA_MAXIMUM = 256
};

static void checksum(struct bytes in, uint8_t out[BASE32_CHECKSUM_SIZE])
{
    uint8_t hash[16];
    hash_make((struct bytes){0}, &in, 1, hash, sizeof(hash));
    memcpy(out, hash, BASE32_CHECKSUM_SIZE);
}

bool base32_encode(struct bytes in, unsigned group, char *out, size_t out_size)
{
    uint8_t data[DATA_MAXIMUM];
    if (in.size + BASE32_CHECKSUM_SIZE > sizeof(data))
        return false;
    memcpy(data, in.data, in.size);
    checksum(in, data + in.size);
    size_t bits = (in.size + BASE32_CHECKSUM_SIZE) * 8, at = 0;
    unsigned in_group = 0;
    for (size_t bit = 0; bit < bits; bit += 5) {
        unsigned value = 0;
        for (size_t i = bit; i < bit + 5; i++)
            value = value << 1 | (i < bits ? data[i / 8] >> (7 - i % 8) & 1u : 0);
        if (group > 0 && in_group == group) {
            if (at + 1 >= out_size)
                return false;
            out[at++] = '-';
            in_group = 0;
        }
        if (at + 1 >= out_size)
            return false;
        out[at++] = alphabet[value];
        in_group++;
    }
    out[at] = 0;
    secret_wipe(data, sizeof(data));
    return true;
}

static int digit_of(char character)
{
    if (character >= 'a' && character <= 'z')
        return character - 'a';
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    return character >= '2' && character <= '7' ? character - '2' + 26 : -1;
}

size_t base32_decode(const char *text, uint8_t *out, size_t out_size)
{
    uint8_t data[DATA_MAXIMUM] = {0}, expected[BASE32_CHECKSUM_SIZE];
    size_t bit = 0;
    for (; *text; text++) {
        int digit = digit_of(*text);
        if (*text == '-')
            continue;
        if (digit < 0 || bit + 5 > sizeof(data) * 8)
            return 0;
        for (int i = 4; i >= 0; i--, bit++)
            data[bit / 8] |= (uint8_t)((unsigned)digit >> i & 1u) << (7 - bit % 8);
    }
    size_t size = bit / 8;
    for (size_t rest = size * 8; rest < bit; rest++)
        if (data[rest / 8] >> (7 - rest % 8) & 1)
            return 0;
    if (bit - size * 8 >= 5 || size <= BASE32_CHECKSUM_SIZE ||
        size - BASE32_CHECKSUM_SIZE > out_size)
        return 0;
    size -= BASE32_CHECKSUM_SIZE;
    checksum((struct bytes){data, size}, expected);
    if (memcmp(expected, data + size, sizeof(expected)) != 0)
        return 0;
    memcpy(out, data, size);
    secret_wipe(data, sizeof(data));
    return size;
}
