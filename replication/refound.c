/* A new cluster out of a backup of another one: its records are gathered and checked in memory,
 * what they lead to is written again as this node's own changes, and nothing else of the old
 * cluster is kept: neither its id, nor its nodes, nor its root key. */
#include "replication/backup_parts.h"
#include "replication/memory.h"
#include "replication/record_set.h"
#include "replication/replication_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    SETS = 63,       /* changes, which share a commit with the first one */
    SET_OPS = 32768, /* of one change */
    SET_BYTES = 2 << 20,
    GATHER_MS = 60000 /* from one part of a backup to the next */
};

struct refounding {
    struct record_set set;
    uint64_t touched_ms;
};

/* ---- gathering -------------------------------------------------------------------------- */

void refound_cancel(struct replication *replication)
{
    if (!replication->refounding)
        return;
    record_set_free(&replication->refounding->set);
    free(replication->refounding);
    replication->refounding = NULL;
}

static uint64_t now_ms(const struct replication *replication)
{
    return replication_now(replication).mono_us / 1000;
}

void refound_tick(struct replication *replication)
{
    const struct refounding *gathered = replication->refounding;
    if (gathered && now_ms(replication) > gathered->touched_ms + GATHER_MS)
        refound_cancel(replication);
}

static bool may_refound(const struct replication *replication, struct error *error)
{
    if (core_is_initialised(replication->core))
        return error_set(
            error, ERROR_CONFLICT,
            "this node is in cluster %.64s: a new cluster starts on a node that is "
            "in none; stop it and move its state directory away first",
            core_genesis(replication->core)->cluster_name);
    return (!replication->restore && !replication->join) ||
           error_set(error, ERROR_CONFLICT, "a restore or a join is under way already");
}

bool replication_refound_gather(struct replication *replication,
                                bool first,
                                struct bytes genesis,
                                const struct bytes *records,
                                size_t count,
                                struct error *error)
{
    if (!may_refound(replication, error))
        return false;
    if (first)
        refound_cancel(replication);
    if (!first && !replication->refounding)
        return error_set(error, ERROR_CONFLICT,
                         "the parts of the backup before this one are forgotten; start again");
    if (first)
        replication->refounding = memory_new(sizeof(struct refounding));
    struct refounding *gathered = replication->refounding;
    gathered->touched_ms = now_ms(replication);
    record_set_add_genesis(&gathered->set, genesis);
    for (size_t i = 0; i < count; i++) {
        if (backup_gather(records[i], &gathered->set))
            continue;
        refound_cancel(replication);
        return error_set(error, ERROR_INVALID,
                         "the backup is damaged, or larger than this node can take");
    }
    return true;
}

/* ---- what the records lead to ----------------------------------------------------------- */

struct plan {
    struct change_set sets[SETS];
    size_t count, bytes; /* bytes: of the last set */
    size_t objects;
    bool has_group, failed;
};

static void
plan_facet(struct plan *plan, const struct object *object, const struct facet_state *state)
{
    const struct facet_entry *entry = facet_seen(object, state);
    struct change_set *set = &plan->sets[plan->count - 1];
    if (!entry)
        return;
    if (set->count >= SET_OPS || plan->bytes + entry->value_size > SET_BYTES) {
        plan->failed |= plan->count == SETS;
        if (plan->failed)
            return;
        set = &plan->sets[plan->count++];
        plan->bytes = 0;
    }
    plan->failed |= !change_set_add(set, &object->id, &entry->owner, entry->type, state->facet,
                                    (struct bytes){entry->value, entry->value_size});
    plan->bytes += entry->value_size;
}

/* Nodes belong to the cluster that was; so do what is deleted, and what is below that. */
static void plan_objects(struct plan *plan, const struct facet_table *facets)
{
    const struct object *object;
    plan->count = 1;
    for (size_t i = 0; (object = uuid_map_next(&facets->objects, &i)) && !plan->failed;) {
        const struct facet_state *life = facet_of(object, FACET_LIFE);
        const struct facet_entry *entry = life ? facet_winner(life) : NULL;
        if (!entry || entry->type == RESOURCE_NODE || entry->type == RESOURCE_KEY_GRANT ||
            !facet_object_counts(facets, object))
            continue;
        plan->objects++;
        plan->has_group |= entry->type == RESOURCE_VRRP_GROUP;
        for (size_t k = 0; k < object->count; k++)
            plan_facet(plan, object, &object->facets[k]);
    }
}

/* A node of the old cluster still opens what was sealed there; it is sealed anew soon. */
static void plan_data_keys(struct plan *plan,
                           const struct replication *replication,
                           const struct core *core)
{
    struct keyring *keyring = keyring_new(replication->key);
    keyring_update(keyring, core_facets(core), &replication->node_id);
    plan->failed |=
        !keyring_plan_purpose(keyring, KEY_DATA, NULL, &replication->node_id,
                              sign_key_public(replication->key), &plan->sets[plan->count - 1]);
    keyring_free(keyring);
}

static void plan_free(struct plan *plan)
{
    for (size_t i = 0; plan && i < plan->count; i++)
        change_set_free(&plan->sets[i]);
    free(plan);
}

/* The state of the old cluster; its name into OUT_NAME. NULL with ERROR. */
static struct plan *plan_of(struct replication *replication,
                            struct refound_result *out,
                            char out_name[GENESIS_NAME_SIZE],
                            struct error *error)
{
    struct record_set *set = &replication->refounding->set;
    struct store *scratch = store_mem_open();
    const struct core_settings settings = {
        .node_id = replication->node_id, .key = replication->key, .random_seed = 1};
    out->offered = set->count;
    record_set_sort(set);
    struct core *core = record_set_replay(set, &settings, scratch, replication_now(replication),
                                          &out->applied, error);
    struct plan *plan = core ? memory_new(sizeof(*plan)) : NULL;
    if (plan) {
        memcpy(out_name, core_genesis(core)->cluster_name, GENESIS_NAME_SIZE);
        plan_objects(plan, core_facets(core));
        plan_data_keys(plan, replication, core);
        out->objects = plan->objects;
    }
    core_free(core);
    store_close(scratch);
    if (plan && !plan->failed)
        return plan;
    if (plan)
        error_set(error, ERROR_TOO_LARGE, "the backup has more than one commit can hold");
    plan_free(plan);
    return NULL;
}

bool replication_refound(struct replication *replication,
                         const char *cluster_name,
                         struct refound_result *out,
                         replication_done *done,
                         void *context,
                         struct error *error)
{
    char old_name[GENESIS_NAME_SIZE];
    if (!may_refound(replication, error))
        return false;
    if (!replication->refounding)
        return error_set(error, ERROR_CONFLICT, "there is no backup to start from");
    struct plan *plan = plan_of(replication, out, old_name, error);
    refound_cancel(replication);
    const struct founding founding = {
        .cluster_name = cluster_name ? cluster_name : old_name,
        .via = "restore",
        .sets = plan ? plan->sets : NULL,
        .set_count = plan ? plan->count : 0,
        .needs_group = plan && !plan->has_group,
    };
    bool good = plan && membership_found(replication, &founding, out->recovery_code, done,
                                         context, error);
    plan_free(plan);
    return good;
}
