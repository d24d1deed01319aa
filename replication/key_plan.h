/* What is to be done about the secret keys of the cluster: pure decisions over the raw state,
 * what the nodes told of their disks, and the time. docs/protocol.md 11 has the rules.
 *
 * Nothing here remembers anything: whichever node looks comes to the same steps, so one that
 * dies in the middle of a rotation is simply followed by another, and what two do at once is
 * united. */
#ifndef REPLICATION_KEY_PLAN_H
#define REPLICATION_KEY_PLAN_H

#include "replication/keyring.h"
#include "replication/roster.h"

enum {
    /* Of a purpose; who knows of so many makes no more. Those that a node outside of the
     * cluster knows do not count. */
    KEYS_LIVING_MAXIMUM = 3,
    KEYS_LISTED = 16 /* of a purpose, those that matter most */
};

/* What a node knows at a moment. */
struct key_view {
    struct uuid own_id; /* of that node */
    const struct facet_table *facets;
    const struct roster *roster;
    const struct grant_list *grants; /* of FACETS */
    const struct keyring *keyring;   /* what that node can open of them */
    uint64_t now_ms;                 /* by the hybrid clock */
    /* Has the node, as far as it told, the record on its disk? */
    bool (*has)(const void *context, const struct uuid *node_id, struct dot dot);
    /* Does the node answer now? */
    bool (*is_up)(const void *context, const struct uuid *node_id);
    /* Has this node all that the others said they have? */
    bool (*is_caught_up)(const void *context);
    /* Is a value of the configuration sealed with the key? */
    bool (*is_sealed_with)(const void *context, const struct uuid *key_id);
    const void *context;
};

/* A key of which an active node has a grant. */
struct living_key {
    struct uuid id;
    enum key_purpose purpose;
    uint64_t created_ms;
    bool everywhere;                   /* all active nodes have it on their disks */
    const struct roster_node *lacks;   /* else the first of them that does not */
    const struct roster_node *stained; /* left the cluster, and knows the key; or NULL */
};

struct living_keys {
    struct living_key keys[KEYS_LISTED]; /* newest first */
    size_t count;
};

void living_keys_read(const struct key_view *view,
                      enum key_purpose purpose,
                      struct living_keys *out);
/* Which one whatever begins uses: the newest that is everywhere, else the oldest. NULL: none.
 */
const struct living_key *living_keys_in_use(const struct living_keys *living);

enum key_step_kind {
    KEY_STEP_NONE,
    KEY_STEP_CREATE, /* a new key of PURPOSE, granted to all active nodes */
    KEY_STEP_GRANT,  /* what active nodes lack of the living keys */
    KEY_STEP_RESEAL, /* every sealed value with the key KEY_ID */
    KEY_STEP_DELETE  /* what key_plan_deletions tells */
};

enum key_reason {
    KEY_REASON_FIRST, /* there is none */
    KEY_REASON_LEFT,  /* a node that knows the newest one was removed */
    KEY_REASON_AGE    /* the newest one is old */
};

struct key_step {
    enum key_step_kind kind;
    enum key_purpose purpose;
    enum key_reason reason; /* CREATE */
    struct uuid key_id;     /* RESEAL: with this one */
    unsigned rank;          /* so many nodes that answer are to do it before this one */
};

/* The next step about keys of PURPOSE that this node could take; it is for those with a lower
 * rank to do it first. NONE: there is none. */
void key_plan_next(const struct key_view *view, enum key_purpose purpose, struct key_step *out);
/* Adds what deletes the grants of PURPOSE that are of no use any more: for a key that a newer
 * one replaced, for a node that was removed and whose key need not be replaced, or for a key
 * that its node no longer has. False: a bound is exceeded. */
bool key_plan_deletions(const struct key_view *view,
                        enum key_purpose purpose,
                        struct change_set *out);
/* When a key made now was made: later than all others of its purpose that are not stained. */
uint64_t key_plan_created_ms(const struct key_view *view, enum key_purpose purpose);
/* May another key of PURPOSE be made? False with ERROR: there are too many; why they stay. */
bool key_plan_may_rotate(const struct key_view *view,
                         enum key_purpose purpose,
                         struct error *error);

#endif
