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
    struct vv cutoff;  /* of a removed node: what still counts */
};

struct roster {
    struct roster_node nodes[ROSTER_MAXIMUM]; /* by id */
    size_t count;
    uint64_t version; /* another one each time that it was read */
};

/* Replaces ROSTER by what TABLE says. Until its first record is there, the first node stands
 * with its key from the genesis. */
void roster_rebuild(struct roster *roster,
                    const struct facet_table *table,
                    const struct genesis *genesis);
const struct roster_node *roster_find(const struct roster *roster, const struct uuid *id);
const struct roster_node *roster_by_key(const struct roster *roster,
                                        const uint8_t node_key[NODE_KEY_SIZE]);
void roster_free(struct roster *roster);

/* The node object in TABLE as a resource; NULL when it is not there or malformed. */
struct node *roster_read_node(const struct facet_table *table, const struct object *object);

#endif
