/* From "take this back" to a checked change set: gathers the past of the objects, lets the
 * model decide what goes back (lbnode/model/undo.h), and tries the result on the configuration.
 * After history_ask only. */
#ifndef LBNODE_ADMIN_ROLLBACK_PLAN_H
#define LBNODE_ADMIN_ROLLBACK_PLAN_H

#include "lbnode/admin/history_api.h"
#include "lbnode/model/undo.h"

#define ROLLBACK_BY_ITSELF "undo" /* `via` of changes that nobody asked for at that moment */

struct rollback_wish {
    struct uuid change_id; /* the one change to take back; or zero: */
    struct past_point to;  /* all that came after it */
    bool has_object;       /* with `to`: */
    struct uuid object_id; /* only this object */
    const char *author;    /* who asks, and on which node: */
    struct uuid node_id;   /* what anybody else changed later stays */
    enum undo_mode mode;
    bool partial; /* what can go back is wanted even if not all of it can */
    /* Nobody asks: the change undoes itself. Then what the same user changed later stays too,
     * but for what is going to undo itself as well, or has. */
    bool by_itself;
};

/* The id of the change that undoes CHANGE_ID by itself: the same each time, so that it is made
 * once. Of such a one: what it undoes. */
struct uuid rollback_undo_id(const struct uuid *change_id);

struct rollback_plan {
    struct change_set changes;
    struct json_value *objects; /* what goes back, as in answers about the past */
    struct json_value
        *left;        /* {"object_id", "object_type", "object_name", "attribute", "why"} */
    size_t obstacles; /* of those in `left`, without nodes, which never go back */
};

/* False with ERROR: the change is not known, or the result would be no valid configuration. */
bool rollback_plan_make(const struct node_state *state,
                        const struct rollback_wish *wish,
                        struct rollback_plan *out,
                        struct error *error);
/* "pool workers: description (changed by root@lb2 at ...)" of the first one left. */
void rollback_plan_describe_left(const struct rollback_plan *plan, char *out, size_t out_size);
void rollback_plan_free(struct rollback_plan *plan);

#endif
