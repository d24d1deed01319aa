/* What is done about the secret keys of the cluster, by itself and by hand (key_plan.h). */
#include "lbnode/base/monotime.h"
#include "lbnode/model/sensitive.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"

#include <stdio.h>
#include <string.h>

enum {
    RESEAL_BYTES = 2 << 20 /* of values in one change, about */
};

static const uint64_t look_us = 500000;
/* A node that has just been started does not know yet who else answers. */
static const uint64_t quiet_us = 5000000;
static const uint64_t hold_us = 500000;
/* So long a node leaves to each that is before it: one that does not act is of a version that
 * knows no keys, or hangs. */
static const uint64_t turn_us = 4000000;

static const char *const purpose_names[] = {"cluster secret", "data key"};

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

/* False: OUT is large enough. What no key opens stays as it is. */
static bool reseal_object(const struct object *object,
                          const struct sensitive_keys *keys,
                          const struct uuid *key_id,
                          size_t *bytes,
                          struct change_set *out)
{
    for (size_t f = 0; f < object->count; f++) {
        const struct raw_facet facet = facet_view(object, &object->facets[f]);
        size_t before = out->count;
        if (sensitive_reseal_facet(&facet, keys, key_id, out) == SENSITIVE_FULL)
            return false;
        for (size_t i = before; i < out->count; i++)
            *bytes += out->ops[i].value_size;
    }
    return *bytes < RESEAL_BYTES;
}

/* The key stands before all others: one of a node that left may say that it is newer. */
static void put_first(struct sensitive_keys *keys, const struct uuid *key_id)
{
    for (size_t i = 1; i < keys->count; i++)
        if (uuid_equal(&keys->keys[i].id, key_id)) {
            const struct secret_box_key found = keys->keys[i];
            memmove(keys->keys + 1, keys->keys, i * sizeof(found));
            keys->keys[0] = found;
        }
}

/* Very many values are sealed anew by several changes: both keys open meanwhile. */
static bool plan_resealing(struct replication *replication,
                           const struct uuid *key_id,
                           struct change_set *out)
{
    const struct facet_table *table = core_facets(replication->core);
    const struct object *object;
    struct sensitive_keys keys;
    size_t bytes = 0;
    bool has_room = true;
    keys.count = replication_data_keys(replication, keys.keys, SENSITIVE_KEYS_MAXIMUM);
    put_first(&keys, key_id);
    for (size_t i = 0; has_room && (object = uuid_map_next(&table->objects, &i));)
        if (facet_object_counts(table, object))
            has_room = reseal_object(object, &keys, key_id, &bytes, out);
    return true;
}

static bool plan_step(struct replication *replication,
                      const struct key_view *view,
                      const struct key_step *step,
                      struct change_set *out)
{
    switch (step->kind) {
    case KEY_STEP_CREATE: return plan_new(replication, view, step->purpose, out);
    case KEY_STEP_GRANT: return plan_grants(replication, out);
    case KEY_STEP_RESEAL: return plan_resealing(replication, &step->key_id, out);
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
    replication->key_watch.committing--;
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
    const struct submit_options options = {.author = "lbnode", .via = REPLICATION_VIA_KEYS};
    struct change_set changes = {0};
    if (plan_step(replication, view, step, &changes) && changes.count > 0) {
        tell_step(replication, step);
        replication->key_watch.committing++;
        submit(replication, &changes, &options, on_step_done, replication);
    }
    change_set_free(&changes);
}

static bool may_act(const struct replication *replication)
{
    struct bootstrap_view bootstrap;
    const struct core *core = replication->core;
    return core_is_initialised(core) && !core_was_removed(core) &&
           !removal_is_under_way(replication) && !core_bootstrap(core, &bootstrap) &&
           !*core_storage_problem(core) &&
           roster_find(core_roster(core), &replication->node_id);
}

/* A step that stays due is taken. */
static void look(struct replication *replication, enum key_purpose purpose, uint64_t now_us)
{
    struct key_watch *watch = &replication->key_watch;
    const struct key_view view = keys_view(replication);
    struct key_step step;
    key_plan_next(&view, purpose, &step);
    if (step.kind != watch->steps[purpose].kind) {
        watch->steps[purpose] = step;
        watch->since_us[purpose] = now_us;
    } else if (step.kind != KEY_STEP_NONE &&
               now_us >= watch->since_us[purpose] + hold_us + step.rank * turn_us) {
        watch->steps[purpose] = (struct key_step){0};
        take_step(replication, &view, &step);
    }
}

void key_steps_tick(struct replication *replication)
{
    struct key_watch *watch = &replication->key_watch;
    uint64_t now_us = monotime_now_us();
    if (now_us < watch->looked_us + look_us || now_us < watch->started_us + quiet_us)
        return;
    watch->looked_us = now_us;
    for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++)
        if (watch->committing == 0 && may_act(replication))
            look(replication, (enum key_purpose)purpose, now_us);
}

/* ---- by hand ---------------------------------------------------------------------------- */

bool keys_plan_first(const struct replication *replication,
                     const struct roster *roster,
                     struct change_set *out)
{
    bool planned = true;
    for (int purpose = 0; planned && keys_are_known(replication) && purpose < KEY_PURPOSE_COUNT;
         purpose++)
        planned = keyring_plan_new(replication->keyring, (enum key_purpose)purpose, roster,
                                   keys_now_ms(replication), out);
    return planned;
}

static bool plan_rotation(struct replication *replication,
                          unsigned purposes,
                          struct change_set *out,
                          struct error *error)
{
    const struct key_view view = keys_view(replication);
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
