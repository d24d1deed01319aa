#include "lbnode/admin/probation.h"

#include "lbnode/admin/rollback_plan.h"
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REVIEW_MS = 250,
    RETRY_MS = 5000, /* after the store refused it */
};

struct waiting {
    struct uuid change_id;
    uint64_t due_ms; /* monotonic, as the wall clock had it when this process first saw it */
    bool seen;       /* in the present review */
};

struct probation {
    struct loop *loop;
    struct node_state *state;
    void (*tell)(void *context, enum event_code code, const char *text);
    void *context;
    struct loop_timer timer;
    struct waiting waiting[PROBATION_MAXIMUM];
    size_t count;
    struct uuid change_id;     /* being undone */
    struct past_change change; /* the same */
    uint64_t after_s;
    char left[300];
    bool refused; /* said once */
};

static void review(struct loop_timer *timer);

static void again(struct probation *probation, uint64_t pause_ms)
{
    probation->state->undoing = (struct uuid){0};
    loop_timer_start(probation->loop, &probation->timer, pause_ms, review);
}

static void __attribute__((format(printf, 3, 4)))
say(struct probation *probation, enum event_code code, const char *format, ...)
{
    char text[EVENT_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    probation->tell(probation->context, code, text);
}

/* ---- undoing ---------------------------------------------------------------------------- */

static void say_undone(struct probation *probation)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&probation->change_id, id);
    say(probation, EVENT_CHANGE_UNDONE, "change %s by %s was not confirmed within %llu s%s%s",
        id, probation->change.author, (unsigned long long)probation->after_s,
        probation->left[0] ? "; left as others changed it: " : "", probation->left);
}

/* It cannot be undone, now or later. */
static void give_up(struct probation *probation, const struct error *why)
{
    struct error error = {0};
    char id[UUID_TEXT_SIZE];
    uuid_format(&probation->change_id, id);
    if (!replication_confirm(probation->state->replication, &probation->change_id, &error)) {
        again(probation, RETRY_MS);
        return;
    }
    say(probation, EVENT_UNDO_FAILED, "change %s was not confirmed, and stays: %s", id,
        why->text);
    again(probation, 0);
}

static void submitted(void *context, const struct submit_result *result)
{
    struct probation *probation = context;
    if (result->error.kind == ERROR_NONE) {
        probation->refused = false;
        say_undone(probation);
        again(probation, 0);
        return;
    }
    if (!probation->refused)
        say(probation, EVENT_UNDO_FAILED, "it is tried again: %s", result->error.text);
    probation->refused = true;
    again(probation, RETRY_MS);
}

/* The same each time, so that it is made once. */
static struct uuid undo_id(const struct uuid *change_id)
{
    struct uuid id = *change_id;
    for (size_t i = 0; i < sizeof(id.bytes); i++)
        id.bytes[i] ^= 0xa5;
    return id;
}

static void submit(struct probation *probation, struct rollback_plan *plan)
{
    const struct submit_options options = {
        .change_id = undo_id(&probation->change_id),
        .author = probation->change.author,
        .via = "undo",
        .settles = probation->change_id,
    };
    struct error error = {0};
    rollback_plan_describe_left(plan, probation->left, sizeof(probation->left));
    if (plan->changes.count > 0)
        replication_submit(probation->state->replication, &plan->changes, &options, submitted,
                           probation);
    else if (replication_confirm(probation->state->replication, &probation->change_id, &error))
        submitted(probation, &(struct submit_result){0});
    else
        submitted(probation, &(struct submit_result){.error = error});
}

static bool take_change(void *context, const struct past_change *change)
{
    struct probation *probation = context;
    probation->change = *change;
    return true;
}

static void prepared(void *context, const struct error *error)
{
    struct probation *probation = context;
    struct replication *replication = probation->state->replication;
    const struct past_visitor visitor = {.change = take_change, .context = probation};
    struct error why = *error;
    struct rollback_plan plan = {0};
    if (error->kind != ERROR_NONE) {
        submitted(probation, &(struct submit_result){.error = *error});
        return;
    }
    if (!replication_history_show(replication, &probation->change_id, &visitor, &why)) {
        give_up(probation, &why);
        return;
    }
    const struct rollback_wish wish = {
        .change_id = probation->change_id,
        .author = probation->change.author,
        .node_id = *replication_node_id(replication),
        .mode = UNDO_UNTOUCHED,
        .partial = true,
    };
    if (rollback_plan_make(probation->state, &wish, &plan, &why))
        submit(probation, &plan);
    else
        give_up(probation, &why);
    rollback_plan_free(&plan);
}

/* ---- waiting ---------------------------------------------------------------------------- */

static void note_waiting(void *context, const struct unconfirmed *change)
{
    struct probation *probation = context;
    uint64_t now_ms = monotime_now_ms(), wall_ms = walltime_now_ms();
    uint64_t rest_ms = change->undo_at_ms > wall_ms ? change->undo_at_ms - wall_ms : 0;
    for (size_t i = 0; i < probation->count; i++)
        if (uuid_equal(&probation->waiting[i].change_id, &change->change_id)) {
            probation->waiting[i].seen = true;
            return;
        }
    if (probation->count == PROBATION_MAXIMUM)
        return;
    if (rest_ms > change->undo_after_ms)
        rest_ms = change->undo_after_ms; /* the wall clock went back meanwhile */
    probation->waiting[probation->count++] =
        (struct waiting){change->change_id, now_ms + rest_ms, true};
}

static void note_after(void *context, const struct unconfirmed *change)
{
    struct probation *probation = context;
    if (uuid_equal(&change->change_id, &probation->change_id))
        probation->after_s = change->undo_after_ms / 1000;
}

static void review(struct loop_timer *timer)
{
    struct probation *probation = CONTAINER_OF(timer, struct probation, timer);
    struct replication *replication = probation->state->replication;
    size_t kept = 0;
    const struct waiting *due = NULL;
    for (size_t i = 0; i < probation->count; i++)
        probation->waiting[i].seen = false;
    replication_visit_unconfirmed(replication, note_waiting, probation);
    for (size_t i = 0; i < probation->count; i++)
        if (probation->waiting[i].seen)
            probation->waiting[kept++] = probation->waiting[i];
    probation->count = kept;
    for (size_t i = 0; i < kept; i++)
        if (probation->waiting[i].due_ms <= monotime_now_ms() &&
            (!due || probation->waiting[i].due_ms < due->due_ms))
            due = &probation->waiting[i];
    if (!due) {
        again(probation, REVIEW_MS);
        return;
    }
    probation->change_id = probation->state->undoing = due->change_id;
    replication_visit_unconfirmed(replication, note_after, probation);
    replication_history_prepare(replication, prepared, probation);
}

struct probation *
probation_start(struct loop *loop,
                struct node_state *state,
                void (*tell)(void *context, enum event_code code, const char *text),
                void *context)
{
    struct probation *probation = calloc(1, sizeof(*probation));
    if (!probation)
        return NULL;
    probation->loop = loop;
    probation->state = state;
    probation->tell = tell;
    probation->context = context;
    again(probation, REVIEW_MS);
    return probation;
}

void probation_stop(struct probation *probation)
{
    if (!probation)
        return;
    loop_timer_stop(&probation->timer);
    free(probation);
}
