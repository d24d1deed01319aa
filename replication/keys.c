/* The secret keys of the cluster on a running node: reads them, watches who has which, and
 * takes the steps of key_plan.h. */
#include "lbnode/base/monotime.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"
#include "replication/transport.h"

#include <stdio.h>

enum {
    SHORT_ID_BYTES = 4
};

static const uint64_t look_us = 1000000;
/* A node that has just been started does not know yet who else answers. */
static const uint64_t quiet_us = 5000000;
/* What another node may be about to do itself. */
static const uint64_t hold_us = 900000;

static const char *const purpose_names[] = {"cluster secret", "data key"};

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

static bool is_sealed_with(const void *context, const struct uuid *key_id)
{
    return false; /* no attribute is sealed */
}

/* By the hybrid clock: a key is newer than all that its maker knew of. */
static uint64_t now_ms(const struct replication *replication)
{
    uint64_t wall_ms = walltime_now_ms(), clock_ms = core_clock(replication->core) >> 16;
    return clock_ms > wall_ms ? clock_ms : wall_ms;
}

static struct key_view view_of(const struct replication *replication)
{
    return (struct key_view){
        .own_id = replication->node_id,
        .facets = core_facets(replication->core),
        .roster = core_roster(replication->core),
        .grants = &replication->key_watch.grants,
        .now_ms = now_ms(replication),
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
    const struct key_view view = view_of(replication);
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

void keys_follow(struct replication *replication)
{
    const struct facet_table *facets = core_facets(replication->core);
    struct key_watch *watch = &replication->key_watch;
    if (!replication->keyring ||
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
    replication->keyring = keyring_new(replication->key);
    replication->key_watch.started_us = monotime_now_us();
    keys_follow(replication);
}

void keys_close(struct replication *replication)
{
    keyring_free(replication->keyring);
    replication->keyring = NULL;
    grant_list_free(&replication->key_watch.grants);
}

/* ---- steps ------------------------------------------------------------------------------ */

static bool plan_grants(struct replication *replication, struct change_set *out)
{
    const struct roster *roster = core_roster(replication->core);
    bool planned = true;
    for (size_t i = 0; planned && i < roster->count; i++)
        if (roster->nodes[i].status == NODE_ACTIVE)
            planned =
                keyring_plan_grants(replication->keyring, core_facets(replication->core),
                                    &roster->nodes[i].id, roster->nodes[i].public_key, out);
    return planned;
}

static bool plan_new(struct replication *replication,
                     const struct key_view *view,
                     enum key_purpose purpose,
                     struct change_set *out)
{
    return keyring_plan_new(replication->keyring, purpose, view->roster,
                            key_plan_created_ms(view, purpose), out);
}

static bool plan_step(struct replication *replication,
                      const struct key_view *view,
                      const struct key_step *step,
                      struct change_set *out)
{
    switch (step->kind) {
    case KEY_STEP_CREATE: return plan_new(replication, view, step->purpose, out);
    case KEY_STEP_GRANT: return plan_grants(replication, out);
    case KEY_STEP_RESEAL: return false;
    case KEY_STEP_DELETE: return key_plan_deletions(view, step->purpose, out);
    case KEY_STEP_NONE: break;
    }
    return false;
}

static void tell_step(struct replication *replication, const struct key_step *step)
{
    static const char *const reasons[] = {
        [KEY_REASON_FIRST] = "there was none",
        [KEY_REASON_LEFT] = "a node that knows the last one was removed",
        [KEY_REASON_AGE] = "the last one is 90 days old",
    };
    char text[200];
    if (step->kind == KEY_STEP_CREATE) {
        snprintf(text, sizeof(text), "a new %s: %s", purpose_names[step->purpose],
                 reasons[step->reason]);
        replication_event(replication, EVENT_KEY_CREATED, text);
    } else if (step->kind == KEY_STEP_DELETE) {
        snprintf(text, sizeof(text), "what nodes had of old %ss is deleted",
                 purpose_names[step->purpose]);
        replication_event(replication, EVENT_KEY_RETIRED, text);
    }
}

static void on_step_done(void *context, const struct submit_result *result)
{
    struct replication *replication = context;
    replication->key_watch.is_busy = false;
}

static void submit(struct replication *replication,
                   const struct change_set *changes,
                   const struct submit_options *options,
                   submit_done *done,
                   void *context)
{
    const struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes,
                   .change_id =
                       uuid_is_zero(&options->change_id) ? uuid_random() : options->change_id,
                   .author = options->author,
                   .via = options->via,
                   .require_replica = options->require_replica,
                   .kind = RECORD_ROSTER,
                   .token = replication_await(replication, done, NULL, context)},
    };
    replication_step(replication, &event);
}

static void take_step(struct replication *replication,
                      const struct key_view *view,
                      const struct key_step *step)
{
    const struct submit_options options = {.author = "lbnode", .via = "keys"};
    struct change_set changes = {0};
    if (plan_step(replication, view, step, &changes) && changes.count > 0) {
        tell_step(replication, step);
        replication->key_watch.is_busy = true;
        submit(replication, &changes, &options, on_step_done, replication);
    }
    change_set_free(&changes);
}

static bool may_act(const struct replication *replication)
{
    struct bootstrap_view bootstrap;
    const struct core *core = replication->core;
    return core_is_initialised(core) && !core_was_removed(core) &&
           !core_bootstrap(core, &bootstrap) && !*core_storage_problem(core) &&
           roster_find(core_roster(core), &replication->node_id);
}

/* A step that stays due is taken. */
static void look(struct replication *replication, uint64_t now_us)
{
    struct key_watch *watch = &replication->key_watch;
    const struct key_view view = view_of(replication);
    struct key_step step;
    key_plan_next(&view, &step);
    if (step.kind != watch->step.kind || step.purpose != watch->step.purpose) {
        watch->step = step;
        watch->step_since_us = now_us;
    } else if (step.kind != KEY_STEP_NONE && now_us >= watch->step_since_us + hold_us) {
        watch->step = (struct key_step){0};
        take_step(replication, &view, &step);
    }
}

void keys_tick(struct replication *replication)
{
    struct key_watch *watch = &replication->key_watch;
    uint64_t now_us = monotime_now_us();
    keys_follow(replication);
    if (!all_are_everywhere(replication->keyring) && mark_everywhere(replication))
        transport_keys_changed(replication->transport);
    if (now_us < watch->looked_us + look_us || now_us < watch->started_us + quiet_us)
        return;
    watch->looked_us = now_us;
    if (!watch->is_busy && may_act(replication))
        look(replication, now_us);
}

/* ---- by hand ---------------------------------------------------------------------------- */

bool keys_plan_first(const struct replication *replication,
                     const struct roster *roster,
                     struct change_set *out)
{
    bool planned = true;
    for (int purpose = 0; planned && purpose < KEY_PURPOSE_COUNT; purpose++)
        planned = keyring_plan_new(replication->keyring, (enum key_purpose)purpose, roster,
                                   now_ms(replication), out);
    return planned;
}

static bool plan_rotation(struct replication *replication,
                          unsigned purposes,
                          struct change_set *out,
                          struct error *error)
{
    const struct key_view view = view_of(replication);
    for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
        if (!(purposes & 1u << purpose))
            continue;
        if (!key_plan_may_rotate(&view, (enum key_purpose)purpose, error))
            return false;
        if (!plan_new(replication, &view, (enum key_purpose)purpose, out))
            return error_set(error, ERROR_INTERNAL, "the new keys do not fit into a change");
    }
    return true;
}

void replication_rotate_keys(struct replication *replication,
                             unsigned purposes,
                             const struct submit_options *options,
                             submit_done *done,
                             void *context)
{
    struct change_set changes = {0};
    struct submit_result refused = {0};
    if (plan_rotation(replication, purposes, &changes, &refused.error))
        submit(replication, &changes, options, done, context);
    else
        replication_answer(replication, replication_await(replication, done, NULL, context),
                           &refused);
    change_set_free(&changes);
}

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
    const struct key_view view = view_of(replication);
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
