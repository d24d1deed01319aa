/* What follows each stored value: 8 bytes that bind it to its table and key, because LMDB 0.9
 * has no checksums (replication.md 13.1). */
#ifndef REPLICATION_STORE_CHECKSUM_H
#define REPLICATION_STORE_CHECKSUM_H

#include "replication/store.h"

enum {
    STORE_CHECKSUM_SIZE = 8
};

void store_checksum(uint8_t table,
                    struct bytes key,
                    struct bytes value,
                    uint8_t out[STORE_CHECKSUM_SIZE]);
/* STORED without its checksum into OUT; false when the checksum is wrong. */
bool store_checksum_strip(uint8_t table,
                          struct bytes key,
                          struct bytes stored,
                          struct bytes *out);

#endif
