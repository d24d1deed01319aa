#include "replication/recovery.h"

#include "lbnode/base/monotime.h"
#include "lbnode/base/random.h"
#include "lbnode/model/field_table.h"
#include "replication/base32.h"
#include "replication/core_root.h"
#include "replication/keyring.h"
#include "replication/memory.h"
#include "replication/node_key.h"
#include "replication/replication_internal.h"
#include "replication/state_store.h"
#include "replication/token_store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct recovery {
    char state_dir[PATH_MAX], key_path[PATH_MAX];
    bool was_credential;
    struct core_settings settings; /* of the node that it was */
    struct sign_key *key,
        *next; /* next: it was getting a new key, which is in force; or NULL */
    struct core_now now;
    struct store *store;
    struct core *core;
};

void recovery_close(struct recovery *recovery)
{
    if (!recovery)
        return;
    core_free(recovery->core);
    store_close(recovery->store);
    sign_key_free(recovery->key);
    sign_key_free(recovery->next);
    free(recovery);
}

/* ---- is there anything to recover? ------------------------------------------------------ */

static const struct roster_node *other_member(const struct recovery *recovery)
{
    const struct roster *roster = core_roster(recovery->core);
    for (size_t i = 0; i < roster->count; i++)
        if (roster->nodes[i].status == NODE_ACTIVE &&
            !uuid_equal(&roster->nodes[i].id, &recovery->settings.node_id))
            return &roster->nodes[i];
    return NULL;
}

static bool is_needed(const struct recovery *recovery, bool force, struct error *error)
{
    const struct core *core = recovery->core;
    if (!core_is_initialised(core))
        return error_set(error, ERROR_CONFLICT,
                         "this node is in no cluster: there is nothing to recover");
    if (!core_was_removed(core) && !removal_is_noted(recovery->store))
        return error_set(error, ERROR_CONFLICT,
                         "this node was not removed from cluster %.64s: it needs no recovery; "
                         "nodes that are gone are taken out by lbnode node remove --dead",
                         core_genesis(core)->cluster_name);
    const struct roster_node *other = other_member(recovery);
    return force || !other ||
           error_set(error, ERROR_CONFLICT,
                     "as far as this node knows %.64s is still a member of the cluster: run "
                     "lbnode token create there, and let this node join with an empty state "
                     "directory. When that one is gone for good, or was removed, too: "
                     "lbnode cluster recover --force",
                     other->name);
}

/* A rekey that broke off. */
static void find_next(struct recovery *recovery)
{
    const struct uuid *id = &recovery->settings.node_id;
    const struct roster_node *own =
        recovery->core ? roster_find(core_roster(recovery->core), id) : NULL;
    struct sign_key *next = own ? node_key_read_next(recovery->key_path, id) : NULL;
    if (next && memcmp(sign_key_public(next), own->public_key, SIGN_PUBLIC_KEY_SIZE) == 0)
        recovery->next = next;
    else
        sign_key_free(next);
}

static bool load(struct recovery *recovery, struct error *error)
{
    struct state_store opened;
    recovery_finish(recovery->state_dir);
    recovery->key = node_key_find(recovery->state_dir, &recovery->settings.node_id, error);
    if (!recovery->key)
        return false;
    recovery->settings.key = recovery->key;
    recovery->settings.incarnation = recovery->now.wall_ms;
    recovery->settings.random_seed = random_u64();
    if (!state_store_open(recovery->state_dir, &recovery->settings, &opened, error))
        return false;
    recovery->store = opened.store;
    recovery->core = core_load(&recovery->settings, recovery->store, recovery->now, error);
    find_next(recovery);
    return recovery->core;
}

struct recovery *recovery_open(const char *state_dir, bool force, struct error *error)
{
    struct recovery *recovery = memory_new(sizeof(*recovery));
    snprintf(recovery->state_dir, sizeof(recovery->state_dir), "%s", state_dir);
    snprintf(recovery->key_path, sizeof(recovery->key_path), "%.4000s/node.key", state_dir);
    recovery->was_credential = access(recovery->key_path, F_OK) != 0;
    recovery->now = (struct core_now){monotime_now_us(), walltime_now_ms()};
    if (load(recovery, error) && is_needed(recovery, force, error))
        return recovery;
    recovery_close(recovery);
    return NULL;
}

/* ---- the code --------------------------------------------------------------------------- */

struct sign_key *
recovery_read_code(const struct recovery *recovery, const char *code, struct error *error)
{
    const struct genesis *genesis = core_genesis(recovery->core);
    uint8_t *seed = secret_allocate(SIGN_SEED_SIZE + BASE32_CHECKSUM_SIZE);
    bool whole =
        base32_decode(code, seed, SIGN_SEED_SIZE + BASE32_CHECKSUM_SIZE) == SIGN_SEED_SIZE;
    struct sign_key *root = whole ? sign_key_from_seed(seed) : NULL;
    secret_free(seed);
    if (!whole)
        error_set(error, ERROR_USAGE,
                  "this is not a complete recovery code; nothing was changed");
    if (!root || memcmp(sign_key_public(root), genesis->root_key, SIGN_PUBLIC_KEY_SIZE) == 0)
        return root;
    sign_key_free(root);
    error_set(error, ERROR_REFUSED,
              "this is the recovery code of another cluster than %.64s; nothing was changed",
              genesis->cluster_name);
    return NULL;
}

/* ---- the record ------------------------------------------------------------------------- */

/* All that was true of this node is true of the new one, but who it is. */
static bool plan_new_self(const struct recovery *recovery,
                          const struct uuid *id,
                          const struct sign_key *key,
                          struct change_set *out,
                          struct recovery_report *report)
{
    const struct facet_table *facets = core_facets(recovery->core);
    const struct object *object = facet_object(facets, &recovery->settings.node_id);
    struct node *before = object ? roster_read_node(facets, object) : NULL;
    struct resource *after = before ? resource_copy(&before->resource) : NULL;
    struct node *node = after ? CONTAINER_OF(after, struct node, resource) : NULL;
    if (node) {
        after->id = *id;
        node->status = NODE_ACTIVE;
        node->drain = node->leaving = false;
        text_list_free(&node->cutoff);
        snprintf(report->node_name, sizeof(report->node_name), "%s", after->name);
    }
    bool planned = node && membership_set_key(node, sign_key_public(key)) &&
                   change_set_add_create(out, after);
    resource_free(after);
    resource_free(before ? &before->resource : NULL);
    return planned;
}

static bool plan_grants(const struct recovery *recovery,
                        const struct uuid *id,
                        const struct sign_key *key,
                        struct change_set *out,
                        struct recovery_report *report)
{
    const struct facet_table *facets = core_facets(recovery->core);
    struct keyring *keyring = keyring_new(recovery->next ? recovery->next : recovery->key);
    size_t count;
    keyring_update(keyring, facets, &recovery->settings.node_id);
    keyring_keys(keyring, KEY_DATA, &count);
    report->has_keys = count > 0;
    bool planned = keyring_plan_grants(keyring, facets, id, sign_key_public(key), out);
    keyring_free(keyring);
    return planned;
}

/* ---- the commit ------------------------------------------------------------------------- */

/* Performs what the core asks for. False with ERROR when the change was refused or the disk
 * did not take it. */
static bool
perform(struct recovery *recovery, const struct core_event *event, struct error *error)
{
    struct core_actions actions = {0};
    bool persisted = false;
    int result = 0;
    core_step(recovery->core, event, recovery->now, &actions);
    for (size_t i = 0; i < actions.count && !result; i++) {
        const struct core_action *action = &actions.items[i];
        if (action->kind == CORE_PERSIST) {
            result = store_commit(recovery->store, &action->batch);
            persisted = true;
        }
        if (action->kind == CORE_ANSWER && action->answer.error.kind != ERROR_NONE)
            *error = action->answer.error;
    }
    core_actions_free(&actions);
    if (result)
        return error_set(error, ERROR_REFUSED, "the store cannot be written: %s",
                         strerror(-result));
    return error->kind == ERROR_NONE &&
           (!persisted ||
            perform(recovery, &(struct core_event){.kind = CORE_PERSISTED}, error));
}

static bool commit(struct recovery *recovery,
                   const struct change_set *changes,
                   const struct uuid *id,
                   const struct sign_key *root,
                   struct error *error)
{
    struct store_batch extra = {0};
    const struct uuid change_id = uuid_random();
    state_store_give(id, &extra);
    removal_forget(&extra);
    token_rows_clear(recovery->store, &extra); /* they name the old key */
    const struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes,
                   .change_id = change_id,
                   .author = "root",
                   .via = "recovery",
                   .kind = RECORD_ROSTER,
                   .extra = &extra,
                   .root = root},
    };
    *error = (struct error){0};
    bool done = perform(recovery, &event, error) &&
                perform(recovery, &(struct core_event){.kind = CORE_STAGE}, error);
    store_batch_free(&extra);
    if (done && !core_knows_change(recovery->core, &change_id))
        return error_set(error, ERROR_INTERNAL, "the change could not be made");
    return done;
}

/* Should the store be damaged before the next copy is made, an older state would come back, in
 * which this node is not known. */
static void forget_copy(const struct recovery *recovery)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.4000s/" STATE_STORE_COPY, recovery->state_dir);
    unlink(path);
}

bool recovery_make(struct recovery *recovery,
                   const struct sign_key *root,
                   struct recovery_report *out,
                   struct error *error)
{
    struct change_set changes = {0};
    const struct uuid id = uuid_random();
    struct sign_key *key = sign_key_generate();
    *out = (struct recovery_report){.was_credential = recovery->was_credential};
    snprintf(out->cluster_name, sizeof(out->cluster_name), "%s",
             core_genesis(recovery->core)->cluster_name);
    bool made = (plan_new_self(recovery, &id, key, &changes, out) &&
                 plan_grants(recovery, &id, key, &changes, out) &&
                 core_plan_exits(recovery->core, &changes, &out->removed)) ||
                error_set(error, ERROR_CONFLICT,
                          "what the cluster knows of this node is damaged: recover another "
                          "one, or start a new cluster from a backup");
    made = made && node_key_write_next(recovery->key_path, &id, key, error) &&
           commit(recovery, &changes, &id, root, error);
    if (made && !node_key_take_next(recovery->key_path))
        made = error_set(error, ERROR_REFUSED,
                         "%.200s.new cannot be renamed: %s; it is done at the next start",
                         recovery->key_path, strerror(errno));
    if (made)
        forget_copy(recovery);
    change_set_free(&changes);
    sign_key_free(key);
    return made;
}

void recovery_finish(const char *state_dir)
{
    char path[PATH_MAX];
    struct uuid next, present;
    struct error ignored;
    snprintf(path, sizeof(path), "%s/node.key", state_dir);
    if (!node_key_next_is_of(path, &next))
        return;
    struct sign_key *key = node_key_find(state_dir, &present, &ignored);
    if (key && !uuid_equal(&next, &present) && state_store_is_of(state_dir, &next))
        node_key_take_next(path);
    sign_key_free(key);
}
