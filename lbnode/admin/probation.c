#include "lbnode/admin/probation.h"

#include "lbnode/admin/rollback_plan.h"
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 5000, /* after the store refused it */
    /* A node that just started hears first what others changed while it was away; how often it
     * looks whether it has, and how long it waits at most: for peers that answer, and for the
     * state of one on its way here. */
    HEAR_MS = 250,
    HEARING_MS = 10000,
    HEARING_STATE_MS = 120000,
};

struct waiting {
    struct uuid change_id;
    uint64_t due_ms; /* monotonic, as the wall clock had it when this process first saw it */
    uint64_t after_s;
    bool seen; /* in the present review */
    bool being_confirmed;
};

struct probation {
    struct loop *loop;
    struct node_state *state;
    void (*tell)(void *context, enum event_code code, const char *text);
    void *context;
    struct loop_timer timer;
    uint64_t started_ms;
    struct waiting waiting[PROBATION_MAXIMUM];
    size_t count;
    struct uuid change_id;     /* being undone */
    struct past_change change; /* the same */
    uint64_t after_s;
    char left[300];
    struct error reason; /* why it is given up */
    bool refused;        /* said once */
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
        probation->left[0] ? "; left as it was changed since: " : "", probation->left);
}

static void given_up(void *context, const struct error *error)
{
    struct probation *probation = context;
    char id[UUID_TEXT_SIZE];
    if (error->kind != ERROR_NONE) {
        again(probation, RETRY_MS);
        return;
    }
    uuid_format(&probation->change_id, id);
    say(probation, EVENT_UNDO_FAILED, "change %s was not confirmed, and stays: %s", id,
        probation->reason.text);
    again(probation, 0);
}

/* It cannot be undone, now or later. */
static void give_up(struct probation *probation, const struct error *why)
{
    struct error error = {0};
    probation->reason = *why;
    if (!replication_confirm(probation->state->replication, &probation->change_id, given_up,
                             probation, &error))
        given_up(probation, &error);
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

/* Nothing was left to undo. */
static void nothing_undone(void *context, const struct error *error)
{
    submitted(context, &(struct submit_result){.error = *error});
}

static void submit(struct probation *probation, struct rollback_plan *plan)
{
    const struct submit_options options = {
        .change_id = rollback_undo_id(&probation->change_id),
        .author = probation->change.author,
        .via = ROLLBACK_BY_ITSELF,
        .settles = probation->change_id,
    };
    struct error error = {0};
    rollback_plan_describe_left(plan, probation->left, sizeof(probation->left));
    if (plan->changes.count > 0)
        replication_submit(probation->state->replication, &plan->changes, &options, submitted,
                           probation);
    else if (!replication_confirm(probation->state->replication, &probation->change_id,
                                  nothing_undone, probation, &error))
        nothing_undone(probation, &error);
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
        .by_itself = true,
    };
    if (rollback_plan_make(probation->state, &wish, &plan, &why))
        submit(probation, &plan);
    else
        give_up(probation, &why);
    rollback_plan_free(&plan);
}

/* ---- waiting ---------------------------------------------------------------------------- */

static struct waiting *find_or_add(struct probation *probation, const struct uuid *change_id)
{
    for (size_t i = 0; i < probation->count; i++)
        if (uuid_equal(&probation->waiting[i].change_id, change_id))
            return &probation->waiting[i];
    if (probation->count == PROBATION_MAXIMUM)
        return NULL;
    struct waiting *waiting = &probation->waiting[probation->count++];
    *waiting = (struct waiting){.change_id = *change_id};
    return waiting;
}

static void note_waiting(void *context, const struct unconfirmed *change)
{
    struct probation *probation = context;
    struct waiting *waiting = find_or_add(probation, &change->change_id);
    if (!waiting)
        return;
    if (waiting->due_ms == 0)
        waiting->due_ms = monotime_now_ms() + unconfirmed_rest_ms(change, walltime_now_ms());
    waiting->after_s = change->undo_after_ms / 1000;
    waiting->being_confirmed = change->being_confirmed;
    waiting->seen = true;
}

static void note_all(struct probation *probation)
{
    size_t kept = 0;
    for (size_t i = 0; i < probation->count; i++)
        probation->waiting[i].seen = false;
    replication_visit_unconfirmed(probation->state->replication, note_waiting, probation);
    for (size_t i = 0; i < probation->count; i++)
        if (probation->waiting[i].seen)
            probation->waiting[kept++] = probation->waiting[i];
    probation->count = kept;
}

/* NULL: none. One that is being confirmed comes back with the end of that. */
static const struct waiting *find_first(const struct probation *probation)
{
    const struct waiting *first = NULL;
    for (size_t i = 0; i < probation->count; i++) {
        const struct waiting *waiting = &probation->waiting[i];
        if (!waiting->being_confirmed && (!first || waiting->due_ms < first->due_ms))
            first = waiting;
    }
    return first;
}

static void note_unheard(void *context, const struct peer_view *peer)
{
    *(bool *)context |= peer->state != PEER_IS_ALIVE || !peer->in_sync;
}

/* What others changed while this node was away is not known here yet. */
static bool is_hearing(const struct probation *probation, uint64_t now_ms)
{
    const struct replication *replication = probation->state->replication;
    uint64_t age_ms = now_ms - probation->started_ms;
    struct bootstrap_view bootstrap;
    bool unheard = false;
    if (age_ms >= HEARING_MS)
        return age_ms < HEARING_STATE_MS && replication_bootstrap(replication, &bootstrap);
    replication_visit_peers(replication, note_unheard, &unheard);
    return unheard;
}

static void review(struct loop_timer *timer)
{
    struct probation *probation = CONTAINER_OF(timer, struct probation, timer);
    uint64_t now_ms = monotime_now_ms();
    note_all(probation);
    const struct waiting *first = find_first(probation);
    if (!first)
        return;
    if (first->due_ms > now_ms) {
        again(probation, first->due_ms - now_ms);
    } else if (is_hearing(probation, now_ms)) {
        again(probation, HEAR_MS);
    } else {
        probation->change_id = probation->state->undoing = first->change_id;
        probation->after_s = first->after_s;
        replication_history_prepare(probation->state->replication, prepared, probation);
    }
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
    probation->started_ms = monotime_now_ms();
    again(probation, 0);
    return probation;
}

void probation_wake(struct probation *probation)
{
    if (probation && uuid_is_zero(&probation->state->undoing))
        again(probation, 0);
}

void probation_stop(struct probation *probation)
{
    if (!probation)
        return;
    loop_timer_stop(&probation->timer);
    free(probation);
}
