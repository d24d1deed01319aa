/* Messages between the children. Each type has one sender and fixed receivers; what comes from
 * anybody else is dropped. What a restarted process needs again is kept. */
#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "lbnode/node/service_notify.h"
#include "vrrp/vrrp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void supervisor_send(struct supervisor *supervisor,
                     enum process_role role,
                     const struct message *message,
                     const int *fds,
                     size_t fd_count)
{
    struct channel *channel = supervisor->children[role].channel;
    if (!channel)
        return;
    int rv = channel_send(channel, message, fds, fd_count);
    if (rv != 0 && rv != -EPIPE)
        log_warning("%s does not take %s: %s", process_role_name(role),
                    message_type_name(message->type), strerror(-rv));
}

/* ---- the election's configuration -----------------------------------------------------------
 */

static void send_list(struct supervisor *supervisor, const struct message_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        supervisor_send(supervisor, PROCESS_VRRP, &list->items[i].header, NULL, 0);
}

/* Only whole sets go on: a control process that dies in the middle changes nothing. */
static void take_vrrp_set(struct supervisor *supervisor, const struct message *message)
{
    if (message->type == MESSAGE_VRRP_BEGIN) {
        supervisor->vrrp_pending.count = 0;
        supervisor->vrrp_receiving = true;
    }
    if (!supervisor->vrrp_receiving)
        return;
    if (!message_list_add(&supervisor->vrrp_pending, message)) {
        supervisor->vrrp_receiving = false;
        log_error("the election's configuration is too large; the last one stays");
        return;
    }
    if (message->type != MESSAGE_VRRP_COMMIT)
        return;
    supervisor->vrrp_receiving = false;
    struct message_list whole = supervisor->vrrp_pending;
    supervisor->vrrp_pending = supervisor->vrrp_set;
    supervisor->vrrp_set = whole;
    send_list(supervisor, &supervisor->vrrp_set);
    hindrances_look_at_ports(supervisor);
}

static bool is_vrrp_peer(const struct supervisor *supervisor, const struct uuid *node_id)
{
    for (size_t i = 0; i < supervisor->vrrp_set.count; i++) {
        const union message_buffer *item = &supervisor->vrrp_set.items[i];
        if (item->header.type == MESSAGE_VRRP_PEER &&
            uuid_equal(&item->member_VRRP_PEER.node_id, node_id))
            return true;
    }
    return false;
}

/* Takes out the node that was named first of those that are no peers. False: all are. */
static bool forget_vouched(struct supervisor *supervisor)
{
    struct message_vrrp_vouched *nodes = supervisor->vouched;
    size_t i = 0;
    while (i < supervisor->vouched_count && is_vrrp_peer(supervisor, &nodes[i].node_id))
        i++;
    if (i == supervisor->vouched_count)
        return false;
    supervisor->vouched_count--;
    memmove(&nodes[i], &nodes[i + 1], (supervisor->vouched_count - i) * sizeof(nodes[0]));
    return true;
}

/* The last word about each of at most VRRP_VOUCHED_MAXIMUM nodes, as many as an election has
 * peers. Nodes that are none make room; where all are, the newcomer is none, and not kept. */
static void keep_vouched(struct supervisor *supervisor,
                         const struct message_vrrp_vouched *vouched)
{
    size_t i = 0;
    while (i < supervisor->vouched_count &&
           !uuid_equal(&supervisor->vouched[i].node_id, &vouched->node_id))
        i++;
    if (i == VRRP_VOUCHED_MAXIMUM) {
        if (!forget_vouched(supervisor))
            return;
        i = supervisor->vouched_count;
    }
    supervisor->vouched[i] = *vouched;
    if (i == supervisor->vouched_count)
        supervisor->vouched_count++;
}

static void send_vouched(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->vouched_count; i++)
        supervisor_send(supervisor, PROCESS_VRRP, &supervisor->vouched[i].header, NULL, 0);
}

bool supervisor_has_vrrp_peers(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->vrrp_set.count; i++) {
        if (supervisor->vrrp_set.items[i].header.type == MESSAGE_VRRP_PEER)
            return true;
    }
    return false;
}

/* ---- what vrrp says -------------------------------------------------------------------------
 */

static void keep_status(struct supervisor *supervisor, const struct message_vrrp_status *status)
{
    size_t i = 0;
    while (i < supervisor->status_count &&
           (supervisor->statuses[i].family != status->family ||
            !uuid_equal(&supervisor->statuses[i].group_id, &status->group_id)))
        i++;
    if (i == VRRP_STATUS_MAXIMUM)
        return;
    supervisor->statuses[i] = *status;
    if (i == supervisor->status_count)
        supervisor->status_count++;
}

static void keep_owned(struct supervisor *supervisor, const struct message_vrrp_owned *owned)
{
    size_t i = 0;
    while (i < supervisor->owned_count &&
           (supervisor->owned[i].interface_index != owned->interface_index ||
            !ip_address_equal(&supervisor->owned[i].address, &owned->address)))
        i++;
    if (owned->owned && i < VRRP_OWNED_MAXIMUM) {
        supervisor->owned[i] = *owned;
        if (i == supervisor->owned_count)
            supervisor->owned_count++;
    } else if (!owned->owned && i < supervisor->owned_count) {
        supervisor->owned[i] = supervisor->owned[--supervisor->owned_count];
    }
}

void supervisor_remove_owned(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->owned_count; i++) {
        char text[IP_ADDRESS_TEXT_SIZE];
        int rv = supervisor->settings->remove_address(&supervisor->owned[i]);
        ip_address_format(&supervisor->owned[i].address, text);
        if (rv != 0)
            log_warning("cannot remove %s: %s", text, strerror(-rv));
    }
    supervisor->owned_count = 0;
}

void supervisor_speak_for_vrrp(struct supervisor *supervisor, bool resign)
{
    struct vrrp_last_words words = {
        .statuses = supervisor->statuses,
        .status_count = supervisor->status_count,
        .set = supervisor->vrrp_set.items,
        .set_count = supervisor->vrrp_set.count,
        .resign = resign,
    };
    supervisor->settings->speak_for_dead(&words);
}

/* ---- events ---------------------------------------------------------------------------------
 */

static void announce_ready(struct supervisor *supervisor)
{
    supervisor->ready = true;
    service_notify("READY=1");
}

/* The oldest give way: control will be told the newest. */
static void keep_event(struct supervisor *supervisor, const struct message_event *event)
{
    if (supervisor->event_count == EVENTS_KEPT) {
        memmove(&supervisor->events[0], &supervisor->events[1],
                (EVENTS_KEPT - 1) * sizeof(supervisor->events[0]));
        supervisor->event_count--;
    }
    supervisor->events[supervisor->event_count++] = *event;
}

static void pass_event(struct supervisor *supervisor, const struct message_event *event)
{
    if (supervisor->children[PROCESS_CONTROL].channel)
        supervisor_send(supervisor, PROCESS_CONTROL, &event->header, NULL, 0);
    else
        keep_event(supervisor, event);
}

static void take_event(struct child *from, const struct message_event *message)
{
    struct message_event event = *message;
    if (event.code >= EVENT_CODE_COUNT)
        return;
    event.role = from->role;
    event.text[sizeof(event.text) - 1] = '\0';
    if (from->role != PROCESS_CONTROL)
        pass_event(from->supervisor, &event);
    else if (event.code == EVENT_NODE_STARTED)
        announce_ready(from->supervisor);
}

void supervisor_event(struct supervisor *supervisor,
                      enum event_code code,
                      const char *format,
                      ...)
{
    struct message_event event = MESSAGE_OF(EVENT, struct message_event);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event.text, sizeof(event.text), format, arguments);
    va_end(arguments);
    event.code = code;
    event.role = PROCESS_SUPERVISOR;
    event.wall_ms = walltime_now_ms();
    switch (event_code_level(code)) {
    case EVENT_INFO: log_info("%s %s", event_code_name(code), event.text); break;
    case EVENT_WARNING: log_warning("%s %s", event_code_name(code), event.text); break;
    case EVENT_ERROR: log_error("%s %s", event_code_name(code), event.text); break;
    }
    pass_event(supervisor, &event);
}

static struct message_process process_message(struct supervisor *supervisor,
                                              enum process_role role)
{
    struct message_process process = MESSAGE_OF(PROCESS, struct message_process);
    process.role = role;
    process.pid = role == PROCESS_SUPERVISOR ? getpid() : supervisor->children[role].pid;
    process.restarts = supervisor->children[role].restarts;
    return process;
}

void supervisor_tell_process(struct supervisor *supervisor, enum process_role role)
{
    struct message_process process = process_message(supervisor, role);
    supervisor_send(supervisor, PROCESS_CONTROL, &process.header, NULL, 0);
}

/* ---- ranks for health -----------------------------------------------------------------------
 */

static bool is_active_for(const struct supervisor *supervisor, const struct uuid *group)
{
    for (size_t i = 0; i < supervisor->status_count; i++)
        if (supervisor->statuses[i].state == VRRP_ACTIVE &&
            uuid_equal(&supervisor->statuses[i].group_id, group))
            return true;
    return false;
}

static void
tell_rank(struct supervisor *supervisor, const struct uuid *group, enum health_rank rank)
{
    size_t i = 0;
    while (i < supervisor->rank_count && !uuid_equal(&supervisor->ranks[i].group_id, group))
        i++;
    if (i == HEALTH_RANKS_MAXIMUM ||
        (i < supervisor->rank_count && supervisor->ranks[i].rank == rank))
        return;
    supervisor->rank_count += i == supervisor->rank_count;
    supervisor->ranks[i] = MESSAGE_OF(HEALTH_RANK, struct message_health_rank);
    supervisor->ranks[i].group_id = *group;
    supervisor->ranks[i].rank = (uint8_t)rank;
    supervisor_send(supervisor, PROCESS_HEALTH, &supervisor->ranks[i].header, NULL, 0);
}

/* Whoever is active probes as such, whatever control has not heard yet. */
static void take_rank(struct supervisor *supervisor, const struct message_health_rank *message)
{
    if (message->rank <= HEALTH_RANK_OTHER)
        tell_rank(supervisor, &message->group_id,
                  is_active_for(supervisor, &message->group_id)
                      ? HEALTH_RANK_ACTIVE
                      : (enum health_rank)message->rank);
}

static void send_ranks(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->rank_count; i++)
        supervisor_send(supervisor, PROCESS_HEALTH, &supervisor->ranks[i].header, NULL, 0);
}

/* ---- in -------------------------------------------------------------------------------------
 */

static void take_running(struct supervisor *supervisor, const struct message_running *running)
{
    supervisor->running_generation = running->generation;
    eligible_proxy_runs(supervisor);
    supervisor_send(supervisor, PROCESS_CONTROL, &running->header, NULL, 0);
    supervisor_send(supervisor, PROCESS_VRRP, &running->header, NULL, 0);
}

static void from_control(struct supervisor *supervisor, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_BINDING: snapshots_add_binding(supervisor, (const void *)message); break;
    case MESSAGE_VRRP_BEGIN:
    case MESSAGE_VRRP_GROUP:
    case MESSAGE_VRRP_PEER:
    case MESSAGE_VRRP_ADDRESS:
    case MESSAGE_VRRP_COMMIT: take_vrrp_set(supervisor, message); break;
    case MESSAGE_VRRP_VOUCHED:
        keep_vouched(supervisor, (const void *)message);
        supervisor_send(supervisor, PROCESS_VRRP, message, NULL, 0);
        break;
    case MESSAGE_VRRP_HAND_OVER:
    case MESSAGE_VRRP_EVIDENCE:
        supervisor_send(supervisor, PROCESS_VRRP, message, NULL, 0);
        break;
    case MESSAGE_HINDRANCE: hindrances_take(supervisor, (const void *)message); break;
    case MESSAGE_HEALTH_RANK: take_rank(supervisor, (const void *)message); break;
    case MESSAGE_IMPORTED_VERDICTS:
    case MESSAGE_PROBE_NOW:
        supervisor_send(supervisor, PROCESS_HEALTH, message, NULL, 0);
        break;
    default: break;
    }
}

static void from_vrrp(struct supervisor *supervisor, const struct message *message)
{
    if (message->type == MESSAGE_VRRP_STATUS) {
        const struct message_vrrp_status *status = (const void *)message;
        keep_status(supervisor, status);
        if (status->state == VRRP_ACTIVE)
            tell_rank(supervisor, &status->group_id, HEALTH_RANK_ACTIVE);
        supervisor_send(supervisor, PROCESS_CONTROL, message, NULL, 0);
    } else if (message->type == MESSAGE_VRID_HEARD) {
        supervisor_send(supervisor, PROCESS_CONTROL, message, NULL, 0);
    } else if (message->type == MESSAGE_VRRP_OWNED) {
        keep_owned(supervisor, (const void *)message);
    }
}

void supervisor_relay(struct child *from,
                      const struct message *message,
                      const int *fds,
                      size_t fd_count)
{
    struct supervisor *supervisor = from->supervisor;
    size_t used = 0;
    if (message->type == MESSAGE_ALIVE) {
        hang_watch_alive(&from->hang);
    } else if (message->type == MESSAGE_EVENT) {
        take_event(from, (const void *)message);
    } else if (from->role == PROCESS_CONTROL && message->type == MESSAGE_SNAPSHOT) {
        used = fd_count == 1;
        if (used)
            snapshots_adopt(supervisor, (const void *)message, fds[0]);
    } else if (from->role == PROCESS_CONTROL) {
        from_control(supervisor, message);
    } else if (from->role == PROCESS_VRRP) {
        from_vrrp(supervisor, message);
    } else if (from->role == PROCESS_PROXY && message->type == MESSAGE_RUNNING) {
        take_running(supervisor, (const void *)message);
    } else if (from->role == PROCESS_PROXY && message->type == MESSAGE_SUSPICION) {
        supervisor_send(supervisor, PROCESS_HEALTH, message, NULL, 0);
    }
    for (size_t i = used; i < fd_count; i++)
        close(fds[i]);
}

/* ---- for a process that starts --------------------------------------------------------------
 */

static void send_snapshot(struct supervisor *supervisor, enum process_role role)
{
    struct message_snapshot snapshot = MESSAGE_OF(SNAPSHOT, struct message_snapshot);
    snapshot.generation = supervisor->current.generation;
    snapshot.change_id = supervisor->current.change_id;
    if (supervisor->current.fd >= 0)
        supervisor_send(supervisor, role, &snapshot.header, &supervisor->current.fd, 1);
}

static void send_running(struct supervisor *supervisor, enum process_role role)
{
    struct message_running running = MESSAGE_OF(RUNNING, struct message_running);
    running.generation = supervisor->running_generation;
    if (running.generation > 0)
        supervisor_send(supervisor, role, &running.header, NULL, 0);
}

static void send_statuses(struct supervisor *supervisor, enum process_role role)
{
    for (size_t i = 0; i < supervisor->status_count; i++)
        supervisor_send(supervisor, role, &supervisor->statuses[i].header, NULL, 0);
}

static void replay_control(struct supervisor *supervisor)
{
    for (int role = 0; role < PROCESS_ROLE_COUNT; role++)
        if (role != PROCESS_CONTROL)
            supervisor_tell_process(supervisor, (enum process_role)role);
    send_snapshot(supervisor, PROCESS_CONTROL);
    bindings_replay(supervisor, PROCESS_CONTROL);
    send_running(supervisor, PROCESS_CONTROL);
    send_statuses(supervisor, PROCESS_CONTROL);
    for (size_t i = 0; i < supervisor->event_count; i++)
        supervisor_send(supervisor, PROCESS_CONTROL, &supervisor->events[i].header, NULL, 0);
    supervisor->event_count = 0;
}

void supervisor_replay(struct supervisor *supervisor, enum process_role role)
{
    switch (role) {
    case PROCESS_CONTROL: replay_control(supervisor); break;
    case PROCESS_PROXY:
        bindings_replay(supervisor, PROCESS_PROXY);
        send_snapshot(supervisor, PROCESS_PROXY);
        break;
    case PROCESS_HEALTH:
        send_ranks(supervisor);
        send_snapshot(supervisor, PROCESS_HEALTH);
        break;
    case PROCESS_VRRP:
        if (supervisor->eligible.header.type != MESSAGE_NONE)
            supervisor_send(supervisor, role, &supervisor->eligible.header, NULL, 0);
        hindrances_replay(supervisor);
        send_statuses(supervisor, PROCESS_VRRP);
        send_running(supervisor, PROCESS_VRRP);
        send_vouched(supervisor);
        send_list(supervisor, &supervisor->vrrp_set);
        break;
    default: break;
    }
}

void supervisor_relay_free(struct supervisor *supervisor)
{
    message_list_free(&supervisor->vrrp_set);
    message_list_free(&supervisor->vrrp_pending);
}
