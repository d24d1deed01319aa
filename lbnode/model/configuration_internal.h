/* The objects behind a configuration and its indexes, shared by the files that build it
 * (projection.c), check against it (configuration_check.c) and plan documents on a scratch copy
 * (document.c). Everyone else uses configuration.h. */
#ifndef LBNODE_MODEL_CONFIGURATION_INTERNAL_H
#define LBNODE_MODEL_CONFIGURATION_INTERNAL_H

#include "lbnode/base/uuid_map.h"
#include "lbnode/model/configuration.h"

enum {
    OBJECT_CHILD_KINDS = 2, /* listeners and pools, or members and monitors */
    OBJECT_INDEXES = 2
};

struct object_list {
    struct object **items;
    size_t count, capacity;
};

/* Which hash table: objects of one type, owner and name; objects that claim the same thing. */
enum object_index {
    INDEX_NAME,
    INDEX_CLAIM
};

struct object {
    struct effective effective; /* first member: the public view */
    struct object_list children[OBJECT_CHILD_KINDS];
    struct object *next[OBJECT_INDEXES]; /* with the same key, in order of insertion */
    bool borrows_resource;               /* of the configuration that the scratch copies */
};

struct configuration {
    struct uuid_map by_id;
    struct object_list by_type[RESOURCE_TYPE_LIMIT];
    struct uuid_map indexes[OBJECT_INDEXES]; /* key -> first of a chain of objects */
};

struct configuration *configuration_new(void);
/* Takes OBJECT over, also on failure (out of memory). Owners come before what they own, and
 * older claims before younger ones. */
bool configuration_insert(struct configuration *configuration, struct object *object);
/* A copy for trying changes on; valid as long as CONFIGURATION is. */
struct configuration *configuration_scratch(const struct configuration *configuration);
/* Creates or replaces the object with the id of RESOURCE, which is taken over. */
bool configuration_scratch_put(struct configuration *scratch, struct resource *resource);
void configuration_scratch_remove(struct configuration *scratch, const struct uuid *id);

/* Who must be alone: the chain of objects with the same claim as RESOURCE, the winner first.
 * Listener: (load balancer, port); load balancer: vip_address; group: vrid; member: (pool,
 * address, port); monitor: pool. */
const struct object *configuration_claimants(const struct configuration *configuration,
                                             const struct resource *resource);
/* The first object with this type, owner and name; follow next[INDEX_NAME]. Compare the names:
 * the key is a hash. */
const struct object *configuration_named(const struct configuration *configuration,
                                         enum resource_type type,
                                         const struct uuid *owner,
                                         const char *name);
void object_free(struct object *object); /* NULL-safe */

/* Can a pool of POOL_PROTOCOL serve a listener of LISTENER_PROTOCOL (octavia-api.md 9.1)? */
bool protocols_are_compatible(int64_t listener_protocol, int64_t pool_protocol);
const char *protocol_name(int64_t protocol);
/* "Load Balancer": for Octavia's sentences. */
const char *resource_title(enum resource_type type);

#endif
