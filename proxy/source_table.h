/* How many connections each client address has at each listener, for those that limit them.
 * One table of fixed size for all workers, without a lock: sets of four entries, each one word.
 * Of IPv6 addresses the first 64 bits count. A source that finds its set taken by four others
 * is not counted and not limited: the table bounds memory, not every last client. */
#ifndef PROXY_SOURCE_TABLE_H
#define PROXY_SOURCE_TABLE_H

#include "lbnode/base/ip_address.h"
#include "lbnode/base/siphash.h"

#include <stdatomic.h>
#include <stdbool.h>

enum {
    SOURCE_SETS = 16384, /* half a MiB in all, of which only what is used is there */
    SOURCE_WAYS = 4,
    SOURCE_COUNT_BITS = 20
};

struct source_table {
    uint8_t key[SIPHASH_KEY_SIZE]; /* secret: nobody can choose who shares a set */
    _Atomic uint64_t entries[SOURCE_SETS][SOURCE_WAYS]; /* tag above the count; 0: free */
};

/* NULL when out of memory. */
struct source_table *source_table_new(void);
void source_table_free(struct source_table *table);

enum source_result {
    SOURCE_COUNTED, /* give it back with source_table_leave */
    SOURCE_UNCOUNTED,
    SOURCE_TOO_MANY,
};

enum source_result source_table_enter(struct source_table *table,
                                      uint32_t listener_slot,
                                      const struct ip_address *client,
                                      uint32_t limit);
void source_table_leave(struct source_table *table,
                        uint32_t listener_slot,
                        const struct ip_address *client);

#endif
