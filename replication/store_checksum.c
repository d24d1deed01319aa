#include "replication/store_checksum.h"

#include "lbnode/crypto/crypto.h"

#include <string.h>

void store_checksum(uint8_t table,
                    struct bytes key,
                    struct bytes value,
                    uint8_t out[STORE_CHECKSUM_SIZE])
{
    struct bytes parts[] = {{&table, 1}, key, value};
    hash_make((struct bytes){0}, parts, ARRAY_LENGTH(parts), out, STORE_CHECKSUM_SIZE);
}

bool store_checksum_strip(uint8_t table,
                          struct bytes key,
                          struct bytes stored,
                          struct bytes *out)
{
    uint8_t expected[STORE_CHECKSUM_SIZE];
    if (stored.size < STORE_CHECKSUM_SIZE)
        return false;
    *out = (struct bytes){stored.data, stored.size - STORE_CHECKSUM_SIZE};
    store_checksum(table, key, *out, expected);
    return memcmp(expected, out->data + out->size, STORE_CHECKSUM_SIZE) == 0;
}
