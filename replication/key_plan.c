#include "replication/key_plan.h"

#include <string.h>

enum {
    KEY_FACET = 10,   /* of a node: its public key */
    STATUS_FACET = 14 /* of a node */
};

static const uint64_t rotation_ms = 90ull * 86400 * 1000;

/* ---- nodes ------------------------------------------------------------------------------ */

static const struct facet_entry *
node_entry(const struct key_view *view, const struct uuid *id, uint16_t facet)
{
    const struct object *object = facet_object(view->facets, id);
    return object ? facet_winner(facet_of(object, facet)) : NULL;
}

static bool is_active(const struct roster_node *node)
{
    return node->status == NODE_ACTIVE;
}

/* Whom the key was sealed to is still who it was. */
static bool opens(const struct roster_node *node, const struct grant *grant)
{
    return uuid_equal(&grant->node_id, &node->id) &&
           memcmp(grant->receiver, node->key_id, sizeof(grant->receiver)) == 0;
}

static const struct grant *find_grant(const struct key_view *view,
                                      const struct roster_node *node,
                                      enum key_purpose purpose,
                                      const struct uuid *key_id)
{
    for (size_t i = 0; i < view->grants->count; i++) {
        const struct grant *grant = &view->grants->grants[i];
        if (grant->purpose == purpose && uuid_equal(&grant->key_id, key_id) &&
            opens(node, grant))
            return grant;
    }
    return NULL;
}

/* A node of an earlier version may know nothing of keys. */
static bool can_act(const struct key_view *view, const struct roster_node *node)
{
    const struct roster_node *self = roster_find(view->roster, &view->own_id);
    return self && node->protocol >= self->protocol;
}

/* How many are before this node, of those that answer and have a grant of the key, when there
 * is one: they go by their ids. False: this node cannot do it. */
static bool find_turn(const struct key_view *view,
                      enum key_purpose purpose,
                      const struct uuid *key_id,
                      unsigned *out_rank)
{
    *out_rank = 0;
    for (size_t i = 0; i < view->roster->count; i++) {
        const struct roster_node *node = &view->roster->nodes[i];
        bool is_own = uuid_equal(&node->id, &view->own_id);
        if (!is_active(node) || !can_act(view, node) ||
            (!is_own && !view->is_up(view->context, &node->id)) ||
            (key_id && !find_grant(view, node, purpose, key_id)))
            continue;
        if (is_own)
            return true;
        (*out_rank)++;
    }
    return false;
}

/* ---- keys ------------------------------------------------------------------------------- */

/* The record that made the node what it is, or gave it its key: who speaks with that key has
 * it. */
static bool came_with(const struct key_view *view, const struct grant *grant)
{
    const struct facet_entry *entry = node_entry(view, &grant->node_id, KEY_FACET);
    return entry && entry->dot.stream == grant->dot.stream && entry->dot.seq == grant->dot.seq;
}

static bool has_key(const struct key_view *view,
                    const struct roster_node *node,
                    enum key_purpose purpose,
                    const struct uuid *key_id)
{
    for (size_t i = 0; i < view->grants->count; i++) {
        const struct grant *grant = &view->grants->grants[i];
        if (grant->purpose == purpose && uuid_equal(&grant->key_id, key_id) &&
            opens(node, grant) &&
            (came_with(view, grant) || view->has(view->context, &node->id, grant->dot)))
            return true;
    }
    return false;
}

static const struct roster_node *who_lacks(const struct key_view *view,
                                           const struct living_key *key)
{
    for (size_t i = 0; i < view->roster->count; i++) {
        const struct roster_node *node = &view->roster->nodes[i];
        if (is_active(node) && !has_key(view, node, key->purpose, &key->id))
            return node;
    }
    return NULL;
}

/* Whose leaving makes a key of the purpose worthless: of the secret of the cluster anybody's,
 * of the data key that of a node which was not to be trusted any more. */
static bool takes_along(const struct roster_node *node, enum key_purpose purpose)
{
    return node->status == NODE_REVOKED ||
           (node->status == NODE_REMOVED && purpose == KEY_CLUSTER_SECRET);
}

static bool was_given(const struct key_view *view,
                      const struct roster_node *node,
                      const struct living_key *key)
{
    for (size_t i = 0; i < view->grants->count; i++) {
        const struct grant *grant = &view->grants->grants[i];
        if (grant->purpose == key->purpose && uuid_equal(&grant->key_id, &key->id) &&
            (uuid_equal(&grant->node_id, &node->id) || uuid_equal(&grant->author, &node->id)))
            return true;
    }
    return false;
}

/* Made before the node left, so the node knows it; or it has a grant, or made one itself. */
static const struct roster_node *who_stains(const struct key_view *view,
                                            const struct living_key *key)
{
    for (size_t i = 0; i < view->roster->count; i++) {
        const struct roster_node *node = &view->roster->nodes[i];
        if (!takes_along(node, key->purpose))
            continue;
        const struct facet_entry *left = node_entry(view, &node->id, STATUS_FACET);
        if (!left || key->created_ms < left->hlc >> 16 || was_given(view, node, key))
            return node;
    }
    return NULL;
}

static bool is_newer(const struct living_key *a, const struct living_key *b)
{
    return a->created_ms != b->created_ms ? a->created_ms > b->created_ms
                                          : uuid_compare(&a->id, &b->id) > 0;
}

static struct living_key *find_living(struct living_keys *living, const struct uuid *id)
{
    for (size_t i = 0; i < living->count; i++)
        if (uuid_equal(&living->keys[i].id, id))
            return &living->keys[i];
    return NULL;
}

/* Nobody crowds the others out by keys that are worth nothing. */
static bool matters_more(const struct living_key *a, const struct living_key *b)
{
    return !a->stained != !b->stained ? !a->stained : is_newer(a, b);
}

static void
note_key(const struct key_view *view, struct living_keys *living, const struct grant *grant)
{
    struct living_key *known = find_living(living, &grant->key_id);
    struct living_key key = {
        .id = grant->key_id, .purpose = grant->purpose, .created_ms = grant->created_ms};
    if (known && grant->created_ms > known->created_ms)
        known->created_ms = grant->created_ms;
    if (known)
        return;
    key.stained = who_stains(view, &key);
    if (living->count < KEYS_LISTED) {
        living->keys[living->count++] = key;
        return;
    }
    struct living_key *least = &living->keys[0];
    for (size_t i = 1; i < living->count; i++)
        if (matters_more(least, &living->keys[i]))
            least = &living->keys[i];
    if (matters_more(&key, least))
        *least = key;
}

static void sort(struct living_keys *living)
{
    for (size_t i = 1; i < living->count; i++)
        for (size_t k = i; k > 0 && is_newer(&living->keys[k], &living->keys[k - 1]); k--) {
            struct living_key key = living->keys[k];
            living->keys[k] = living->keys[k - 1];
            living->keys[k - 1] = key;
        }
}

void living_keys_read(const struct key_view *view,
                      enum key_purpose purpose,
                      struct living_keys *out)
{
    out->count = 0;
    for (size_t i = 0; i < view->grants->count; i++) {
        const struct grant *grant = &view->grants->grants[i];
        const struct roster_node *node = roster_find(view->roster, &grant->node_id);
        if (grant->purpose == purpose && node && is_active(node) && opens(node, grant))
            note_key(view, out, grant);
    }
    sort(out);
    for (size_t i = 0; i < out->count; i++) {
        struct living_key *key = &out->keys[i];
        key->lacks = who_lacks(view, key);
        key->everywhere = !key->lacks;
        key->stained = who_stains(view, key);
    }
}

/* The newest that no node outside of the cluster knows. NULL: all are known to one. */
static const struct living_key *newest_clean(const struct living_keys *living)
{
    for (size_t i = 0; i < living->count; i++)
        if (!living->keys[i].stained)
            return &living->keys[i];
    return NULL;
}

static bool has_room(const struct living_keys *living)
{
    size_t clean = 0;
    for (size_t i = 0; i < living->count; i++)
        clean += !living->keys[i].stained;
    return clean < KEYS_LIVING_MAXIMUM;
}

const struct living_key *living_keys_in_use(const struct living_keys *living)
{
    for (size_t i = 0; i < living->count; i++)
        if (living->keys[i].everywhere)
            return &living->keys[i];
    return living->count > 0 ? &living->keys[living->count - 1] : NULL;
}

/* ---- what is over ----------------------------------------------------------------------- */

/* The one that replaces those before it: everywhere, and if possible known to nobody outside.
 * NULL: none does yet. */
static const struct living_key *successor(const struct living_keys *living)
{
    const struct living_key *found = NULL;
    for (size_t i = 0; i < living->count; i++)
        if (living->keys[i].everywhere && (!found || matters_more(&living->keys[i], found)))
            found = &living->keys[i];
    return found;
}

static bool is_replaced(const struct living_key *key, const struct living_key *next)
{
    return matters_more(next, key) && (key->stained || is_newer(next, key));
}

/* No value needs it, and none that does is on its way. */
static bool is_unused(const struct key_view *view, const struct grant *grant)
{
    return grant->purpose != KEY_DATA || (view->is_caught_up(view->context) &&
                                          !view->is_sealed_with(view->context, &grant->key_id));
}

/* A key that the node no longer has opens nothing; the one that it has, has a grant as well. */
static bool is_outdated(const struct key_view *view,
                        const struct roster_node *node,
                        const struct grant *grant)
{
    return !opens(node, grant) && find_grant(view, node, grant->purpose, &grant->key_id);
}

static bool
is_over(const struct key_view *view, struct living_keys *living, const struct grant *grant)
{
    const struct roster_node *node = roster_find(view->roster, &grant->node_id);
    const struct living_key *next = successor(living);
    const struct living_key *key = find_living(living, &grant->key_id);
    if (!node)
        return false;
    if (!is_active(node) && !takes_along(node, grant->purpose))
        return true;
    if (is_active(node) && is_outdated(view, node, grant))
        return true;
    return next && (!key || is_replaced(key, next)) && is_unused(view, grant);
}

bool key_plan_deletions(const struct key_view *view,
                        enum key_purpose purpose,
                        struct change_set *out)
{
    struct living_keys living;
    bool planned = true;
    living_keys_read(view, purpose, &living);
    for (size_t i = 0; planned && i < view->grants->count; i++) {
        const struct grant *grant = &view->grants->grants[i];
        if (grant->purpose == purpose && is_over(view, &living, grant))
            planned = grant_plan_delete(grant, out);
    }
    return planned;
}

/* ---- steps ------------------------------------------------------------------------------ */

static bool
wants_key(const struct key_view *view, const struct living_keys *living, enum key_reason *out)
{
    const struct living_key *newest = newest_clean(living);
    *out = living->count == 0 ? KEY_REASON_FIRST : !newest ? KEY_REASON_LEFT : KEY_REASON_AGE;
    return !newest || view->now_ms >= newest->created_ms + rotation_ms;
}

static bool plan_creation(const struct key_view *view,
                          enum key_purpose purpose,
                          const struct living_keys *living,
                          struct key_step *out)
{
    enum key_reason reason;
    unsigned rank;
    if (!has_room(living) || !wants_key(view, living, &reason) ||
        !find_turn(view, purpose, NULL, &rank))
        return false;
    *out = (struct key_step){
        .kind = KEY_STEP_CREATE, .purpose = purpose, .reason = reason, .rank = rank};
    return true;
}

/* A node that was admitted on the other side of a cut from the one where the key was made. */
static bool
plan_grants(const struct key_view *view, const struct living_keys *living, struct key_step *out)
{
    for (size_t k = 0; k < living->count; k++) {
        const struct living_key *key = &living->keys[k];
        bool all_have = true;
        for (size_t i = 0; i < view->roster->count; i++) {
            const struct roster_node *node = &view->roster->nodes[i];
            all_have &= !is_active(node) || find_grant(view, node, key->purpose, &key->id);
        }
        unsigned rank;
        if (all_have || key->stained || !keyring_find(view->keyring, key->purpose, &key->id) ||
            !find_turn(view, key->purpose, &key->id, &rank))
            continue;
        *out = (struct key_step){.kind = KEY_STEP_GRANT, .purpose = key->purpose, .rank = rank};
        return true;
    }
    return false;
}

static bool plan_resealing(const struct key_view *view,
                           const struct living_keys *living,
                           struct key_step *out)
{
    const struct living_key *next = successor(living);
    bool is_needed = false;
    unsigned rank;
    if (!next || next->purpose != KEY_DATA || !find_turn(view, KEY_DATA, &next->id, &rank))
        return false;
    for (size_t i = 0; i < living->count; i++)
        is_needed |= is_replaced(&living->keys[i], next) &&
                     view->is_sealed_with(view->context, &living->keys[i].id);
    *out = (struct key_step){
        .kind = KEY_STEP_RESEAL, .purpose = KEY_DATA, .key_id = next->id, .rank = rank};
    return is_needed;
}

static bool plan_deletion(const struct key_view *view,
                          enum key_purpose purpose,
                          struct living_keys *living,
                          struct key_step *out)
{
    for (size_t i = 0; i < view->grants->count; i++) {
        const struct grant *grant = &view->grants->grants[i];
        if (grant->purpose != purpose || !is_over(view, living, grant))
            continue;
        *out = (struct key_step){.kind = KEY_STEP_DELETE, .purpose = purpose};
        return find_turn(view, purpose, NULL, &out->rank);
    }
    return false;
}

void key_plan_next(const struct key_view *view, enum key_purpose purpose, struct key_step *out)
{
    struct living_keys living;
    living_keys_read(view, purpose, &living);
    if (!plan_creation(view, purpose, &living, out) && !plan_grants(view, &living, out) &&
        !plan_resealing(view, &living, out) && !plan_deletion(view, purpose, &living, out))
        *out = (struct key_step){.kind = KEY_STEP_NONE, .purpose = purpose};
}

uint64_t key_plan_created_ms(const struct key_view *view, enum key_purpose purpose)
{
    struct living_keys living;
    living_keys_read(view, purpose, &living);
    const struct living_key *newest = newest_clean(&living);
    uint64_t after = newest ? newest->created_ms + 1 : 0;
    after = after < GRANT_CREATED_MAXIMUM_MS ? after : GRANT_CREATED_MAXIMUM_MS;
    return after > view->now_ms ? after : view->now_ms;
}

bool key_plan_may_rotate(const struct key_view *view,
                         enum key_purpose purpose,
                         struct error *error)
{
    static const char *const names[] = {"cluster secrets", "data keys"};
    struct living_keys living;
    living_keys_read(view, purpose, &living);
    const struct living_key *newest = newest_clean(&living);
    if (has_room(&living) || !newest)
        return true;
    if (newest->lacks)
        return error_set(error, ERROR_CONFLICT,
                         "there are %zu %s already, and node %.64s does not have the last one "
                         "yet: start it, or remove it with lbnode node remove",
                         living.count, names[purpose], newest->lacks->name);
    return error_set(error, ERROR_CONFLICT,
                     "there are %zu %s already; all nodes have the last one, and the others go "
                     "in a moment: try again",
                     living.count, names[purpose]);
}
