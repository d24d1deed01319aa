/* Key grants: a secret key of the cluster, sealed to one node, as an object of the raw state
 * (docs/protocol.md 11). One object for each key, node and granter, so what two nodes write at
 * once is united and never in conflict. Pure: reads a facet table, adds to a change set. */
#ifndef REPLICATION_KEY_GRANT_H
#define REPLICATION_KEY_GRANT_H

#include "lbnode/crypto/sealed_box.h"
#include "lbnode/model/change_set.h"
#include "lbnode/model/resource.h"
#include "replication/facet.h"

enum {
    KEY_SIZE = 32,
    KEY_BOX_SIZE = KEY_SIZE + SEALED_BOX_OVERHEAD
};

/* A grant that says more is malformed: as far as a hybrid clock goes. */
#define GRANT_CREATED_MAXIMUM_MS ((1ull << 48) - 1)

/* A grant of the raw state that is alive and well-formed. */
struct grant {
    struct uuid object_id, node_id, key_id;
    enum key_purpose purpose;
    uint64_t created_ms;
    uint8_t receiver[RECORD_KEY_ID_SIZE]; /* key id of the node's key that opens the box */
    uint8_t box[KEY_BOX_SIZE];
    struct dot dot; /* of the record that has it */
    struct uuid author;
};

struct grant_list {
    struct grant *grants; /* in no order */
    size_t count, capacity;
};

/* All grants in TABLE whose node is there, removed nodes included; malformed ones are skipped.
 */
void grant_list_read(const struct facet_table *table, struct grant_list *out);
void grant_list_free(struct grant_list *list);

/* The name of a key: its hash, so nobody can give two keys one name. */
void key_name(const uint8_t secret[KEY_SIZE], struct uuid *out);

struct grant_wish {
    enum key_purpose purpose;
    uint64_t created_ms;
    const uint8_t *secret;      /* KEY_SIZE */
    const struct uuid *node_id; /* to whom */
    const uint8_t *public_key;  /* that node's Ed25519 key */
    const uint8_t *granter;     /* this node's Ed25519 public key */
};

/* Adds the object that grants WISH. False when the key is none, or a bound is exceeded. */
bool grant_plan(const struct grant_wish *wish, struct change_set *out);
/* Adds what deletes GRANT. */
bool grant_plan_delete(const struct grant *grant, struct change_set *out);

#endif
