/* Records: one signed, atomic change set each (replication.md 5.2). A record is its bytes; they
 * are stored, hashed, relayed and verified as they came, never encoded again. `struct record`
 * is a view into them. */
#ifndef REPLICATION_RECORD_H
#define REPLICATION_RECORD_H

#include "lbnode/base/uuid.h"
#include "lbnode/crypto/crypto.h"
#include "lbnode/model/change_set.h"
#include "replication/vv.h"

enum {
    RECORD_MAXIMUM_SIZE = (4 << 20) + SIGNATURE_SIZE,
    RECORD_KEY_ID_SIZE = 8,
    RECORD_DEPENDENCIES_MAXIMUM = VV_MAXIMUM_ENTRIES, /* a first one names all open streams */
    RECORD_AUTHOR_MAXIMUM = 64,
    RECORD_COMMENT_MAXIMUM = 256
};

enum record_kind {
    RECORD_CONFIG = 1,
    RECORD_ROSTER = 2,
    RECORD_CONTROL = 3
};

struct record {
    struct bytes whole, body;
    const uint8_t *signature;
    uint64_t stream, seq, hlc, wall_ms;
    const uint8_t *previous_hash; /* NULL at seq 1 */
    struct wire_reader deps, ops; /* for record_next_dep, record_next_op (work on a copy) */
    size_t op_count;
    bool makes_anew;     /* one of its operations does */
    struct uuid node_id; /* with key_id and incarnation: at seq 1 only */
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    uint64_t incarnation;
    enum record_kind kind;
    struct uuid change_id;
    struct bytes author, via;
};

struct record_op {
    struct uuid object_id, owner;
    uint8_t type;
    uint16_t facet;
    bool anew; /* flag 1: of an earlier object with this id, and below it, nothing counts */
    struct bytes value;
};

/* Full check of the form (not of the signature); OUT points into WHOLE. */
bool record_parse(struct bytes whole, struct record *out);
bool record_next_dep(struct wire_reader *deps, struct dot *out);
bool record_next_op(struct wire_reader *ops, struct record_op *out);

struct record_draft {
    uint64_t stream, seq, hlc, wall_ms;
    const uint8_t *previous_hash; /* NULL at seq 1 */
    const struct vv *deps;        /* those that changed since the predecessor */
    struct uuid node_id;          /* seq 1 only, with the two below */
    const uint8_t *key_id;
    uint64_t incarnation;
    enum record_kind kind;
    struct uuid change_id;
    const char *author, *via;
    const struct change_set *changes;
};

/* Signed bytes, malloc'd, into OUT; false when they exceed RECORD_MAXIMUM_SIZE. */
bool record_build(const struct record_draft *draft,
                  const struct uuid *cluster_id,
                  const struct sign_key *key,
                  struct bytes *out);
bool record_verify(const struct record *record,
                   const struct uuid *cluster_id,
                   const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE]);
/* BLAKE2b-256 of body and signature. */
void record_hash(struct bytes whole, uint8_t out[HASH_SIZE]);
/* BLAKE2b-64 of a public key. */
void record_key_id(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                   uint8_t out[RECORD_KEY_ID_SIZE]);

#endif
