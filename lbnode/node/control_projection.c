#include "lbnode/node/control_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "lbnode/node/vrrp_set.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- configuration --------------------------------------------------------------------------
 */

static bool add_facet(void *context, const struct raw_facet *facet)
{
    return projection_add(context, facet);
}

/* Only what changed since the last time, if anything is known of then. */
static void follow_changes(struct control *control, uint64_t position)
{
    struct projection *old = NULL;
    if (!control->projection || replication_changed(control->replication).all) {
        old = control->projection;
        control->projection = projection_new();
    }
    if (control->projection)
        replication_visit_changed(control->replication, add_facet, control->projection);
    if (!control->projection || !projection_apply(control->projection)) {
        log_error("no memory for the new configuration; starting again");
        abort();
    }
    control->configuration = projection_configuration(control->projection);
    control->state->configuration = control->configuration;
    control->position = position;
    if (projection_take_changed(control->projection) & 1u << RESOURCE_MEMBER || old)
        verdicts_members_changed(control);
    projection_free(old);
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
                                control->settings->name, control->settings->interface};
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
    build_snapshot(control);
    send_election(control);
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
    follow_changes(control, position);
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
    message_list_free(&control->election);
    slot_map_free(control->slots);
    projection_free(control->projection);
}
