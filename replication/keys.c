/* The secret keys of the cluster on a running node: reads them, watches who has which, and
 * takes the steps of key_plan.h. */
#include "lbnode/base/monotime.h"
#include "lbnode/model/sensitive.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"
#include "replication/transport.h"

enum {
    SHORT_ID_BYTES = 4
};

static const uint64_t mark_us = 200000;

/* ---- what is known ---------------------------------------------------------------------- */

static bool has_record(const void *context, const struct uuid *node_id, struct dot dot)
{
    const struct replication *replication = context;
    return core_node_has(replication->core, node_id, dot);
}

static bool is_up(const void *context, const struct uuid *node_id)
{
    const struct replication *replication = context;
    return core_node_is_up(replication->core, node_id);
}

static bool is_caught_up(const void *context)
{
    const struct replication *replication = context;
    return core_is_caught_up(replication->core);
}

static bool object_is_sealed_with(const struct facet_table *table,
                                  const struct object *object,
                                  const struct sensitive_keys *keys,
                                  const struct uuid *key_id)
{
    for (size_t f = 0; f < object->count; f++) {
        const struct raw_facet facet = facet_view(object, &object->facets[f]);
        if (sensitive_is_sealed_with(&facet, keys, key_id))
            return facet_object_counts(table, object);
    }
    return false;
}

static bool is_sealed_with(const void *context, const struct uuid *key_id)
{
    const struct replication *replication = context;
    const struct facet_table *table = core_facets(replication->core);
    const struct object *object;
    struct sensitive_keys keys;
    keys.count = replication_data_keys(replication, keys.keys, SENSITIVE_KEYS_MAXIMUM);
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));)
        if (object_is_sealed_with(table, object, &keys, key_id))
            return true;
    return false;
}

uint64_t keys_now_ms(const struct replication *replication)
{
    uint64_t wall_ms = walltime_now_ms(), clock_ms = core_clock(replication->core) >> 16;
    return clock_ms > wall_ms ? clock_ms : wall_ms;
}

struct key_view keys_view(const struct replication *replication)
{
    return (struct key_view){
        .own_id = replication->node_id,
        .facets = core_facets(replication->core),
        .roster = core_roster(replication->core),
        .grants = &replication->key_watch.grants,
        .keyring = replication->keyring,
        .now_ms = keys_now_ms(replication),
        .has = has_record,
        .is_up = is_up,
        .is_caught_up = is_caught_up,
        .is_sealed_with = is_sealed_with,
        .context = replication,
    };
}

/* ---- following -------------------------------------------------------------------------- */

/* True: which one is in use may have changed. */
static bool mark_everywhere(struct replication *replication)
{
    const struct key_view view = keys_view(replication);
    struct living_keys living;
    bool changed = false;
    for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
        living_keys_read(&view, (enum key_purpose)purpose, &living);
        for (size_t i = 0; i < living.count; i++)
            changed |= keyring_set_everywhere(replication->keyring, (enum key_purpose)purpose,
                                              &living.keys[i].id, living.keys[i].everywhere);
    }
    return changed;
}

static bool all_are_everywhere(const struct keyring *keyring)
{
    for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
        size_t count;
        const struct keyring_key *keys =
            keyring_keys(keyring, (enum key_purpose)purpose, &count);
        for (size_t i = 0; i < count; i++)
            if (!keys[i].everywhere)
                return false;
    }
    return true;
}

bool keys_are_known(const struct replication *replication)
{
    return replication->settings.protocol >= REPLICATION_PROTOCOL_SESSIONS;
}

void keys_follow(struct replication *replication)
{
    const struct facet_table *facets = core_facets(replication->core);
    struct key_watch *watch = &replication->key_watch;
    if (!replication->keyring || !keys_are_known(replication) ||
        (watch->core == replication->core && watch->trust_version == facets->trust_version))
        return;
    watch->core = replication->core;
    watch->trust_version = facets->trust_version;
    grant_list_read(facets, &watch->grants);
    bool changed = keyring_update(replication->keyring, facets, &replication->node_id);
    if (mark_everywhere(replication) || changed)
        transport_keys_changed(replication->transport);
}

void keys_open(struct replication *replication)
{
    keyring_free(replication->keyring);
    replication->keyring = keyring_new(replication->key);
    replication->key_watch.core = NULL;
    replication->key_watch.started_us = monotime_now_us();
    keys_follow(replication);
}

void keys_close(struct replication *replication)
{
    keyring_free(replication->keyring);
    replication->keyring = NULL;
    grant_list_free(&replication->key_watch.grants);
}

void keys_tick(struct replication *replication)
{
    uint64_t now_us = monotime_now_us();
    keys_follow(replication);
    if (now_us >= replication->key_watch.marked_us + mark_us) {
        replication->key_watch.marked_us = now_us;
        if (!all_are_everywhere(replication->keyring) && mark_everywhere(replication))
            transport_keys_changed(replication->transport);
    }
    if (keys_are_known(replication))
        key_steps_tick(replication);
}

/* ---- for people ------------------------------------------------------------------------- */

static void summarise(const struct living_keys *living, size_t index, struct key_summary *out)
{
    const struct living_key *key = &living->keys[index], *used = living_keys_in_use(living);
    *out = (struct key_summary){
        .purpose = key->purpose,
        .use = key == used  ? KEY_IN_USE
               : key < used ? KEY_COMING
                            : KEY_GOING,
        .created_ms = key->created_ms,
        .lacks = key->lacks ? key->lacks->name : NULL,
        .knows = key->stained ? key->stained->name : NULL,
    };
    bytes_to_hex((struct bytes){key->id.bytes, SHORT_ID_BYTES}, out->id);
}

void replication_visit_keys(const struct replication *replication,
                            void (*visit)(void *context, const struct key_summary *key),
                            void *context)
{
    const struct key_view view = keys_view(replication);
    struct living_keys living;
    struct key_summary summary;
    for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
        living_keys_read(&view, (enum key_purpose)purpose, &living);
        for (size_t i = 0; i < living.count; i++) {
            summarise(&living, i, &summary);
            visit(context, &summary);
        }
    }
}

/* ---- for sensitive attributes ----------------------------------------------------------- */

size_t replication_data_keys(const struct replication *replication,
                             struct secret_box_key *out,
                             size_t capacity)
{
    size_t count;
    const struct keyring_key *keys = keyring_all(replication->keyring, KEY_DATA, &count);
    count = count < capacity ? count : capacity;
    for (size_t i = 0; i < count; i++)
        out[i] = (struct secret_box_key){keys[i].id, keys[i].secret};
    return count;
}
