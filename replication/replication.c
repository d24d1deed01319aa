#include "replication/replication_internal.h"

#include "lbnode/base/monotime.h"
#include "lbnode/base/release.h"
#include "replication/backup_parts.h"
#include "replication/core_root.h"
#include "replication/history_internal.h"
#include "replication/join.h"
#include "replication/memory.h"
#include "replication/node_key.h"
#include "replication/recovery.h"
#include "replication/transport.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct core_now replication_now(const struct replication *replication)
{
    return (struct core_now){monotime_now_us(), walltime_now_ms()};
}

void replication_event(struct replication *replication, enum event_code code, const char *text)
{
    if (replication->handler.event)
        replication->handler.event(replication->handler.context, code, text);
}

/* ---- answers ---------------------------------------------------------------------------- */

uint64_t replication_await(struct replication *replication,
                           submit_done *on_submit,
                           replication_done *on_done,
                           void *context)
{
    replication->waiters = memory_grow(replication->waiters, replication->waiter_count,
                                       &replication->waiter_capacity, sizeof(struct waiter));
    replication->waiters[replication->waiter_count++] = (struct waiter){
        .token = ++replication->last_token,
        .on_submit = on_submit,
        .on_done = on_done,
        .context = context,
    };
    return replication->last_token;
}

static void call_back(const struct waiter *waiter)
{
    if (waiter->on_submit)
        waiter->on_submit(waiter->context, &waiter->result);
    else if (waiter->on_done)
        waiter->on_done(waiter->context, &waiter->result.error);
}

/* A callback may submit again, so take each waiter out before it is called. */
static void deliver_answers(struct loop_timer *timer)
{
    struct replication *replication = CONTAINER_OF(timer, struct replication, deliver);
    for (size_t i = 0; i < replication->waiter_count;) {
        if (!replication->waiters[i].answered) {
            i++;
            continue;
        }
        struct waiter waiter = replication->waiters[i];
        memmove(replication->waiters + i, replication->waiters + i + 1,
                (--replication->waiter_count - i) * sizeof(struct waiter));
        if (waiter.probation)
            replication_unconfirmed_changed(replication);
        call_back(&waiter);
        i = 0;
    }
}

void replication_answer(struct replication *replication,
                        uint64_t token,
                        const struct submit_result *result)
{
    for (size_t i = 0; i < replication->waiter_count; i++) {
        struct waiter *waiter = &replication->waiters[i];
        if (waiter->token != token || waiter->answered)
            continue;
        waiter->result = *result;
        waiter->answered = true;
        loop_timer_start(replication->loop, &replication->deliver, 0, deliver_answers);
    }
}

void replication_finish(struct replication *replication,
                        uint64_t token,
                        const struct error *error)
{
    struct submit_result result = {.error = *error};
    replication_answer(replication, token, &result);
}

/* ---- the core and its actions ----------------------------------------------------------- */

static void on_tick(struct loop_timer *timer)
{
    struct replication *replication = CONTAINER_OF(timer, struct replication, tick);
    replication_store_tick(replication);
    join_refusals_tick(replication);
    refound_tick(replication);
    backup_reading_tick(replication);
    rekey_tick(replication);
    if (rekey_allows(replication, NULL)) {
        announce_tick(replication);
        keys_tick(replication);
    }
    replication_step(replication, &(struct core_event){.kind = CORE_TICK});
}

static void schedule_tick(struct replication *replication)
{
    uint64_t now = monotime_now_us(), next = core_next_tick_us(replication->core);
    uint64_t delay_us = next > now ? next - now : 1000;
    loop_timer_start_us(replication->loop, &replication->tick, delay_us, on_tick);
}

struct bulk {
    struct replication *replication;
    const struct uuid *peer;
};

static void send_pulled(void *context, struct bytes record)
{
    const struct bulk *bulk = context;
    transport_send(bulk->replication->transport, bulk->peer, FRAME_RECORD, record, true);
}

static void send_records(struct replication *replication, const struct core_action *action)
{
    struct bulk bulk = {replication, &action->peer};
    struct wire_writer end = {0};
    bool more = false;
    int result =
        pull_answer(replication->store, (struct bytes){action->body, action->body_size},
                    core_durable(replication->core), send_pulled, &bulk, &more);
    if (!result && !more)
        result =
            pull_answer(replication->store, (struct bytes){action->body, action->body_size},
                        core_void_openings(replication->core), send_pulled, &bulk, &more);
    replication->damaged |= result == -EBADMSG || result == -ENOENT;
    pull_end(more, action->token, &end);
    if (!more)
        core_put_void_streams(replication->core, &end);
    transport_send(replication->transport, &action->peer, FRAME_PULL_END, wire_written(&end),
                   true);
    wire_writer_free(&end);
}

static void perform(struct replication *replication, struct core_action *action)
{
    const struct replication_handler *handler = &replication->handler;
    switch (action->kind) {
    case CORE_PERSIST:
        replication->committing = true;
        writer_commit(replication->writer, &action->batch);
        break;
    case CORE_SEND:
        if (replication->transport && !core_was_removed(replication->core))
            transport_send(replication->transport, &action->peer, action->frame_type,
                           (struct bytes){action->body, action->body_size}, action->bulk);
        break;
    case CORE_SEND_RECORDS:
        if (replication->transport)
            send_records(replication, action);
        break;
    case CORE_SEND_SNAPSHOT:
        if (replication->transport)
            snapshot_send_start(replication, &action->peer, action->token);
        break;
    case CORE_STOP_SNAPSHOT:
        snapshot_send_stop(replication, &action->peer, action->token);
        break;
    case CORE_COLLECT:
        snapshot_collect(replication, (struct bytes){action->body, action->body_size});
        break;
    case CORE_APPLIED:
        keys_follow(replication);
        transport_flush(replication->transport); /* projecting may take long: peers first */
        if (handler->applied)
            handler->applied(handler->context, action->position);
        break;
    case CORE_ANSWER: replication_answer(replication, action->token, &action->answer); break;
    case CORE_EVENT: replication_event(replication, action->code, action->text); break;
    case CORE_VERDICT:
        if (handler->verdict)
            handler->verdict(handler->context, &action->peer, action->verdict.member_id.bytes,
                             &action->verdict);
        break;
    case CORE_SWITCH_ASKED:
        if (handler->switch_asked)
            handler->switch_asked(handler->context, &action->peer, &action->switch_group,
                                  &action->switch_to);
        break;
    case CORE_VERDICTS_WANTED:
        if (handler->verdicts_wanted)
            handler->verdicts_wanted(handler->context, &action->peer);
        break;
    case CORE_PROBE_ASKED:
        if (handler->probe_asked)
            handler->probe_asked(handler->context, &action->peer, &action->pool);
        break;
    case CORE_RELOAD: replication->reload = true; break;
    case CORE_READ_LOG:
        replication->log_read = (struct log_read){true, action->first_row, action->row_count};
        break;
    case CORE_LEFT: removal_note(replication); break; /* the core itself falls silent */
    case CORE_OUTLOOK:
        if (handler->outlook)
            handler->outlook(handler->context);
        break;
    }
}

void replication_step_once(struct replication *replication, const struct core_event *event)
{
    struct core_actions actions = {0};
    core_step(replication->core, event, replication_now(replication), &actions);
    for (size_t i = 0; i < actions.count; i++)
        perform(replication, &actions.items[i]);
    core_actions_free(&actions);
}

/* Rows that the core asked for. */
static void read_log(struct replication *replication)
{
    const struct log_read read = replication->log_read;
    struct log_slice slice;
    if (!read.wanted)
        return;
    replication->log_read = (struct log_read){0};
    int result = log_slice_read(replication->store, read.first, read.rows, &slice);
    replication->damaged |= result == -EBADMSG;
    if (result == 0)
        replication_step_once(replication, &(struct core_event){.kind = CORE_LOG_ROWS,
                                                                .records = slice.records,
                                                                .record_count = slice.count,
                                                                .log_ended = slice.ended});
    log_slice_free(&slice);
}

/* What follows when no further event is at hand: the next batch, packets, the timer. */
static void settle(struct replication *replication, bool stage)
{
    replication_store_care(replication);
    replication->depth++;
    read_log(replication);
    if (stage || core_wants_stage(replication->core))
        replication_step_once(replication, &(struct core_event){.kind = CORE_STAGE});
    replication_restore_continue(replication);
    snapshot_send_continue(replication, NULL);
    replication->depth--;
    transport_flush(replication->transport);
    schedule_tick(replication);
}

void replication_step(struct replication *replication, const struct core_event *event)
{
    replication->depth++;
    replication_step_once(replication, event);
    if (--replication->depth == 0)
        settle(replication, event->kind == CORE_TICK);
}

void replication_hold(struct replication *replication)
{
    replication->depth++;
}

void replication_go_on(struct replication *replication)
{
    if (--replication->depth == 0)
        settle(replication, false);
}

/* ---- opening and closing ---------------------------------------------------------------- */

static bool open_files(struct replication *replication, struct error *error)
{
    char path[PATH_MAX];
    int key_fd = replication->settings.key_fd;
    snprintf(path, sizeof(path), "%s/node.key", replication->settings.state_dir);
    recovery_finish(replication->settings.state_dir);
    replication->key = key_fd > 0 ? node_key_read(key_fd, &replication->node_id, error)
                                  : node_key_open(path, &replication->node_id, error);
    if (!replication->key)
        return false;
    if (!replication_store_open(replication, error))
        return false;
    rekey_open(replication);
    keys_open(replication);
    return true;
}

struct replication *replication_open(struct loop *loop,
                                     const struct replication_settings *settings,
                                     const struct replication_handler *handler,
                                     struct error *error)
{
    struct replication *replication = memory_new(sizeof(*replication));
    crypto_start();
    replication->loop = loop;
    replication->settings = *settings;
    replication->settings.state_dir =
        memory_text(settings->state_dir, strlen(settings->state_dir));
    replication->settings.node_name =
        memory_text(settings->node_name, strlen(settings->node_name));
    replication->settings.addresses = (struct text_list){0};
    replication->handler = *handler;
    if (replication->settings.protocol == 0)
        replication->settings.protocol = (uint16_t)release_protocol();
    if (!text_list_copy(&settings->addresses, &replication->settings.addresses) ||
        !open_files(replication, error)) {
        replication_close(replication);
        return NULL;
    }
    return replication;
}

int replication_start(struct replication *replication, struct error *error)
{
    int result = transport_start(replication, error);
    replication_store_tell(replication);
    if (result == 0)
        replication_step(replication, &(struct core_event){.kind = CORE_TICK});
    replication_store_tick(replication);
    return result;
}

void replication_close(struct replication *replication)
{
    if (!replication)
        return;
    loop_timer_stop(&replication->tick);
    loop_timer_stop(&replication->deliver);
    join_client_cancel(replication);
    join_servers_cancel(replication);
    replication_restore_cancel(replication);
    refound_cancel(replication);
    backup_install_cancel(replication);
    snapshot_send_cancel(replication);
    history_free(replication);
    unconfirmed_cancel(replication);
    transport_free(replication->transport);
    replication_store_close(replication);
    keys_close(replication);
    rekey_close(replication);
    sign_key_free(replication->key);
    text_list_free(&replication->settings.addresses);
    free((char *)(uintptr_t)replication->settings.state_dir);
    free((char *)(uintptr_t)replication->settings.node_name);
    free(replication->waiters);
    free(replication);
}

/* ---- changes ---------------------------------------------------------------------------- */

static void submit(struct replication *replication,
                   struct core_event *event,
                   const struct submit_options *options,
                   submit_done *done,
                   void *context)
{
    event->submit.change_id = options->change_id;
    if (uuid_is_zero(&event->submit.change_id))
        event->submit.change_id = uuid_random();
    event->submit.author = options->author;
    event->submit.via = options->via;
    event->submit.require_replica = options->require_replica;
    event->submit.if_object = options->if_object;
    event->submit.if_revision = options->if_revision;
    event->submit.token = replication_await(replication, done, NULL, context);
    replication->waiters[replication->waiter_count - 1].probation =
        options->undo_at_ms > 0 || !uuid_is_zero(&options->settles);
    replication_step(replication, event);
}

void replication_submit(struct replication *replication,
                        const struct change_set *changes,
                        const struct submit_options *options,
                        submit_done *done,
                        void *context)
{
    struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes, .kind = RECORD_CONFIG},
    };
    struct submit_options own = *options;
    struct store_batch extra = {0};
    struct error error;
    if (!removal_allows(replication, changes, &error) || !rekey_allows(replication, &error)) {
        replication_finish(replication, replication_await(replication, done, NULL, context),
                           &error);
        return;
    }
    if (uuid_is_zero(&own.change_id))
        own.change_id = uuid_random();
    unconfirmed_put(&own, &extra);
    event.submit.extra = &extra;
    submit(replication, &event, &own, done, context);
    store_batch_free(&extra);
}

void replication_remove_node(struct replication *replication,
                             const struct uuid *node_id,
                             bool compromised,
                             const struct submit_options *options,
                             submit_done *done,
                             void *context)
{
    struct core_event event = {
        .kind = CORE_REMOVE_NODE,
        .node = *node_id,
        .compromised = compromised,
        .submit = {.kind = RECORD_ROSTER},
    };
    struct error error;
    if (rekey_allows_removal(replication, &error))
        submit(replication, &event, options, done, context);
    else
        replication_finish(replication, replication_await(replication, done, NULL, context),
                           &error);
}

void replication_set_running(struct replication *replication, uint64_t position)
{
    replication_step(replication,
                     &(struct core_event){.kind = CORE_RUNNING, .position = position});
}

void replication_set_vrrp_claims(struct replication *replication,
                                 const struct vrrp_claim *claims,
                                 size_t count)
{
    replication_step(
        replication,
        &(struct core_event){.kind = CORE_CLAIMS, .claims = claims, .claim_count = count});
}

void replication_ask_switch(struct replication *replication,
                            const struct uuid *node_id,
                            const struct uuid *group_id,
                            const struct uuid *to)
{
    replication_step(replication, &(struct core_event){.kind = CORE_ASK_SWITCH,
                                                       .node = *node_id,
                                                       .switch_group = *group_id,
                                                       .switch_to = *to});
}

void replication_ask_probe(struct replication *replication, const struct uuid *pool_id)
{
    replication_step(replication,
                     &(struct core_event){.kind = CORE_ASK_PROBE, .pool = *pool_id});
}

void replication_publish_verdicts(struct replication *replication,
                                  const struct shared_verdict *verdicts,
                                  size_t count)
{
    replication_step(replication, &(struct core_event){.kind = CORE_VERDICTS,
                                                       .verdicts = verdicts,
                                                       .verdict_count = count});
}

void replication_send_all_verdicts(struct replication *replication,
                                   const struct uuid *peer,
                                   const struct shared_verdict *verdicts,
                                   size_t count)
{
    replication_step(replication, &(struct core_event){.kind = CORE_ALL_VERDICTS,
                                                       .node = *peer,
                                                       .verdicts = verdicts,
                                                       .verdict_count = count});
}

/* ---- reading ---------------------------------------------------------------------------- */

bool replication_is_initialised(const struct replication *replication)
{
    return core_is_initialised(replication->core);
}

const struct uuid *replication_node_id(const struct replication *replication)
{
    return &replication->node_id;
}

bool replication_is_root(const struct replication *replication, const struct uuid *id)
{
    return core_is_root(replication->core, id);
}

const struct uuid *replication_cluster_id(const struct replication *replication)
{
    return &core_genesis(replication->core)->cluster_id;
}

const char *replication_cluster_name(const struct replication *replication)
{
    return core_genesis(replication->core)->cluster_name;
}

uint64_t replication_position(const struct replication *replication)
{
    return core_position(replication->core);
}

const struct uuid *replication_last_change(const struct replication *replication)
{
    return core_last_change(replication->core);
}

const char *replication_node_name(const struct replication *replication)
{
    return replication->settings.node_name;
}

struct peer_visit {
    const struct replication *replication;
    void (*visit)(void *context, const struct peer_view *peer);
    void *context;
};

static void visit_peer(void *context, const struct peer_view *peer)
{
    const struct peer_visit *visit = context;
    struct peer_view view = *peer;
    transport_view_peer(visit->replication->transport, &view);
    visit->visit(visit->context, &view);
}

void replication_visit_peers(const struct replication *replication,
                             void (*visit)(void *context, const struct peer_view *peer),
                             void *context)
{
    struct peer_visit own = {replication, visit, context};
    core_visit_peers(replication->core, replication_now(replication), visit_peer, &own);
}

void replication_visit_datagrams(const struct replication *replication,
                                 void (*visit)(void *context,
                                               const char *outcome,
                                               uint64_t count),
                                 void *context)
{
    transport_visit_counts(replication->transport, visit, context);
}

void replication_visit_streams(const struct replication *replication,
                               void (*visit)(void *context,
                                             const char *outcome,
                                             uint64_t count),
                               void *context)
{
    transport_visit_stream_counts(replication->transport, visit, context);
}

bool replication_bootstrap(const struct replication *replication, struct bootstrap_view *out)
{
    return core_bootstrap(replication->core, out);
}

void replication_state_hash(const struct replication *replication, uint8_t out[32])
{
    core_state_hash(replication->core, out);
}

const char *replication_storage_problem(const struct replication *replication)
{
    return core_storage_problem(replication->core);
}
