/* A replication without disk and network for tests of the API: changes are there at once, and
 * the test says what the peers do. Implements replication/replication.h. */
#ifndef TESTS_UNIT_ADMIN_FAKE_REPLICATION_H
#define TESTS_UNIT_ADMIN_FAKE_REPLICATION_H

#include "replication/replication.h"

enum {
    FAKE_TOKEN_SIZE = 16
};

struct replication *fake_replication_new(struct loop *loop,
                                         const char *name,
                                         const struct replication_handler *handler);
void fake_replication_free(struct replication *replication);
/* The next submissions fail with this (ERROR_NONE: they succeed). */
void fake_replication_refuse(struct replication *replication, enum error_kind kind);
/* One peer with this name and state. */
void fake_replication_set_peer(struct replication *replication,
                               const char *name,
                               enum peer_state state);
/* What it says of its store. */
void fake_replication_set_peer_trouble(struct replication *replication, bool storage_trouble);
/* The node that is active for all vrrp groups. */
void fake_replication_set_owner(struct replication *replication, const struct uuid *node_id);
/* One open conflict about the facet of an object. */
void fake_replication_set_conflict(struct replication *replication,
                                   const struct conflict_view *conflict);
/* As if a peer had made CHANGES. */
void fake_replication_store(struct replication *replication, const struct change_set *changes);
size_t fake_replication_submissions(const struct replication *replication);
const char *fake_replication_last_author(const struct replication *replication);

#endif
