/* The addresses that datagrams of sessions may come from: those of the active nodes. A hash set
 * of fixed size, so that a stranger costs one look-up. Pure; the key of the hash is random. */
#ifndef REPLICATION_SOURCE_TABLE_H
#define REPLICATION_SOURCE_TABLE_H

#include "lbnode/base/ip_address.h"
#include "lbnode/base/siphash.h"
#include "replication/roster.h"
#include "replication/session.h"

enum {
    SOURCES = SESSION_PEERS * ROSTER_ENDPOINTS,
    SOURCE_SLOTS = 2 * SOURCES /* half of them stay free: a search ends soon */
};

struct source_slot {
    struct ip_address address; /* family 0: free */
    struct session_source source;
};

struct source_table { /* zero but for the key: empty */
    uint8_t key[SIPHASH_KEY_SIZE];
    size_t count;
    struct source_slot slots[SOURCE_SLOTS];
};

/* The peer at PLACE sends from ADDRESS. False: there are SOURCES addresses already. */
bool source_table_allow(struct source_table *table,
                        const struct ip_address *address,
                        int place);
/* NULL: nobody sends from there. */
struct session_source *source_table_find(struct source_table *table,
                                         const struct ip_address *address);
/* Addresses that are in BEFORE, too, keep their budgets. */
void source_table_inherit(struct source_table *table, struct source_table *before);

#endif
