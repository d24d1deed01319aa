#include "lbnode/node/control_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"
#include "lbnode/node/vrrp_set.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- configuration --------------------------------------------------------------------------
 */

/* ---- what crashed this process before -------------------------------------------------------
 */

bool control_projection_open(struct control *control)
{
    control->guard = batch_guard_open(control->settings->state_dir, walltime_now_ms());
    return control->guard;
}

static bool withholds(const struct control *control)
{
    size_t count;
    batch_guard_withheld(control->guard, &count);
    return count > 0 || batch_guard_withholds_all(control->guard);
}

/* The whole group is tried again when one of it is changed: which one it was is not known. */
static bool touches_withheld(const struct control *control,
                             const struct changed_objects *changed)
{
    if (batch_guard_withholds_all(control->guard))
        return true;
    for (size_t i = 0; i < changed->count; i++) {
        if (batch_guard_is_withheld(control->guard, &changed->ids[i]))
            return true;
    }
    return false;
}

static void release_withheld(struct control *control, const struct uuid *change_id)
{
    size_t count;
    const struct withheld_object *objects = batch_guard_withheld(control->guard, &count);
    for (size_t i = 0; i < count; i++)
        batch_guard_begin(control->guard, &objects[i].id, 1, change_id);
    batch_guard_release(control->guard);
    control->holds_last = false;
}

static void report_withheld(struct control *control)
{
    size_t count;
    struct uuid change_id;
    char id[UUID_TEXT_SIZE];
    const struct withheld_object *objects = batch_guard_withheld(control->guard, &count);
    const struct effective *first =
        count > 0 ? configuration_find(control->configuration, &objects[0].id) : NULL;
    if (!batch_guard_caught(control->guard, &change_id))
        return;
    uuid_format(&change_id, id);
    control_event(control, EVENT_POISON_CONFIG,
                  "change %s crashed control %d times: %zu objects, the first %s %.64s, are "
                  "withheld and the last configuration serves; change or delete them",
                  id, GUARD_DEATHS, count,
                  first ? resource_class_of(first->resource->type)->noun : "object",
                  first ? first->resource->name : "?");
}

/* ---- configuration --------------------------------------------------------------------------
 */

static bool add_facet(void *context, const struct raw_facet *facet)
{
    struct control *control = context;
    if (batch_guard_withholds_all(control->guard))
        projection_withhold(control->projection, &facet->object_id, WITHHOLD_RULES);
    return projection_add(control->projection, facet);
}

/* A projection that knows nothing yet but what to withhold. */
static void start_anew(struct control *control)
{
    size_t count;
    const struct withheld_object *objects = batch_guard_withheld(control->guard, &count);
    control->projection = projection_new();
    for (size_t i = 0; control->projection && i < count; i++)
        projection_withhold(control->projection, &objects[i].id,
                            (enum withhold_level)objects[i].level);
}

static bool skip_facet(void *context, const struct raw_facet *facet)
{
    return false;
}

/* Only what changed since the last time, if anything is known of then. */
static bool follow_changes(struct control *control)
{
    struct changed_objects changed = replication_changed(control->replication);
    const struct uuid *change_id = replication_last_change(control->replication);
    struct projection *old = control->projection;
    bool retry = old && !changed.all && touches_withheld(control, &changed);
    bool anew = !old || changed.all || retry;
    if (retry)
        release_withheld(control, change_id);
    batch_guard_begin(control->guard, changed.all ? NULL : changed.ids, changed.count,
                      change_id);
    if (anew)
        start_anew(control);
    if (!control->projection)
        return false;
    if (retry)
        replication_visit_facets(control->replication, add_facet, control);
    replication_visit_changed(control->replication, retry ? skip_facet : add_facet, control);
    bool applied = projection_apply(control->projection);
    control->configuration = projection_configuration(control->projection);
    control->state->configuration = control->configuration;
    if (projection_take_changed(control->projection) & 1u << RESOURCE_MEMBER || anew)
        verdicts_members_changed(control);
    if (anew)
        projection_free(old);
    return applied;
}

static void update_configuration(struct control *control, uint64_t position)
{
    bool first = !control->projection;
    if (!follow_changes(control)) {
        log_error("no memory for the new configuration; starting again");
        abort();
    }
    control->position = position;
    if (first)
        report_withheld(control);
}

/* ---- snapshot -------------------------------------------------------------------------------
 */

static void
send_bindings(struct control *control, const struct snapshot *snapshot, uint64_t generation)
{
    const struct snapshot_endpoint *endpoints = snapshot_endpoints(snapshot);
    const struct snapshot_listener *listeners = snapshot_listeners(snapshot);
    for (uint32_t i = 0; i < snapshot->endpoints.count; i++) {
        struct message_binding binding = MESSAGE_OF(BINDING, struct message_binding);
        binding.generation = generation;
        binding.endpoint = endpoints[i].endpoint;
        binding.defer_accept = listeners[endpoints[i].listener].protocol == SNAPSHOT_HTTP;
        control_send(control, &binding.header, NULL, 0);
    }
}

static void send_snapshot(struct control *control, int fd, uint64_t generation)
{
    struct error error = {0};
    struct message_snapshot message = MESSAGE_OF(SNAPSHOT, struct message_snapshot);
    const struct snapshot *snapshot = snapshot_open(fd, &error);
    if (!snapshot) {
        control_event(control, EVENT_SNAPSHOT_REJECTED, "%s", error.text);
        return;
    }
    control_expect_bindings(control, snapshot);
    send_bindings(control, snapshot, generation);
    snapshot_close(snapshot);
    message.generation = generation;
    message.change_id = *replication_last_change(control->replication);
    control->state->built_generation = generation;
    control->built_position = control->position;
    control_send(control, &message.header, &fd, 1);
}

static void build_snapshot(struct control *control)
{
    struct error error = {0};
    uint64_t generation = control->state->built_generation + 1;
    if (generation < control->position)
        generation = control->position;
    int fd = snapshot_build(control->configuration, control->slots, generation, &error);
    if (fd < 0) {
        control_event(control, EVENT_SNAPSHOT_REJECTED, "%s", error.text);
        return;
    }
    send_snapshot(control, fd, generation);
    close(fd);
}

/* ---- election -------------------------------------------------------------------------------
 */

static void send_election(struct control *control)
{
    struct message_list set = {0};
    struct vrrp_set_node own = {replication_node_id(control->replication),
                                control->settings->name, control->settings->interface,
                                replication_was_removed(control->replication)};
    if (!vrrp_set_build(control->configuration, &own, &set)) {
        log_error("the election's configuration is too large; the last one stays");
        message_list_free(&set);
        return;
    }
    if (message_list_equal(&set, &control->election)) {
        message_list_free(&set);
        return;
    }
    message_list_free(&control->election);
    control->election = set;
    control_forget_groups(control, &set);
    for (size_t i = 0; i < set.count; i++)
        control_send(control, &set.items[i].header, NULL, 0);
}

/* ---- from outside ---------------------------------------------------------------------------
 */

/* Building takes a small share of a core, however often the configuration changes and however
 * large it is. */
static void build(struct control *control)
{
    uint64_t start_us = monotime_now_us();
    control->built_at_ms = loop_now_ms(control->loop);
    if (!control->holds_last || !withholds(control)) {
        build_snapshot(control);
        send_election(control);
    }
    batch_guard_finish(control->guard);
    uint64_t cost_ms = (monotime_now_us() - start_us) / 1000;
    control->build_pause_ms = SNAPSHOT_PAUSE_MS;
    if (cost_ms * SNAPSHOT_REST > control->build_pause_ms)
        control->build_pause_ms = cost_ms * SNAPSHOT_REST;
}

static void build_later(struct loop_timer *timer)
{
    build(CONTAINER_OF(timer, struct control, build_timer));
}

void control_projection_update(struct control *control, uint64_t position)
{
    update_configuration(control, position);
    if (control->build_timer.active)
        return;
    uint64_t now_ms = loop_now_ms(control->loop);
    uint64_t next_ms = control->built_at_ms + control->build_pause_ms;
    if (control->built_at_ms == 0 || now_ms >= next_ms)
        build(control);
    else
        loop_timer_start(control->loop, &control->build_timer, next_ms - now_ms, build_later);
}

void control_projection_adopt(struct control *control, uint64_t generation, int fd)
{
    struct error error = {0};
    const struct snapshot *snapshot = snapshot_open(fd, &error);
    if (!snapshot) {
        log_warning("the last configuration cannot be read again: %s", error.text);
        return;
    }
    slot_map_adopt(control->slots, snapshot);
    control->state->built_generation = generation;
    control->holds_last = true;
    snapshot_close(snapshot);
}

void control_projection_take_running(struct control *control,
                                     const struct message_running *running)
{
    control->state->running_generation = running->generation;
    if (running->generation == control->state->built_generation && control->built_position > 0)
        replication_set_running(control->replication, control->built_position);
}

void control_projection_free(struct control *control)
{
    loop_timer_stop(&control->build_timer);
    if (control->guard)
        batch_guard_finish(control->guard);
    batch_guard_free(control->guard);
    message_list_free(&control->election);
    slot_map_free(control->slots);
    projection_free(control->projection);
}
