/* The way back when no node is left that others listen to: the recovery code, which is the seed
 * of the cluster's root key, signs one record that admits a new node. This node becomes that
 * new node, with its configuration and history; neither its old id nor its old key ever counts
 * again. For a state directory that no node is running on; the caller holds its lock. */
#ifndef REPLICATION_RECOVERY_H
#define REPLICATION_RECOVERY_H

#include "lbnode/base/error.h"
#include "lbnode/crypto/crypto.h"

#include <stddef.h>

enum {
    RECOVERY_NAME_SIZE = 256
};

struct recovery;

struct recovery_report {
    char node_name[RECOVERY_NAME_SIZE], cluster_name[RECOVERY_NAME_SIZE];
    size_t removed;      /* nodes that were active until now, the old self included */
    bool has_keys;       /* it opens the data key, so secrets stay readable */
    bool was_credential; /* the old node.key came from the service manager */
};

/* NULL with ERROR when there is nothing to recover from: the node is in no cluster, was not
 * removed, or (without FORCE) knows others that are members. */
struct recovery *recovery_open(const char *state_dir, bool force, struct error *error);
void recovery_close(struct recovery *recovery); /* NULL-safe */
/* The root key that CODE is the seed of; NULL with ERROR: it is none, or another cluster's. */
struct sign_key *
recovery_read_code(const struct recovery *recovery, const char *code, struct error *error);
/* All or nothing; when the power fails meanwhile, the node is the old one or the new one, and
 * can be recovered again as long as it is the old one. */
bool recovery_make(struct recovery *recovery,
                   const struct sign_key *root,
                   struct recovery_report *out,
                   struct error *error);
/* Before node.key is read: puts the new key in its place when a recovery was cut short after
 * its record was on the disk. */
void recovery_finish(const char *state_dir);

#endif
