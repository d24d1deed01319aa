#include "proxy/source_table.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/random.h"

#include <stdlib.h>
#include <string.h>

enum {
    IPV6_PREFIX_BYTES = 8
};

#define COUNT_MASK ((UINT64_C(1) << SOURCE_COUNT_BITS) - 1)

struct source_table *source_table_new(void)
{
    struct source_table *table = calloc(1, sizeof(*table));
    if (table)
        random_bytes(table->key, sizeof(table->key));
    return table;
}

void source_table_free(struct source_table *table)
{
    free(table);
}

/* The set, and the tag with a count of zero. */
static _Atomic uint64_t *find_set(struct source_table *table,
                                  uint32_t listener_slot,
                                  const struct ip_address *client,
                                  uint64_t *out_tag)
{
    uint8_t input[4 + 1 + sizeof(client->bytes)];
    size_t size = client->family == 6 ? IPV6_PREFIX_BYTES : ip_address_size(client);
    store_be32(input, listener_slot);
    input[4] = client->family;
    memcpy(input + 5, client->bytes, size);
    uint64_t hash = siphash(table->key, input, 5 + size);
    /* Never 0, which means a free entry. */
    *out_tag = (hash & ~COUNT_MASK) | UINT64_C(1) << 63;
    return table->entries[hash % SOURCE_SETS];
}

/* One more in ENTRY, if it is (still) of TAG or may become so. */
static bool
try_enter(_Atomic uint64_t *entry, uint64_t tag, uint64_t limit, enum source_result *out)
{
    uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);
    while (word == 0 || (word & ~COUNT_MASK) == tag) {
        if ((word & COUNT_MASK) >= limit || (word & COUNT_MASK) == COUNT_MASK) {
            *out = SOURCE_TOO_MANY;
            return true;
        }
        uint64_t next = (word ? word : tag) + 1;
        if (atomic_compare_exchange_weak(entry, &word, next)) {
            *out = SOURCE_COUNTED;
            return true;
        }
    }
    return false;
}

enum source_result source_table_enter(struct source_table *table,
                                      uint32_t listener_slot,
                                      const struct ip_address *client,
                                      uint32_t limit)
{
    uint64_t tag;
    _Atomic uint64_t *set = find_set(table, listener_slot, client, &tag);
    enum source_result result = SOURCE_UNCOUNTED;
    for (unsigned i = 0; i < SOURCE_WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);
        if (word != 0 && (word & ~COUNT_MASK) == tag && try_enter(&set[i], tag, limit, &result))
            return result;
    }
    for (unsigned i = 0; i < SOURCE_WAYS; i++) {
        if (try_enter(&set[i], tag, limit, &result))
            return result;
    }
    return SOURCE_UNCOUNTED;
}

void source_table_leave(struct source_table *table,
                        uint32_t listener_slot,
                        const struct ip_address *client)
{
    uint64_t tag;
    _Atomic uint64_t *set = find_set(table, listener_slot, client, &tag);
    for (unsigned i = 0; i < SOURCE_WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);
        while (word != 0 && (word & ~COUNT_MASK) == tag) {
            uint64_t next = (word & COUNT_MASK) <= 1 ? 0 : word - 1;
            if (atomic_compare_exchange_weak(&set[i], &word, next))
                return;
        }
    }
}
