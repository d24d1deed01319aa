/* What a record may say about nodes, their keys and how far their streams count: an operation
 * that breaks the rules (docs/protocol.md 3) counts on no node. */
#ifndef REPLICATION_CORE_CLOSING_H
#define REPLICATION_CORE_CLOSING_H

#include "replication/core_internal.h"

struct sayings {
    struct saying *items; /* by id */
    size_t count;
};

/* What RECORD says about nodes and key grants, and whether that counts. Its dependencies are in
 * the context of STAMP. OUT is freed with core_sayings_free. */
void core_read_sayings(const struct core *core,
                       const struct record *record,
                       const struct facet_stamp *stamp,
                       struct sayings *out);
void core_sayings_free(struct sayings *sayings);
/* False: the operation, of the record that SAYINGS are read from, counts on no node. */
bool core_op_counts(const struct sayings *sayings, const struct record_op *op);
enum removal {
    REMOVES_NOBODY,
    REMOVES_A_NODE,
    REVOKES_ITSELF /* also when it removes others besides */
};

/* What the operations of RECORD, by node AUTHOR, that count do to nodes. */
enum removal core_removal_in(const struct core *core,
                             const struct record *record,
                             const struct uuid *author,
                             const struct vv *context);
/* Adds to CHANGES what the rule asks for. */
bool core_complete_closings(const struct core *core,
                            struct change_set *changes,
                            struct error *error);

#endif
