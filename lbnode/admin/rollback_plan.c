#include "lbnode/admin/rollback_plan.h"

#include "lbnode/admin/facet_text.h"
#include "lbnode/admin/past_view.h"
#include "lbnode/admin/secrets_api.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/uuid_map.h"
#include "lbnode/model/undo_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FACETS = 64,
    WHY_SIZE = 400
};

/* Who made a write. */
struct origin {
    struct uuid node_id, change_id;
    bool since;     /* not before what is undone */
    bool by_itself; /* an undoing that nobody asked for */
    uint64_t wall_ms;
    char author[HISTORY_NAME_SIZE];
};

struct planner {
    const struct node_state *state;
    const struct rollback_wish *wish;
    struct rollback_plan *out;
    struct undo_plan undo;
    struct sensitive_keys keys;
    struct change_stamp from; /* the first that is undone, and of `to` all later ones */
    struct uuid *ids;
    size_t id_count, id_capacity;
    struct error *error;
    bool failed;

    /* of one object */
    struct undo_object object;
    struct undo_write *writes;
    struct origin *origins; /* of the writes */
    size_t capacity;
    struct undo_value current[FACETS];
    struct past_change change; /* whose operations are told */
};

static bool out_of_memory(struct planner *planner)
{
    planner->failed = true;
    return error_set(planner->error, ERROR_UNAVAILABLE, "out of memory");
}

static bool
is_foreign(const struct planner *planner, const char *author, const struct uuid *node)
{
    return strcmp(author, planner->wish->author) != 0 ||
           !uuid_equal(node, &planner->wish->node_id);
}

struct uuid rollback_undo_id(const struct uuid *change_id)
{
    struct uuid id = *change_id;
    for (size_t i = 0; i < sizeof(id.bytes); i++)
        id.bytes[i] ^= 0xa5;
    return id;
}

struct pending {
    struct uuid change_id;
    bool found;
};

static void match_pending(void *context, const struct unconfirmed *change)
{
    struct pending *pending = context;
    pending->found |= uuid_equal(&pending->change_id, &change->change_id);
}

static bool is_pending(const struct planner *planner, const struct uuid *change_id)
{
    struct pending pending = {*change_id, false};
    replication_visit_unconfirmed(planner->state->replication, match_pending, &pending);
    return pending.found;
}

/* ---- what does not go back ------------------------------------------------------------------
 */

static void add_left(struct planner *planner,
                     const struct uuid *id,
                     uint8_t type,
                     const char *attribute,
                     const char *why)
{
    struct json_value *left = past_object_json(planner->state, id, type, NULL);
    json_value_remove(left, "action");
    json_value_remove(left, "attributes");
    json_value_set_text(left, "attribute", attribute);
    json_value_set_text(left, "why", why);
    json_value_append(planner->out->left, left);
}

static void describe_origin(const struct planner *planner,
                            const char *what,
                            const struct origin *origin,
                            char out[WHY_SIZE])
{
    char node[PAST_OBJECT_NAME_SIZE], time[WALLTIME_TEXT_SIZE];
    past_object_name(planner->state, &origin->node_id, node);
    walltime_format(origin->wall_ms, time);
    snprintf(out, WHY_SIZE, "%s by %s@%.100s at %s", what, origin->author, node, time);
}

static void tell_left(struct planner *planner, size_t from)
{
    char why[WHY_SIZE], names[FACET_NAMES_SIZE];
    for (size_t i = from; i < planner->undo.left_count; i++) {
        const struct undo_left *left = &planner->undo.left[i];
        const struct resource_class *class = resource_class_of((enum resource_type)left->type);
        snprintf(why, sizeof(why), "what was before is no longer kept");
        if (left->obstacle == UNDO_UNREADABLE)
            snprintf(why, sizeof(why), "what was before is sealed with a key that is gone");
        if (left->obstacle == UNDO_CHANGED_LATER)
            describe_origin(planner, "changed", &planner->origins[left->by], why);
        facet_attribute_names(class, left->facet, names);
        add_left(planner, &left->object_id, left->type,
                 left->attribute ? left->attribute : names, why);
        planner->out->obstacles++;
    }
}

/* ---- the past of one object -----------------------------------------------------------------
 */

static bool take_change(void *context, const struct past_change *change)
{
    struct planner *planner = context;
    planner->change = *change;
    return true;
}

static bool grow(struct planner *planner)
{
    size_t capacity = planner->capacity ? 2 * planner->capacity : 64;
    struct undo_write *writes = realloc(planner->writes, capacity * sizeof(*writes));
    if (writes)
        planner->writes = writes;
    struct origin *origins = realloc(planner->origins, capacity * sizeof(*origins));
    if (origins)
        planner->origins = origins;
    if (!writes || !origins)
        return out_of_memory(planner);
    planner->capacity = capacity;
    return true;
}

static bool copy_bytes(struct planner *planner, struct bytes from, struct bytes *to)
{
    uint8_t *copy = malloc(from.size + 1);
    if (!copy)
        return out_of_memory(planner);
    if (from.size > 0)
        memcpy(copy, from.data, from.size);
    *to = (struct bytes){copy, from.size};
    return true;
}

static void take_write(void *context, const struct past_op *op)
{
    struct planner *planner = context;
    struct undo_object *object = &planner->object;
    const struct past_change *change = &planner->change;
    struct undo_write write = {.facet = op->facet, .unsure = op->has_before == BEFORE_GONE};
    bool one = !uuid_is_zero(&planner->wish->change_id);
    if (planner->failed || (object->write_count == planner->capacity && !grow(planner)) ||
        !copy_bytes(planner, op->in_force, &write.value))
        return;
    int order = history_stamp_compare(&change->stamp, &planner->from);
    write.resealed = strcmp(change->via, REPLICATION_VIA_KEYS) == 0;
    write.undone = !write.resealed && (one ? order == 0 : order >= 0);
    write.foreign = !write.resealed && order >= 0 && !(one && write.undone) &&
                    is_foreign(planner, change->author, &change->node_id);
    object->type = op->type;
    object->owner = op->owner;
    struct origin *origin = &planner->origins[object->write_count];
    *origin = (struct origin){.node_id = change->node_id,
                              .change_id = change->change_id,
                              .since = order >= 0,
                              .by_itself = strcmp(change->via, ROLLBACK_BY_ITSELF) == 0,
                              .wall_ms = change->wall_ms};
    memcpy(origin->author, change->author, sizeof(origin->author));
    planner->writes[object->write_count++] = write;
}

/* Is there a write, of an undoing or of something else, that made or undid that of ORIGIN? Only
 * since what is undone. */
static bool has_counterpart(const struct planner *planner, const struct origin *origin)
{
    const struct uuid id = rollback_undo_id(&origin->change_id);
    for (size_t i = 0; i < planner->object.write_count; i++) {
        const struct origin *other = &planner->origins[i];
        if (other->since && other->by_itself != origin->by_itself &&
            uuid_equal(&other->change_id, &id))
            return true;
    }
    return false;
}

/* Of a change that undoes itself: everything later is not to be lost, but for what goes as
 * well, or went: with its undoing. The undoing of an earlier change is to stay. */
static void judge_later_writes(struct planner *planner)
{
    for (size_t i = 0; i < planner->object.write_count; i++) {
        const struct origin *origin = &planner->origins[i];
        planner->writes[i].foreign =
            origin->since && !planner->writes[i].undone && !planner->writes[i].resealed &&
            !has_counterpart(planner, origin) && !is_pending(planner, &origin->change_id);
    }
}

static void take_current(void *context, const struct conflict_view *facet)
{
    struct planner *planner = context;
    struct undo_object *object = &planner->object;
    if (object->current_count == FACETS || planner->failed)
        return;
    struct undo_value *value = &planner->current[object->current_count];
    value->facet = facet->facet;
    if (copy_bytes(planner, facet->entries[0].value, &value->value))
        object->current_count++;
}

static void free_value(struct bytes value)
{
    free((void *)(uintptr_t)value.data);
}

static void forget_object(struct planner *planner)
{
    for (size_t i = 0; i < planner->object.write_count; i++)
        free_value(planner->writes[i].value);
    for (size_t i = 0; i < planner->object.current_count; i++)
        free_value(planner->current[i].value);
}

/* What the operations from FIRST on make of the object, for people. */
static void tell_object(struct planner *planner, size_t first)
{
    const struct change_set *changes = &planner->undo.changes;
    if (first == changes->count)
        return;
    const struct change_op *opening = &changes->ops[first];
    struct json_value *object =
        past_object_json(planner->state, &opening->object_id, opening->type,
                         opening->facet == FACET_LIFE ? "revive" : "update");
    for (size_t i = first; i < changes->count; i++) {
        const struct change_op *op = &changes->ops[i];
        const struct bytes after = {op->value, op->value_size};
        const struct bytes *before = NULL;
        for (size_t c = 0; c < planner->object.current_count; c++)
            if (planner->current[c].facet == op->facet)
                before = &planner->current[c].value;
        if (op->facet != FACET_LIFE)
            past_add_differences(json_value_get(object, "attributes"), op->type, op->facet,
                                 before, &after);
    }
    json_value_append(planner->out->objects, object);
}

static void plan_object(struct planner *planner, const struct uuid *id)
{
    const struct past_visitor visitor = {take_change, take_write, planner};
    struct replication *replication = planner->state->replication;
    size_t first = planner->undo.changes.count, left = planner->undo.left_count;
    planner->object = (struct undo_object){.id = *id};
    bool good =
        replication_history_writes(replication, id, &planner->from, &visitor, planner->error);
    planner->object.writes = planner->writes;
    if (planner->wish->by_itself)
        judge_later_writes(planner);
    planner->object.current = planner->current;
    replication_visit_entries(replication, id, take_current, planner);
    if (!good)
        planner->failed = true;
    else if (planner->object.type == RESOURCE_NODE)
        add_left(planner, id, RESOURCE_NODE, NULL, "nodes are not rolled back");
    else if (!planner->failed && planner->object.type != RESOURCE_KEY_GRANT &&
             !undo_add_object(&planner->undo, &planner->object, planner->wish->mode))
        planner->failed =
            !error_set(planner->error, ERROR_TOO_LARGE, "the rollback exceeds one change");
    tell_object(planner, first);
    tell_left(planner, left);
    forget_object(planner);
}

/* ---- deletions -------------------------------------------------------------------------- */

static bool is_listed(const struct planner *planner, const struct uuid *id)
{
    for (size_t i = 0; i < planner->undo.deleted_count; i++)
        if (uuid_equal(&planner->undo.deleted[i], id))
            return true;
    return false;
}

static void take_maker(void *context, const struct conflict_view *facet)
{
    struct origin *origin = context;
    if (facet->facet != FACET_LIFE)
        return;
    origin->node_id = facet->entries[0].node_id;
    origin->wall_ms = facet->entries[0].wall_ms;
    snprintf(origin->author, sizeof(origin->author), "%s", facet->entries[0].author);
}

static bool take_making(void *context, const struct past_change *change)
{
    struct pending *making = context;
    if (!making->found)
        making->change_id = change->change_id;
    return true;
}

static void note_making(void *context, const struct past_op *op)
{
    ((struct pending *)context)->found |= op->facet == FACET_LIFE;
}

/* It stays when what it is below goes by itself, unless it goes as well. */
static bool was_made_to_stay(const struct planner *planner, const struct uuid *id)
{
    struct pending making = {0};
    struct error error = {0};
    const struct change_stamp first = {0};
    const struct past_visitor visitor = {take_making, note_making, &making};
    replication_history_writes(planner->state->replication, id, &first, &visitor, &error);
    return !making.found || !is_pending(planner, &making.change_id);
}

/* Somebody else put something below the object, which would go with it. */
static bool carries_foreign(struct planner *planner, const struct uuid *id)
{
    const struct resource_class *class;
    const struct effective *child;
    char why[WHY_SIZE];
    bool carries = false;
    for (size_t c = 0; (class = resource_class_at(c)); c++) {
        for (size_t i = 0;
             (child = configuration_child(planner->state->configuration, id, class->type, i));
             i++) {
            struct origin origin = {0};
            if (carries_foreign(planner, &child->resource->id))
                carries = true;
            if (is_listed(planner, &child->resource->id))
                continue;
            replication_visit_entries(planner->state->replication, &child->resource->id,
                                      take_maker, &origin);
            if (!is_foreign(planner, origin.author, &origin.node_id) &&
                !(planner->wish->by_itself && was_made_to_stay(planner, &child->resource->id)))
                continue;
            describe_origin(planner, "made", &origin, why);
            add_left(planner, &child->resource->id, (uint8_t) class->type, NULL, why);
            planner->out->obstacles++;
            carries = true;
        }
    }
    return carries;
}

static bool is_deleted_in(const struct change_set *changes, const struct uuid *id)
{
    for (size_t i = 0; i < changes->count; i++)
        if (changes->ops[i].facet == FACET_LIFE && uuid_equal(&changes->ops[i].object_id, id))
            return true;
    return false;
}

static bool plan_deletion(struct planner *planner, const struct effective *object)
{
    const struct uuid *id = &object->resource->id;
    if (configuration_is_permanent(object->resource)) {
        add_left(planner, id, (uint8_t)object->resource->type, NULL, "the cluster needs it");
        return true;
    }
    if (is_deleted_in(&planner->undo.changes, id) ||
        (planner->wish->mode != UNDO_FORCED && carries_foreign(planner, id)))
        return true;
    json_value_append(
        planner->out->objects,
        past_object_json(planner->state, id, (uint8_t)object->resource->type, "delete"));
    return configuration_plan_delete(planner->state->configuration, object->resource, true,
                                     &planner->undo.changes, planner->error);
}

/* Owners first: they take along what is below them. */
static bool plan_deletions(struct planner *planner)
{
    const struct resource_class *class;
    for (size_t c = 0; (class = resource_class_at(c)); c++)
        for (size_t i = 0; i < planner->undo.deleted_count; i++) {
            const struct effective *object =
                configuration_find(planner->state->configuration, &planner->undo.deleted[i]);
            if (object && object->resource->type == class->type &&
                !plan_deletion(planner, object))
                return false;
        }
    return true;
}

/* Of what is deleted nothing else is said. */
static bool drop_needless(struct change_set *changes)
{
    struct uuid_map gone = {0};
    size_t kept = 0;
    bool good = true;
    for (size_t i = 0; i < changes->count; i++) {
        struct change_op *op = &changes->ops[i];
        if (op->facet == FACET_LIFE && (op->value_size == 0 || op->value[0] == 0))
            good &= uuid_map_set(&gone, &op->object_id, changes);
    }
    for (size_t i = 0; i < changes->count; i++) {
        struct change_op op = changes->ops[i];
        if (op.facet != FACET_LIFE && uuid_map_get(&gone, &op.object_id))
            free(op.value);
        else
            changes->ops[kept++] = op;
    }
    changes->count = kept;
    uuid_map_free(&gone);
    return good;
}

/* ---- all of it -------------------------------------------------------------------------- */

static void note_id(void *context, const struct uuid *id)
{
    struct planner *planner = context;
    if (planner->id_count > 0 && uuid_equal(&planner->ids[planner->id_count - 1], id))
        return;
    if (planner->id_count == planner->id_capacity) {
        size_t capacity = planner->id_capacity ? 2 * planner->id_capacity : 64;
        struct uuid *ids = realloc(planner->ids, capacity * sizeof(*ids));
        if (!ids) {
            out_of_memory(planner);
            return;
        }
        planner->ids = ids;
        planner->id_capacity = capacity;
    }
    planner->ids[planner->id_count++] = *id;
}

static void note_op(void *context, const struct past_op *op)
{
    note_id(context, &op->object_id);
}

static bool find_objects(struct planner *planner)
{
    const struct rollback_wish *wish = planner->wish;
    const struct past_visitor visitor = {take_change, note_op, planner};
    struct replication *replication = planner->state->replication;
    if (!uuid_is_zero(&wish->change_id)) {
        if (!replication_history_show(replication, &wish->change_id, &visitor, planner->error))
            return false;
        planner->from = planner->change.stamp;
        return !planner->failed;
    }
    planner->from = history_after(&wish->to);
    if (wish->has_object)
        note_id(planner, &wish->object_id);
    else if (!replication_history_objects(replication, &planner->from, note_id, planner,
                                          planner->error))
        return false;
    return !planner->failed;
}

static bool check(struct planner *planner)
{
    struct error reason = {0};
    if (configuration_check_changes(planner->state->configuration, &planner->undo.changes,
                                    &reason))
        return true;
    return error_set(planner->error, ERROR_CONFLICT,
                     "What would come back does not fit what is there now: %.400s",
                     reason.text);
}

bool rollback_plan_make(const struct node_state *state,
                        const struct rollback_wish *wish,
                        struct rollback_plan *out,
                        struct error *error)
{
    struct planner planner = {.state = state, .wish = wish, .out = out, .error = error};
    *out = (struct rollback_plan){.objects = json_value_array(), .left = json_value_array()};
    planner.keys = secrets_keys(state);
    planner.undo.keys = &planner.keys;
    bool good = find_objects(&planner);
    for (size_t i = 0; good && i < planner.id_count && !planner.failed; i++)
        plan_object(&planner, &planner.ids[i]);
    good = good && !planner.failed && plan_deletions(&planner);
    if (good && !drop_needless(&planner.undo.changes))
        good = out_of_memory(&planner);
    good = good && ((out->obstacles > 0 && wish->mode != UNDO_FORCED && !wish->partial) ||
                    check(&planner));
    if (good) {
        out->changes = planner.undo.changes;
        planner.undo.changes = (struct change_set){0};
    }
    undo_plan_free(&planner.undo);
    free(planner.ids);
    free(planner.writes);
    free(planner.origins);
    if (!good)
        rollback_plan_free(out);
    return good;
}

void rollback_plan_describe_left(const struct rollback_plan *plan, char *out, size_t out_size)
{
    size_t used = 0;
    const size_t most = 3;
    out[0] = '\0';
    for (size_t i = 0; i < json_value_count(plan->left) && i < most && used < out_size; i++) {
        const struct json_value *left = json_value_at(plan->left, i);
        const char *type = json_value_get_text(left, "object_type");
        const char *attribute = json_value_get_text(left, "attribute");
        used +=
            (size_t)snprintf(out + used, out_size - used, "%s%s %.64s%s%s (%s)", i ? "; " : "",
                             type ? type : "object", json_value_get_text(left, "object_name"),
                             attribute ? ": " : "", attribute ? attribute : "",
                             json_value_get_text(left, "why"));
    }
}

void rollback_plan_free(struct rollback_plan *plan)
{
    change_set_free(&plan->changes);
    json_value_free(plan->objects);
    json_value_free(plan->left);
    *plan = (struct rollback_plan){0};
}
