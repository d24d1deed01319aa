/* SipHash-2-4 (Aumasson and Bernstein): a keyed hash for what strangers can choose, such as
 * addresses, and for hashes that must be the same on every node. Pure. */
#ifndef LBNODE_BASE_SIPHASH_H
#define LBNODE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum {
    SIPHASH_KEY_SIZE = 16
};

/* The same number on machines of either byte order. */
uint64_t siphash(const uint8_t key[SIPHASH_KEY_SIZE], const void *data, size_t size);

#endif
