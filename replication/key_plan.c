#include "replication/key_plan.h"

#include <string.h>

enum {
    KEY_FACET = 10 /* of a node: its public key */
};

/* The record that made the node what it is, or gave it its key: who speaks with that key has
 * it. */
static bool came_with(const struct key_view *view, const struct grant *grant)
{
    const struct object *object = facet_object(view->facets, &grant->node_id);
    const struct facet_entry *entry = object ? facet_winner(facet_of(object, KEY_FACET)) : NULL;
    return entry && entry->dot.stream == grant->dot.stream && entry->dot.seq == grant->dot.seq;
}

static bool is_for(const struct grant *grant,
                   const struct roster_node *node,
                   enum key_purpose purpose,
                   const struct uuid *key_id)
{
    return grant->purpose == purpose && uuid_equal(&grant->key_id, key_id) &&
           uuid_equal(&grant->node_id, &node->id) &&
           memcmp(grant->receiver, node->key_id, sizeof(grant->receiver)) == 0;
}

static bool node_has(const struct key_view *view,
                     const struct roster_node *node,
                     enum key_purpose purpose,
                     const struct uuid *key_id)
{
    for (size_t i = 0; i < view->grants->count; i++) {
        const struct grant *grant = &view->grants->grants[i];
        if (is_for(grant, node, purpose, key_id) &&
            (came_with(view, grant) || view->has(view->context, &node->id, grant->dot)))
            return true;
    }
    return false;
}

bool key_is_everywhere(const struct key_view *view,
                       enum key_purpose purpose,
                       const struct uuid *key_id,
                       const struct roster_node **out_lacks)
{
    for (size_t i = 0; i < view->roster->count; i++) {
        const struct roster_node *node = &view->roster->nodes[i];
        if (node->status != NODE_ACTIVE || node_has(view, node, purpose, key_id))
            continue;
        if (out_lacks)
            *out_lacks = node;
        return false;
    }
    return true;
}
