/* The nodes of the cluster, read from the node objects in the raw state. */
#ifndef REPLICATION_ROSTER_H
#define REPLICATION_ROSTER_H

#include "lbnode/model/resource.h"
#include "replication/facet.h"
#include "replication/genesis.h"

enum {
    ROSTER_MAXIMUM = 256, /* entries, removed ones included */
    ROSTER_ACTIVE_MAXIMUM = 64,
    ROSTER_ENDPOINTS = 4,
    FACET_NODE_KEY = 10,
    FACET_NODE_STATUS = 14,
    NODE_KEY_SIZE = 8 /* first bytes of the node's id: its name in packets */
};

struct roster_node {
    struct uuid id;
    char *name;
    uint8_t public_key[SIGN_PUBLIC_KEY_SIZE];
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    struct ip_endpoint endpoints[ROSTER_ENDPOINTS];
    size_t endpoint_count;
    enum node_status status;
    uint16_t protocol; /* enum replication_protocol, the highest that it speaks */
    bool leaving;      /* is being removed */
    /* Facets whose value is malformed, so that their defaults hold: bit n is facet n, the last
     * one stands for all others. */
    uint32_t unreadable;
    /* How far its streams count: of a removed node all of them, those that are not listed not
     * at all; of an active one those that were over when it got its present key. */
    struct vv cutoff;
    struct vv told; /* the records that say so */
};

struct roster {
    struct roster_node nodes[ROSTER_MAXIMUM]; /* by id */
    size_t count;
    uint64_t version; /* another one each time that it was read */
};

/* Replaces ROSTER by what TABLE says. GENESIS: NULL, or while no
 * record is there: then its first node stands with the key that it names. */
void roster_rebuild(struct roster *roster,
                    const struct facet_table *table,
                    const struct genesis *genesis);
/* Node ID is not in it. */
void roster_drop(struct roster *roster, const struct uuid *id);
const struct roster_node *roster_find(const struct roster *roster, const struct uuid *id);
const struct roster_node *roster_by_key(const struct roster *roster,
                                        const uint8_t node_key[NODE_KEY_SIZE]);
/* Up to which record STREAM of NODE counts, which was opened with the key KEY_ID: UINT64_MAX:
 * no limit. LIFTED: the last record of it that removes a node, 0: none; two nodes that remove
 * each other both have their way. */
uint64_t roster_limit(const struct roster_node *node,
                      uint64_t stream,
                      const uint8_t key_id[RECORD_KEY_ID_SIZE],
                      uint64_t lifted);
/* What facets 10 and 14 say of a node, whatever else its object says (that may be spoilt, and
 * the node not in the roster for it): its key, whether it was removed, how far its streams
 * count. OUT is freed with roster_free_node. */
void roster_read_standing(const struct facet_table *table,
                          const struct uuid *id,
                          struct roster_node *out);
/* The same when STATUSES and KEYS, or NULL, is all that is known of facets 14 and 10. */
void roster_read_known(const struct facet_state *statuses,
                       const struct facet_state *keys,
                       struct roster_node *out);
void roster_free_node(struct roster_node *node);
/* The key that an operation on FACET_NODE_KEY gives its node; false: none, or malformed. */
bool roster_read_key(const struct record_op *op, uint8_t out[SIGN_PUBLIC_KEY_SIZE]);
bool roster_entry_key(const struct facet_entry *entry, uint8_t out[SIGN_PUBLIC_KEY_SIZE]);
/* Does the operation take a node out of the cluster? And as one whose key is in wrong hands? */
bool roster_op_removes(const struct record_op *op);
bool roster_op_revokes(const struct record_op *op);
void roster_free(struct roster *roster);

/* The cut-offs in LIST; what is malformed is skipped. */
void roster_read_cutoff(const struct text_list *list, struct vv *out);
/* The node object in TABLE as a resource, with defaults for what is malformed; NULL when it is
 * not there. */
struct node *roster_read_node(const struct facet_table *table, const struct object *object);

#endif
