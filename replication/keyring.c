#include "replication/keyring.h"

#include "lbnode/base/random.h"

#include <string.h>

struct key_list {
    struct keyring_key keys[KEYRING_KEPT]; /* newest first, but see arrange() */
    size_t count;
};

/* In guarded memory, as a whole. */
struct keyring {
    struct dh_key own;
    uint8_t own_public[SIGN_PUBLIC_KEY_SIZE], own_key_id[RECORD_KEY_ID_SIZE];
    struct key_list lists[KEY_PURPOSE_COUNT], next[KEY_PURPOSE_COUNT];
};

struct keyring *keyring_new(const struct sign_key *node_key)
{
    struct keyring *keyring = secret_allocate(sizeof(*keyring));
    dh_key_from_sign_key(node_key, &keyring->own);
    memcpy(keyring->own_public, sign_key_public(node_key), sizeof(keyring->own_public));
    record_key_id(keyring->own_public, keyring->own_key_id);
    return keyring;
}

void keyring_free(struct keyring *keyring)
{
    secret_free(keyring);
}

/* ---- reading grants --------------------------------------------------------------------- */

static bool is_newer(const struct keyring_key *a, const struct keyring_key *b)
{
    return a->created_ms != b->created_ms ? a->created_ms > b->created_ms
                                          : uuid_compare(&a->id, &b->id) > 0;
}

static struct keyring_key *find(struct key_list *list, const struct uuid *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (uuid_equal(&list->keys[i].id, id))
            return &list->keys[i];
    return NULL;
}

/* What the box has, if it is meant for this node and is the key that it says. */
static bool
open_grant(const struct keyring *keyring, const struct grant *grant, struct keyring_key *out)
{
    struct uuid name;
    if (memcmp(grant->receiver, keyring->own_key_id, sizeof(grant->receiver)) != 0 ||
        !sealed_box_open(&keyring->own, (struct bytes){grant->box, sizeof(grant->box)},
                         out->secret))
        return false;
    key_name(out->secret, &name);
    out->id = grant->key_id;
    return uuid_equal(&name, &grant->key_id);
}

/* Keeps the newest ones. */
static void insert(struct key_list *list, const struct keyring_key *key)
{
    size_t at = 0;
    while (at < list->count && is_newer(&list->keys[at], key))
        at++;
    if (at == KEYRING_KEPT)
        return;
    if (list->count < KEYRING_KEPT)
        list->count++;
    memmove(&list->keys[at + 1], &list->keys[at], (list->count - at - 1) * sizeof(*key));
    list->keys[at] = *key;
}

/* Grants tell when a key was made; the greatest counts, on all nodes. */
static uint64_t made_when(const struct grant_list *grants, const struct grant *of)
{
    uint64_t latest = of->created_ms;
    for (size_t i = 0; i < grants->count; i++)
        if (grants->grants[i].purpose == of->purpose &&
            uuid_equal(&grants->grants[i].key_id, &of->key_id) &&
            grants->grants[i].created_ms > latest)
            latest = grants->grants[i].created_ms;
    return latest;
}

static void
take_grant(struct keyring *keyring, const struct grant_list *grants, const struct grant *grant)
{
    struct key_list *next = &keyring->next[grant->purpose];
    const struct keyring_key *known = find(&keyring->lists[grant->purpose], &grant->key_id);
    struct keyring_key key = {0};
    if (find(next, &grant->key_id))
        return;
    if (known)
        key = *known;
    if (known || open_grant(keyring, grant, &key)) {
        key.created_ms = made_when(grants, grant);
        insert(next, &key);
    }
    secret_wipe(&key, sizeof(key));
}

/* The newest that is everywhere stands among the first ones. */
static void arrange(struct key_list *list)
{
    const size_t last = KEYRING_MAXIMUM - 1;
    size_t at = 0;
    while (at < list->count && !list->keys[at].everywhere)
        at++;
    if (at == list->count || at <= last)
        return;
    struct keyring_key moved = list->keys[at];
    memmove(&list->keys[last + 1], &list->keys[last], (at - last) * sizeof(moved));
    list->keys[last] = moved;
    secret_wipe(&moved, sizeof(moved));
}

static bool is_same(const struct key_list *a, const struct key_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = uuid_equal(&a->keys[i].id, &b->keys[i].id) &&
               a->keys[i].created_ms == b->keys[i].created_ms;
    return same;
}

bool keyring_update(struct keyring *keyring,
                    const struct facet_table *facets,
                    const struct uuid *node_id)
{
    struct grant_list grants = {0};
    grant_list_read(facets, &grants);
    secret_wipe(keyring->next, sizeof(keyring->next));
    for (size_t i = 0; i < grants.count; i++)
        if (uuid_equal(&grants.grants[i].node_id, node_id))
            take_grant(keyring, &grants, &grants.grants[i]);
    grant_list_free(&grants);
    bool changed = false;
    for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
        arrange(&keyring->next[purpose]);
        changed |= !is_same(&keyring->lists[purpose], &keyring->next[purpose]);
    }
    memcpy(keyring->lists, keyring->next, sizeof(keyring->lists));
    secret_wipe(keyring->next, sizeof(keyring->next));
    return changed;
}

/* ---- questions -------------------------------------------------------------------------- */

const struct keyring_key *
keyring_keys(const struct keyring *keyring, enum key_purpose purpose, size_t *count)
{
    const struct key_list *list = &keyring->lists[purpose];
    *count = list->count < KEYRING_MAXIMUM ? list->count : KEYRING_MAXIMUM;
    return list->keys;
}

const struct keyring_key *
keyring_all(const struct keyring *keyring, enum key_purpose purpose, size_t *count)
{
    *count = keyring->lists[purpose].count;
    return keyring->lists[purpose].keys;
}

const struct keyring_key *keyring_in_use(const struct keyring *keyring,
                                         enum key_purpose purpose)
{
    const struct key_list *list = &keyring->lists[purpose];
    for (size_t i = 0; i < list->count; i++)
        if (list->keys[i].everywhere)
            return &list->keys[i];
    return list->count > 0 ? &list->keys[list->count - 1] : NULL;
}

const struct keyring_key *
keyring_find(const struct keyring *keyring, enum key_purpose purpose, const struct uuid *id)
{
    return find((struct key_list *)(uintptr_t)&keyring->lists[purpose], id);
}

bool keyring_set_everywhere(struct keyring *keyring,
                            enum key_purpose purpose,
                            const struct uuid *id,
                            bool everywhere)
{
    struct keyring_key *key = find(&keyring->lists[purpose], id);
    if (!key || key->everywhere == everywhere)
        return false;
    key->everywhere = everywhere;
    arrange(&keyring->lists[purpose]);
    return true;
}

uint16_t keyring_version(const struct keyring_key *key)
{
    return load_be16(key->id.bytes);
}

/* ---- planning --------------------------------------------------------------------------- */

static bool has_grant(const struct grant_list *grants,
                      const struct uuid *node_id,
                      const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                      const struct uuid *key_id)
{
    uint8_t receiver[RECORD_KEY_ID_SIZE];
    record_key_id(public_key, receiver);
    for (size_t i = 0; i < grants->count; i++)
        if (uuid_equal(&grants->grants[i].node_id, node_id) &&
            uuid_equal(&grants->grants[i].key_id, key_id) &&
            memcmp(grants->grants[i].receiver, receiver, sizeof(receiver)) == 0)
            return true;
    return false;
}

bool keyring_plan_purpose(const struct keyring *keyring,
                          enum key_purpose purpose,
                          const struct facet_table *facets,
                          const struct uuid *node_id,
                          const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                          struct change_set *out)
{
    const struct key_list *list = &keyring->lists[purpose];
    struct grant_list grants = {0};
    bool planned = true;
    if (facets)
        grant_list_read(facets, &grants);
    for (size_t i = 0; planned && i < list->count; i++) {
        const struct grant_wish wish = {
            .purpose = purpose,
            .created_ms = list->keys[i].created_ms,
            .secret = list->keys[i].secret,
            .node_id = node_id,
            .public_key = public_key,
            .granter = keyring->own_public,
        };
        planned = has_grant(&grants, node_id, public_key, &list->keys[i].id) ||
                  grant_plan(&wish, out);
    }
    grant_list_free(&grants);
    return planned;
}

bool keyring_plan_grants(const struct keyring *keyring,
                         const struct facet_table *facets,
                         const struct uuid *node_id,
                         const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                         struct change_set *out)
{
    return keyring_plan_purpose(keyring, KEY_CLUSTER_SECRET, facets, node_id, public_key,
                                out) &&
           keyring_plan_purpose(keyring, KEY_DATA, facets, node_id, public_key, out);
}

/* The version of a key is not that of another one. */
static void make_secret(const struct key_list *known, uint8_t out[KEY_SIZE])
{
    struct keyring_key key = {0};
    bool is_taken;
    do {
        random_bytes(out, KEY_SIZE);
        key_name(out, &key.id);
        is_taken = false;
        for (size_t i = 0; i < known->count; i++)
            is_taken |= keyring_version(&known->keys[i]) == keyring_version(&key);
    } while (is_taken);
}

bool keyring_plan_new(const struct keyring *keyring,
                      enum key_purpose purpose,
                      const struct roster *roster,
                      uint64_t created_ms,
                      struct change_set *out)
{
    uint8_t secret[KEY_SIZE];
    bool planned = true;
    make_secret(&keyring->lists[purpose], secret);
    for (size_t i = 0; planned && i < roster->count; i++) {
        const struct grant_wish wish = {
            .purpose = purpose,
            .created_ms = created_ms,
            .secret = secret,
            .node_id = &roster->nodes[i].id,
            .public_key = roster->nodes[i].public_key,
            .granter = keyring->own_public,
        };
        planned = roster->nodes[i].status != NODE_ACTIVE || grant_plan(&wish, out);
    }
    secret_wipe(secret, sizeof(secret));
    return planned;
}
