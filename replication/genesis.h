/* The birth of a cluster: one signed statement that names the root key and the first node. Its
 * hash is the cluster's id, so nobody can put other parents under an existing cluster. */
#ifndef REPLICATION_GENESIS_H
#define REPLICATION_GENESIS_H

#include "lbnode/base/uuid.h"
#include "lbnode/base/wire.h"
#include "lbnode/crypto/crypto.h"

enum {
    GENESIS_MAXIMUM_SIZE = 1024,
    GENESIS_NAME_SIZE = 256
};

struct genesis {
    uint8_t root_key[SIGN_PUBLIC_KEY_SIZE];
    struct uuid first_node;
    uint8_t first_key[SIGN_PUBLIC_KEY_SIZE];
    char cluster_name[GENESIS_NAME_SIZE]; /* cut when longer: for people */
    struct uuid cluster_id;               /* BLAKE2b-128 of all bytes */
    struct uuid root_id; /* of the root key, as the author of records: no node's */
};

/* Bytes to store and send; the caller frees the writer. */
bool genesis_build(const struct sign_key *root,
                   const char *cluster_name,
                   uint64_t wall_ms,
                   const struct uuid *first_node,
                   const uint8_t first_key[SIGN_PUBLIC_KEY_SIZE],
                   struct wire_writer *out);
/* Checks form and signature. */
bool genesis_parse(struct bytes in, struct genesis *out);

#endif
