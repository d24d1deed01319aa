/* The secret keys of the cluster on a running node: reading them, and who has which. */
#include "lbnode/base/monotime.h"
#include "replication/key_plan.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"
#include "replication/transport.h"

/* ---- reading ---------------------------------------------------------------------------- */

static bool has_record(const void *context, const struct uuid *node_id, struct dot dot)
{
    return core_node_has(context, node_id, dot);
}

/* True: which one is in use may have changed. */
static bool mark_everywhere(struct replication *replication)
{
    struct grant_list grants = {0};
    struct key_view view = {
        .facets = core_facets(replication->core),
        .roster = core_roster(replication->core),
        .grants = &grants,
        .has = has_record,
        .context = replication->core,
    };
    bool changed = false;
    grant_list_read(view.facets, &grants);
    for (size_t i = 0; i < grants.count; i++) {
        const struct grant *grant = &grants.grants[i];
        if (uuid_equal(&grant->node_id, &replication->node_id))
            changed |= keyring_set_everywhere(
                replication->keyring, grant->purpose, &grant->key_id,
                key_is_everywhere(&view, grant->purpose, &grant->key_id, NULL));
    }
    grant_list_free(&grants);
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

void keys_follow(struct replication *replication)
{
    const struct facet_table *facets = core_facets(replication->core);
    struct key_watch now = {replication->core, facets->trust_version};
    struct key_watch *seen = &replication->key_watch;
    if (!replication->keyring ||
        (seen->core == now.core && seen->trust_version == now.trust_version))
        return;
    *seen = now;
    bool changed = keyring_update(replication->keyring, facets, &replication->node_id);
    if (mark_everywhere(replication) || changed)
        transport_keys_changed(replication->transport);
}

void keys_tick(struct replication *replication)
{
    keys_follow(replication);
    if (!all_are_everywhere(replication->keyring) && mark_everywhere(replication))
        transport_keys_changed(replication->transport);
}

/* ---- making ----------------------------------------------------------------------------- */

/* By the hybrid clock: a key is newer than all that its maker knew of. */
static uint64_t made_now_ms(const struct replication *replication)
{
    uint64_t wall_ms = walltime_now_ms(), clock_ms = core_clock(replication->core) >> 16;
    return clock_ms > wall_ms ? clock_ms : wall_ms;
}

bool keys_plan_first(const struct replication *replication,
                     const struct roster *roster,
                     struct change_set *out)
{
    bool planned = true;
    for (int purpose = 0; planned && purpose < KEY_PURPOSE_COUNT; purpose++)
        planned = keyring_plan_new(replication->keyring, (enum key_purpose)purpose, roster,
                                   made_now_ms(replication), out);
    return planned;
}

/* ---- for sensitive attributes ------------------------------------------------------------ */

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
