/* The node's identity: <state-dir>/node.key, mode 0600, made at the first start and kept for
 * the node's life; or the same text as a credential that the service manager hands over, which
 * is never written. */
#ifndef REPLICATION_NODE_KEY_H
#define REPLICATION_NODE_KEY_H

#include "lbnode/base/error.h"
#include "lbnode/base/uuid.h"
#include "lbnode/crypto/crypto.h"

/* Reads the file, or makes it. NULL with ERROR; also when others may read the file, or it is
 * of another account than its directory. */
struct sign_key *node_key_open(const char *path, struct uuid *out_node_id, struct error *error);
/* From FD, which stays open. */
struct sign_key *node_key_read(int fd, struct uuid *out_node_id, struct error *error);

/* A key that is to follow, beside the file: PATH.new, durable, for the same node. */
bool node_key_write_next(const char *path,
                         const struct uuid *node_id,
                         const struct sign_key *key,
                         struct error *error);
/* NULL: there is none for NODE_ID. */
struct sign_key *node_key_read_next(const char *path, const struct uuid *node_id);
/* Is there one of any node, and whose? After a recovery that broke off it is of a new node. */
bool node_key_next_is_of(const char *path, struct uuid *out_node_id);
/* The key of the node in STATE_DIR while that is not running: the credential of this process,
 * or the file. Never made. NULL with ERROR. */
struct sign_key *
node_key_find(const char *state_dir, struct uuid *out_node_id, struct error *error);
/* It takes the place of the file, in one step. False: the disk refuses; errno says why. */
bool node_key_take_next(const char *path);
void node_key_drop_next(const char *path);

#endif
