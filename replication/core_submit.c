/* Local changes: queued here, made into records by core_stage.c, answered when peers confirmed
 * or time is up. */
#include "replication/core_internal.h"

#include "replication/core_root.h"
#include "replication/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t answer_limit_us = 500000;
/* How long a change that one peer has on disk waits for the rest: others, and running there. */
static const uint64_t answer_grace_us = 150000;

/* ---- answers ---------------------------------------------------------------------------- */

static unsigned changes_between(const struct core *core, const struct vv *theirs)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < core->stream_count; i++) {
        const struct stream *stream = core->streams[i];
        if (!uuid_equal(&stream->node_id, &core->node_id))
            continue;
        uint64_t own = vv_get(&core->durable, stream->id);
        uint64_t known = vv_get(theirs, stream->id);
        missing += own > known ? own - known : 0;
    }
    return missing > UINT32_MAX ? UINT32_MAX : (unsigned)missing;
}

unsigned core_changes_behind(const struct core *core, const struct vv *theirs)
{
    return changes_between(core, theirs);
}

static unsigned changes_waiting(const struct core *core)
{
    struct vv anybody = {0};
    for (size_t i = 0; i < core->peer_count; i++)
        vv_merge(&anybody, &core->peers[i]->durable);
    unsigned waiting = changes_between(core, &anybody);
    vv_free(&anybody);
    return waiting;
}

static void count_peers(const struct core *core, struct dot dot, struct submit_result *out)
{
    out->peers = (unsigned)core->peer_count;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        out->peers_alive += core_peer_is_alive(peer);
        out->peers_durable += vv_get(&peer->durable, dot.stream) >= dot.seq;
        out->peers_running += vv_get(&peer->running, dot.stream) >= dot.seq;
    }
    out->waiting = changes_waiting(core);
}

static void format_duration(uint64_t seconds, char out[32])
{
    if (seconds < 60)
        snprintf(out, 32, "%us", (unsigned)seconds);
    else if (seconds < 3600)
        snprintf(out, 32, "%um%02us", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
    else
        snprintf(out, 32, "%uh%02um", (unsigned)(seconds / 3600 % 100000),
                 (unsigned)(seconds / 60 % 60));
}

/* "lb2 unreachable for 3m12s" about the peer that was heard last. */
static void describe_absence(const struct core *core, char *out, size_t size)
{
    const struct peer *last = core->peers[0];
    for (size_t i = 1; i < core->peer_count; i++)
        if (core->peers[i]->heard &&
            (!last->heard || core->peers[i]->last_heard_us > last->last_heard_us))
            last = core->peers[i];
    char duration[32], more[40] = "";
    if (core->peer_count > 1)
        snprintf(more, sizeof(more), " (and %zu more)", core->peer_count - 1);
    const char *name = core_node_name(core, &last->id);
    if (!last->heard) {
        snprintf(out, size, "%.64s%s not seen since this node started", name, more);
        return;
    }
    format_duration((core->now.mono_us - last->last_heard_us) / SECOND, duration);
    snprintf(out, size, "%.64s%s unreachable for %s", name, more, duration);
}

static const char *first_silent_peer(const struct core *core, struct dot dot)
{
    for (size_t i = 0; i < core->peer_count; i++)
        if (core_peer_is_alive(core->peers[i]) &&
            vv_get(&core->peers[i]->durable, dot.stream) < dot.seq)
            return core_node_name(core, &core->peers[i]->id);
    return "a peer";
}

static void describe(const struct core *core, struct dot dot, struct submit_result *result)
{
    const char *self = core_node_name(core, &core->node_id);
    char absence[160];
    if (result->peers == 0) {
        snprintf(result->text, sizeof(result->text), "committed on %.64s", self);
    } else if (result->peers_durable > 0) {
        snprintf(result->text, sizeof(result->text),
                 "committed, replicated to %u/%u peers in %u ms", result->peers_durable,
                 result->peers, result->elapsed_ms);
    } else if (result->peers_alive == 0) {
        describe_absence(core, absence, sizeof(absence));
        snprintf(result->text, sizeof(result->text),
                 "committed on %.64s ONLY: %s, %u change%s waiting", self, absence,
                 result->waiting, result->waiting == 1 ? "" : "s");
    } else {
        snprintf(
            result->text, sizeof(result->text),
            "committed on %.64s, not yet replicated: %.64s has not confirmed within 500 ms",
            self, first_silent_peer(core, dot));
    }
}

static void
answer(const struct core *core, const struct awaited *awaited, struct core_actions *actions)
{
    struct core_action *action = core_act(actions, CORE_ANSWER);
    action->token = awaited->token;
    action->answer.change_id = awaited->change_id;
    action->answer.elapsed_ms = (unsigned)((core->now.mono_us - awaited->submitted_us) / MS);
    count_peers(core, awaited->dot, &action->answer);
    describe(core, awaited->dot, &action->answer);
}

static void refuse(struct core_actions *actions,
                   uint64_t token,
                   const struct uuid *change_id,
                   enum error_kind kind,
                   const char *text)
{
    struct core_action *action = core_act(actions, CORE_ANSWER);
    action->token = token;
    action->answer.change_id = *change_id;
    error_set(&action->answer.error, kind, "%s", text);
    snprintf(action->answer.text, sizeof(action->answer.text), "%.250s", text);
}

static bool is_answerable(const struct core *core, struct awaited *awaited)
{
    unsigned alive = 0, durable = 0, running = 0;
    if (!awaited->persisted)
        return false;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        alive += core_peer_is_alive(peer);
        durable += vv_get(&peer->durable, awaited->dot.stream) >= awaited->dot.seq;
        running += core_peer_is_alive(peer) &&
                   vv_get(&peer->running, awaited->dot.stream) >= awaited->dot.seq;
    }
    if (durable > 0 && awaited->durable_since_us == 0)
        awaited->durable_since_us = core->now.mono_us;
    if (running == alive || core->now.mono_us >= awaited->submitted_us + answer_limit_us)
        return true;
    return durable > 0 && core->now.mono_us >= awaited->durable_since_us + answer_grace_us;
}

void core_check_answers(struct core *core, struct core_actions *actions)
{
    size_t kept = 0;
    for (size_t i = 0; i < core->awaited_count; i++) {
        struct awaited *awaited = &core->awaited[i];
        if (!awaited->persisted &&
            vv_get(&core->durable, awaited->dot.stream) >= awaited->dot.seq)
            awaited->persisted = true;
        if (is_answerable(core, awaited))
            answer(core, awaited, actions);
        else
            core->awaited[kept++] = *awaited;
    }
    core->awaited_count = kept;
}

/* The commit failed: whoever waits for it gets an error; what was committed before is answered
 * as it stands. */
void core_fail_answers(struct core *core, struct core_actions *actions)
{
    for (size_t i = 0; i < core->awaited_count; i++) {
        const struct awaited *awaited = &core->awaited[i];
        if (awaited->persisted)
            answer(core, awaited, actions);
        else
            refuse(actions, awaited->token, &awaited->change_id, ERROR_REFUSED,
                   core->storage_problem);
    }
    core->awaited_count = 0;
}

void core_submission_free(struct submission *submission)
{
    change_set_free(&submission->changes);
    store_batch_free(&submission->extra);
    free(submission->known);
}

void core_refuse_submissions(struct core *core, struct core_actions *actions)
{
    for (size_t i = 0; i < core->submission_count; i++) {
        struct submission *submission = &core->submissions[i];
        refuse(actions, submission->token, &submission->change_id, ERROR_REFUSED,
               core->storage_problem);
        core_submission_free(submission);
    }
    core->submission_count = core->own_pace.count = 0;
}

/* ---- taking a change -------------------------------------------------------------------- */

static bool any_peer_alive(const struct core *core)
{
    for (size_t i = 0; i < core->peer_count; i++)
        if (core_peer_is_alive(core->peers[i]))
            return true;
    return false;
}

static bool
may_submit(const struct core *core, const struct core_event *event, struct error *error)
{
    const struct core_submit *submit = &event->submit;
    if (submit->root)
        return core_may_submit_as_root(core, submit->root, error);
    if (!core->initialised)
        return error_set(error, ERROR_REFUSED,
                         "this node is not part of a cluster yet; run lbnode init or "
                         "lbnode join TOKEN");
    if (core->removed)
        return error_set(error, ERROR_REFUSED,
                         "this node was removed from the cluster; join again with a new token");
    const struct roster_node *self = roster_find(&core->roster, &core->node_id);
    if (!self)
        return error_set(error, ERROR_REFUSED,
                         "this node has not yet received the list of the cluster's nodes");
    if (memcmp(self->key_id, core->key_id, sizeof(self->key_id)) != 0)
        return error_set(error, ERROR_REFUSED,
                         "the cluster knows another key of this node; nobody would take what "
                         "it signs");
    if (core->storage_problem[0])
        return error_set(error, ERROR_REFUSED, "%s", core->storage_problem);
    if (core->submission_count >= SUBMIT_QUEUE || core->awaited_count >= ANSWER_QUEUE)
        return error_set(error, ERROR_UNAVAILABLE, "too many changes are waiting; try again");
    if (submit->require_replica && !any_peer_alive(core))
        return error_set(error, ERROR_UNREPLICATED,
                         "no other node is reachable, and a replica was required; nothing "
                         "was changed");
    if (event->kind == CORE_REMOVE_NODE)
        return true;
    if (submit->changes->count == 0)
        return error_set(error, ERROR_INVALID, "the change is empty");
    return true;
}

static bool copy_changes(const struct change_set *from, struct change_set *to)
{
    for (size_t i = 0; from && i < from->count; i++) {
        const struct change_op *op = &from->ops[i];
        if (!change_set_add(to, &op->object_id, &op->owner, op->type, op->facet,
                            (struct bytes){op->value, op->value_size}))
            return false;
    }
    return true;
}

void core_submit(struct core *core,
                 const struct core_event *event,
                 struct core_actions *actions)
{
    const struct core_submit *submit = &event->submit;
    struct error error = {0};
    struct submission submission = {
        .change_id = submit->change_id,
        .if_object = submit->if_object,
        .if_revision = submit->if_revision,
        .kind = submit->kind,
        .token = submit->token,
        .submitted_us = core->now.mono_us,
        .root = submit->root,
    };
    if (!may_submit(core, event, &error)) {
        refuse(actions, submit->token, &submit->change_id, error.kind, error.text);
        return;
    }
    if (event->kind == CORE_REMOVE_NODE) {
        submission.remove_node = event->node;
        submission.compromised = event->compromised;
    }
    snprintf(submission.author, sizeof(submission.author), "%s",
             submit->author ? submit->author : "");
    snprintf(submission.via, sizeof(submission.via), "%s", submit->via ? submit->via : "");
    if (submit->extra)
        store_batch_append(&submission.extra, submit->extra);
    if (!copy_changes(submit->changes, &submission.changes)) {
        core_submission_free(&submission);
        refuse(actions, submit->token, &submit->change_id, ERROR_TOO_LARGE,
               "the change is too large");
        return;
    }
    core_note_revivals(core, &submission);
    core->submissions = memory_grow(core->submissions, core->submission_count,
                                    &core->submission_capacity, sizeof(*core->submissions));
    core->submissions[core->submission_count++] = submission;
    pace_arrival(&core->own_pace, core->now.mono_us,
                 core->awaited_count + core->submission_count);
}
