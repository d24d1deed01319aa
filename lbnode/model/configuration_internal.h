/* The objects behind a configuration and its indexes, shared by the files that build it
 * (projection*.c), check against it (configuration_check.c) and plan documents on a scratch
 * copy (document.c). Everyone else uses configuration.h. */
#ifndef LBNODE_MODEL_CONFIGURATION_INTERNAL_H
#define LBNODE_MODEL_CONFIGURATION_INTERNAL_H

#include "lbnode/base/uuid_map.h"
#include "lbnode/model/configuration.h"

enum {
    OBJECT_CHILD_KINDS = 2, /* listeners and pools, or members and monitors */
    OBJECT_INDEXES = 4
};

struct object_list {
    struct object **items;
    size_t count, capacity;
};

/* Which hash table: objects of one type, owner and name; objects that claim the same thing,
 * oldest first; objects that refer to the same pool or group; objects whose owner is missing.
 */
enum object_index {
    INDEX_NAME,
    INDEX_CLAIM,
    INDEX_REFERENCE,
    INDEX_WAITING
};

struct object_verdict {
    bool effective;
    enum ineffective_reason reason;
    char *text; /* owned, or NULL */
};

struct object {
    struct effective effective; /* first member: the public view */
    struct object_list children[OBJECT_CHILD_KINDS];
    struct object *next[OBJECT_INDEXES]; /* with the same key */
    unsigned linked;                     /* bit per index in which it stands */
    bool borrows_resource;               /* of the configuration that the scratch copies */

    /* Of the projection alone. */
    struct object_verdict own; /* P3 and P7: what the object says about itself */
    bool claiming;             /* its claims stand in the indexes */
    size_t turn;               /* place in the queue of what must be judged again + 1, or 0 */
};

struct configuration {
    struct uuid_map by_id;
    struct object_list by_type[RESOURCE_TYPE_LIMIT];
    struct uuid_map indexes[OBJECT_INDEXES]; /* key -> first of a chain of objects */
    uint64_t scratch_created;                /* objects that only the scratch has */
};

struct configuration *configuration_new(void);
/* Order of creation: stamp, then id. */
int object_compare(const struct object *a, const struct object *b);
/* Below its owner: listeners and pools, or members and monitors. NULL for other types. */
struct object_list *object_children(struct object *owner, enum resource_type type);
/* LIST is in the order of object_compare. */
bool object_list_insert(struct object_list *list, struct object *object);
void object_list_remove(struct object_list *list, const struct object *object);
/* Enters OBJECT into an index if it has a key there; false when out of memory. */
bool object_link(struct configuration *configuration,
                 struct object *object,
                 enum object_index index);
void object_unlink(struct configuration *configuration,
                   struct object *object,
                   enum object_index index);
/* The first object in INDEX_REFERENCE or INDEX_WAITING with this id for a key. */
struct object *configuration_linked(const struct configuration *configuration,
                                    enum object_index index,
                                    const struct uuid *id);
struct object *configuration_object(const struct configuration *configuration,
                                    const struct uuid *id);
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

/* "Load Balancer": for Octavia's sentences. */
const char *resource_title(enum resource_type type);

#endif
