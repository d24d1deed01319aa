#include "lbnode/node/control_internal.h"

#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void log_event(enum event_code code, enum process_role role, const char *text)
{
    static const enum log_level levels[] = {
        [EVENT_INFO] = LOG_LEVEL_INFO,
        [EVENT_WARNING] = LOG_LEVEL_WARNING,
        [EVENT_ERROR] = LOG_LEVEL_ERROR,
    };
    log_write(levels[event_code_level(code)], "%s (%s) %s", event_code_name(code),
              process_role_name(role), text);
}

void control_event(struct control *control, enum event_code code, const char *format, ...)
{
    char text[EVENT_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_event(code, PROCESS_CONTROL, text);
    event_ring_add(control->state->events, code, PROCESS_CONTROL, walltime_now_ms(), text);
}

/* The supervisor took the addresses from a vrrp process that cannot say so itself. */
static void give_up_claims(struct control *control)
{
    struct node_state *state = control->state;
    for (size_t i = 0; i < state->vrrp_count; i++) {
        state->vrrp[i].state = VRRP_FAULT;
        state->vrrp[i].since_wall_ms = walltime_now_ms();
        snprintf(state->vrrp[i].reason, sizeof(state->vrrp[i].reason),
                 "the vrrp process died twice in a minute");
    }
    control_publish_claims(control);
}

/* The supervisor logs its own events, since control may be the one that died. */
void control_take_event(struct control *control, const struct message_event *event)
{
    if (event->role == PROCESS_SUPERVISOR && event->code == EVENT_VRRP_RESIGNED &&
        control->state->processes[PROCESS_VRRP].pid == 0)
        give_up_claims(control);
    if (event->role != PROCESS_SUPERVISOR)
        log_event(event->code, event->role, event->text);
    event_ring_add(control->state->events, event->code, event->role, event->wall_ms,
                   event->text);
}

void control_take_process(struct control *control, const struct message_process *process)
{
    if (process->role >= PROCESS_ROLE_COUNT)
        return;
    bool is_new = control->state->processes[process->role].pid != process->pid;
    control->state->processes[process->role] = *process;
    if (process->role == PROCESS_HEALTH && process->pid > 0 && is_new)
        peers_health_started(control);
    if (process->role == PROCESS_VRRP)
        control->state->manages_addresses = process->pid > 0;
}

/* By group and family: all nodes tell their peers of the same groups first. */
void control_take_vrrp_status(struct control *control, const struct message_vrrp_status *status)
{
    struct node_state *state = control->state;
    size_t i = 0;
    int order = 1;
    for (; i < state->vrrp_count; i++) {
        order = uuid_compare(&state->vrrp[i].group_id, &status->group_id);
        if (order == 0)
            order = state->vrrp[i].family - status->family;
        if (order >= 0)
            break;
    }
    bool known = i < state->vrrp_count && order == 0;
    if (!known && state->vrrp_count == NODE_STATE_MAXIMUM_VRRP)
        return;
    if (!known) {
        size_t after = state->vrrp_count - i;
        memmove(&state->vrrp[i + 1], &state->vrrp[i], after * sizeof(state->vrrp[0]));
        memmove(&control->offers[i + 1], &control->offers[i],
                after * sizeof(control->offers[0]));
        control->offers[i] = (struct offer_round){0};
        state->vrrp_count++;
    }
    state->vrrp[i] = *status;
    control_publish_claims(control);
    peers_rank(control);
    eligibility_review(control, status, &control->offers[i]);
}

static struct vrrp_claim claim_of(const struct message_vrrp_status *status,
                                  const struct vrrp_group *group)
{
    uint64_t now_ms = walltime_now_ms(), now_us = monotime_now_us();
    return (struct vrrp_claim){
        .group_id = status->group_id,
        .family = status->family,
        .vrid = status->vrid,
        .state = status->state,
        .priority = status->priority,
        .hindrance = status->hindrance,
        .advert_ms = (uint32_t)group->advert_interval_ms,
        .since_ms_ago = now_ms > status->since_wall_ms ? now_ms - status->since_wall_ms : 0,
        .told_ms_ago = now_us > status->told_us ? (now_us - status->told_us) / 1000 : 0,
        .source = status->own_address,
    };
}

/* A node's adverts do not hide those of a stranger. */
void control_take_vrid_heard(struct control *control, const struct message_vrid_heard *heard)
{
    struct vrid_heard *last = &control->state->vrids[heard->vrid];
    uint64_t now_ms = walltime_now_ms();
    if (heard->is_node && last->source.family && !last->is_node &&
        now_ms - last->wall_ms < VRID_HEARD_FOR_MS)
        return;
    *last = (struct vrid_heard){.source = heard->source,
                                .wall_ms = now_ms,
                                .version = heard->version,
                                .is_node = heard->is_node};
    memcpy(last->interface, heard->interface, sizeof(last->interface));
    last->interface[sizeof(last->interface) - 1] = '\0';
}

/* What the peers shall know: who is active for which group (replication.h). */
void control_publish_claims(struct control *control)
{
    struct node_state *state = control->state;
    struct vrrp_claim claims[NODE_STATE_MAXIMUM_VRRP];
    size_t count = 0;
    if (!control->configuration || !control->replication)
        return; /* what a starting process is told; it publishes once it knows the groups */
    for (size_t i = 0; i < state->vrrp_count; i++) {
        const struct effective *found =
            configuration_find(control->configuration, &state->vrrp[i].group_id);
        if (found && found->resource->type == RESOURCE_VRRP_GROUP)
            claims[count++] = claim_of(
                &state->vrrp[i], CONTAINER_OF(found->resource, struct vrrp_group, resource));
    }
    replication_set_vrrp_claims(control->replication, claims, count);
}

static bool names_group(const struct message_list *set, const struct uuid *group_id)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].header.type == MESSAGE_VRRP_GROUP &&
            uuid_equal(&set->items[i].member_VRRP_GROUP.group_id, group_id))
            return true;
    return false;
}

void control_forget_groups(struct control *control, const struct message_list *set)
{
    struct node_state *state = control->state;
    size_t kept = 0;
    for (size_t i = 0; i < state->vrrp_count; i++)
        if (names_group(set, &state->vrrp[i].group_id)) {
            control->offers[kept] = control->offers[i];
            state->vrrp[kept++] = state->vrrp[i];
        }
    state->vrrp_count = kept;
}

static struct binding_state *find_binding(struct node_state *state,
                                          const struct ip_endpoint *endpoint)
{
    for (size_t i = 0; i < state->binding_count; i++)
        if (state->bindings[i].endpoint.port == endpoint->port &&
            ip_address_equal(&state->bindings[i].endpoint.address, &endpoint->address))
            return &state->bindings[i];
    return NULL;
}

static struct binding_state *add_binding(struct node_state *state,
                                         const struct ip_endpoint *endpoint)
{
    if (state->binding_count == NODE_STATE_MAXIMUM_BINDINGS)
        return NULL;
    struct binding_state *binding = &state->bindings[state->binding_count++];
    *binding = (struct binding_state){.endpoint = *endpoint, .error_number = -1};
    return binding;
}

void control_take_bind_result(struct control *control, const struct message_bind_result *result)
{
    struct binding_state *binding = find_binding(control->state, &result->endpoint);
    if (!binding)
        binding = add_binding(control->state, &result->endpoint);
    if (binding)
        binding->error_number = result->error_number;
}

static bool serves(const struct snapshot *snapshot, const struct ip_endpoint *endpoint)
{
    const struct snapshot_endpoint *endpoints = snapshot_endpoints(snapshot);
    for (uint32_t i = 0; i < snapshot->endpoints.count; i++)
        if (endpoints[i].endpoint.port == endpoint->port &&
            ip_address_equal(&endpoints[i].endpoint.address, &endpoint->address))
            return true;
    return false;
}

void control_expect_bindings(struct control *control, const struct snapshot *snapshot)
{
    struct node_state *state = control->state;
    const struct snapshot_endpoint *endpoints = snapshot_endpoints(snapshot);
    size_t kept = 0;
    for (size_t i = 0; i < state->binding_count; i++)
        if (serves(snapshot, &state->bindings[i].endpoint))
            state->bindings[kept++] = state->bindings[i];
    state->binding_count = kept;
    for (uint32_t i = 0; i < snapshot->endpoints.count; i++)
        if (!find_binding(state, &endpoints[i].endpoint))
            add_binding(state, &endpoints[i].endpoint);
}
