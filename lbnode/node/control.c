#include "lbnode/node/control_internal.h"

#include "lbnode/base/json_value.h"
#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "lbnode/node/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void control_send(struct control *control,
                  const struct message *message,
                  const int *fds,
                  size_t fd_count)
{
    int rv = channel_send(control->channel, message, fds, fd_count);
    if (rv != 0 && rv != -EPIPE)
        log_error("the supervisor does not take %s: %s", message_type_name(message->type),
                  strerror(-rv));
}

/* ---- from the supervisor --------------------------------------------------------------------
 */

static void take_message(struct control *control,
                         const struct message *message,
                         const int *fds,
                         size_t fd_count)
{
    const void *body = message;
    switch (message->type) {
    case MESSAGE_SNAPSHOT:
        if (fd_count == 1)
            control_projection_adopt(
                control, ((const struct message_snapshot *)body)->generation, fds[0]);
        break;
    case MESSAGE_RUNNING: control_projection_take_running(control, body); break;
    case MESSAGE_PROCESS: control_take_process(control, body); break;
    case MESSAGE_BIND_RESULT: control_take_bind_result(control, body); break;
    case MESSAGE_VRRP_STATUS: control_take_vrrp_status(control, body); break;
    case MESSAGE_VRID_HEARD: control_take_vrid_heard(control, body); break;
    case MESSAGE_EVENT: control_take_event(control, body); break;
    case MESSAGE_STOP: loop_stop(control->loop); break;
    default: break;
    }
}

static void
on_message(void *context, const struct message *message, const int *fds, size_t fd_count)
{
    take_message(context, message, fds, fd_count);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
}

/* The supervisor is gone: so is the node. */
static void on_closed(void *context)
{
    struct control *control = context;
    loop_stop(control->loop);
}

/* ---- from replication -----------------------------------------------------------------------
 */

static void on_applied(void *context, uint64_t position)
{
    control_projection_update(context, position);
}

static void on_event(void *context, enum event_code code, const char *text)
{
    control_event(context, code, "%s", text);
}

static void on_verdict(void *context,
                       const struct uuid *author,
                       const uint8_t member_key[8],
                       const struct shared_verdict *verdict)
{
    verdicts_import(context, author, member_key, verdict);
}

static void on_verdicts_wanted(void *context, const struct uuid *peer)
{
    verdicts_send_all(context, peer);
}

static void on_switch_asked(void *context,
                            const struct uuid *asker,
                            const struct uuid *group_id,
                            const struct uuid *to)
{
    eligibility_switch_asked(context, asker, group_id, to);
}

static void on_probe_asked(void *context, const struct uuid *asker, const struct uuid *pool_id)
{
    control_probe_asked(context, pool_id);
}

static void on_outlook(void *context)
{
    outlook_take(context);
}

static void on_unconfirmed(void *context)
{
    probation_wake(((struct control *)context)->probation);
}

/* ---- from the API ---------------------------------------------------------------------------
 */

void control_hand_over(struct control *control,
                       const struct uuid *group_id,
                       const struct uuid *node_id)
{
    struct message_vrrp_hand_over message =
        MESSAGE_OF(VRRP_HAND_OVER, struct message_vrrp_hand_over);
    message.group_id = *group_id;
    message.node_id = *node_id;
    control_send(control, &message.header, NULL, 0);
}

static void hand_over(void *context, const struct uuid *group_id, const struct uuid *node_id)
{
    control_hand_over(context, group_id, node_id);
}

static uint64_t test_pool(void *context, const struct uuid *pool_id)
{
    return control_test_pool(context, pool_id);
}

static bool peer_verdict(void *context,
                         const struct uuid *node_id,
                         const struct uuid *member_id,
                         struct shared_verdict *out)
{
    return verdicts_of_peer(context, node_id, member_id, out);
}

/* ---- start ----------------------------------------------------------------------------------
 */

static bool open_channel(struct control *control)
{
    struct channel_handler handler = {on_message, on_closed, control};
    control->loop = loop_new();
    control->state = calloc(1, sizeof(*control->state));
    control->slots = slot_map_new();
    if (control->state)
        control->state->events = event_ring_new();
    if (!control->loop || !control->slots || !control->state || !control->state->events)
        return false;
    control->state->slots = control->slots;
    control->state->verdicts = control->context->verdicts;
    control->state->counters = control->context->counters;
    control->state->worker_count = control->context->worker_count;
    control->state->started_wall_ms = walltime_now_ms();
    control->state->hand_over = hand_over;
    control->state->hand_over_context = control;
    control->state->probe_pool = test_pool;
    control->state->probe_pool_context = control;
    control->state->peer_verdict = peer_verdict;
    control->state->peer_verdict_context = control;
    control->channel = channel_new(control->loop, control->context->channel_fd, &handler);
    return control->channel;
}

static bool add_addresses(const struct node_settings *settings, struct text_list *out)
{
    for (size_t i = 0; i < settings->address_count; i++) {
        char text[IP_ENDPOINT_TEXT_SIZE];
        ip_endpoint_format(&settings->addresses[i], text);
        if (!text_list_add(out, text, strlen(text)))
            return false;
    }
    return true;
}

static bool open_replication(struct control *control, struct error *error)
{
    const struct node_settings *settings = control->settings;
    struct replication_settings own = {
        .state_dir = settings->state_dir,
        .node_name = settings->name,
        .listen = settings->gossip_listen,
        .incarnation = control->context->incarnation,
        .key_fd = control->context->node_key_fd,
        .retention = {.keep_ms = settings->history_days * 24ull * 3600 * 1000,
                      .keep_bytes = (uint64_t)settings->history_mib << 20},
    };
    struct replication_handler handler = {
        .applied = on_applied,
        .event = on_event,
        .verdict = on_verdict,
        .switch_asked = on_switch_asked,
        .context = control,
        .outlook = on_outlook,
        .unconfirmed = on_unconfirmed,
        .probe_asked = on_probe_asked,
        .verdicts_wanted = on_verdicts_wanted,
    };
    if (!add_addresses(settings, &own.addresses))
        return error_set(error, ERROR_INTERNAL, "Out of memory.");
    control->replication = replication_open(control->loop, &own, &handler, error);
    if (own.key_fd > 0)
        close(own.key_fd);
    text_list_free(&own.addresses);
    control->state->replication = control->replication;
    return control->replication;
}

/* What the supervisor wrote before the fork comes first: slot numbers of the running snapshot
 * must be known before the first projection. */
static bool open_all(struct control *control, struct error *error)
{
    struct admin_settings admin;
    char socket_path[SETTINGS_PATH_SIZE + 16];
    channel_drain(control->channel);
    if (!open_replication(control, error))
        return false;
    /* The board is read before health hears of the snapshot: what comes after is news. */
    if (!verdicts_start(control) || !peers_start(control) || !control_projection_open(control))
        return error_set(error, ERROR_INTERNAL, "Out of memory.");
    outlook_start(control);
    control_projection_update(control, replication_position(control->replication));
    control_publish_claims(control);
    if (replication_start(control->replication, error) != 0)
        return false;
    snprintf(socket_path, sizeof(socket_path), "%s/lbnode.sock", control->settings->run_dir);
    admin = (struct admin_settings){socket_path, control->settings->api_listen};
    control->admin = admin_server_new(control->loop, &admin, control->state, error);
    if (!control->admin)
        return false;
    eligibility_start(control);
    control->probation = probation_start(control->loop, control->state, on_event, control);
    return control->probation || error_set(error, ERROR_INTERNAL, "Out of memory.");
}

static void announce(struct control *control)
{
    struct message_event event = MESSAGE_OF(EVENT, struct message_event);
    event.code = EVENT_NODE_STARTED;
    event.wall_ms = walltime_now_ms();
    control_send(control, &event.header, NULL, 0);
    control_event(control, EVENT_NODE_STARTED, "node %s serves its API on %s/lbnode.sock",
                  control->settings->name, control->settings->run_dir);
}

static void close_all(struct control *control)
{
    heartbeat_stop(&control->heartbeat);
    eligibility_stop(control);
    admin_server_free(control->admin);
    probation_stop(control->probation);
    if (control->replication)
        replication_close(control->replication);
    outlook_stop(control);
    control_probe_stop(control);
    verdicts_free(control);
    peers_free(control);
    control_projection_free(control);
    channel_free(control->channel);
    if (control->state)
        event_ring_free(control->state->events);
    free(control->state);
    loop_free(control->loop);
}

int control_main(const struct process_context *context, const struct node_settings *settings)
{
    struct control control = {.context = context, .settings = settings};
    struct error error = {.kind = ERROR_NONE};
    int status = 0;
    log_open("control", settings->log_level);
    json_value_wipe_memory(); /* requests may have payloads of secrets */
    if (!open_channel(&control))
        error_set(&error, ERROR_INTERNAL, "Out of memory.");
    else
        open_all(&control, &error);
    if (error.kind != ERROR_NONE) {
        log_error("%s", error.text);
        status = EXIT_UNUSABLE;
    } else {
        announce(&control);
        heartbeat_start(&control.heartbeat, control.loop, control.channel);
        loop_run(control.loop);
    }
    close_all(&control);
    return status;
}
