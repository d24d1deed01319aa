#include "proxy/dispatch.h"

#include <errno.h>
#include <string.h>

static const struct snapshot_pool *pool_of(const struct dispatch *dispatch)
{
    return &snapshot_pools(dispatch->generation->generation->snapshot)[dispatch->pool];
}

static struct retry_budget *budget_of(const struct dispatch *dispatch)
{
    return &dispatch->worker->retry_budgets[pool_of(dispatch)->slot];
}

static struct pool_counters *pool_counters(const struct dispatch *dispatch)
{
    return worker_pool_counters(dispatch->worker, pool_of(dispatch)->slot,
                                pool_of(dispatch)->incarnation);
}

void dispatch_init(struct dispatch *dispatch,
                   struct worker *worker,
                   uint32_t pool,
                   const struct ip_endpoint *client,
                   struct request_record *record)
{
    memset(dispatch, 0, sizeof(*dispatch));
    dispatch->worker = worker;
    dispatch->generation = held_generation_hold(worker->generation);
    dispatch->pool = pool;
    dispatch->client = *client;
    dispatch->record = record;
    if (pool == SNAPSHOT_NONE)
        return;
    record->has_pool = true;
    record->pool_slot = pool_of(dispatch)->slot;
    record->pool_incarnation = pool_of(dispatch)->incarnation;
    counter_add(&pool_counters(dispatch)->total, 1);
    retry_budget_count_request(budget_of(dispatch), worker_now_ms(worker));
}

struct member_counters *dispatch_counters(const struct dispatch *dispatch)
{
    return worker_member_counters(dispatch->worker, dispatch->slot, dispatch->incarnation);
}

/* Only these pools pay for a counter that all workers share. */
static bool counts_active(const struct dispatch *dispatch)
{
    return pool_of(dispatch)->algorithm == SNAPSHOT_LEAST_CONNECTIONS;
}

static void unassign(struct dispatch *dispatch)
{
    if (!dispatch->assigned)
        return;
    dispatch->assigned = false;
    counter_add(&dispatch_counters(dispatch)->active, UINT64_MAX);
    if (counts_active(dispatch))
        atomic_fetch_sub_explicit(&dispatch->worker->shared->members[dispatch->slot].active, 1,
                                  memory_order_relaxed);
}

static void assign(struct dispatch *dispatch, const struct snapshot_member *member)
{
    unassign(dispatch);
    dispatch->slot = member->slot;
    dispatch->incarnation = member->incarnation;
    dispatch->endpoint = member->endpoint;
    dispatch->assigned = true;
    struct request_record *record = dispatch->record;
    record->has_member = true;
    record->member_slot = member->slot;
    record->member_incarnation = member->incarnation;
    if (record->queue_us == REQUEST_NOT_REACHED)
        request_record_phase(record, &record->queue_us, worker_now_us(dispatch->worker));
    member_standing_chosen(&dispatch->worker->standings[member->slot], member->incarnation,
                           worker_now_ms(dispatch->worker));
    struct member_counters *counters = dispatch_counters(dispatch);
    counter_add(&counters->active, 1);
    counter_add(&counters->total, 1);
    if (counts_active(dispatch))
        atomic_fetch_add_explicit(&dispatch->worker->shared->members[dispatch->slot].active, 1,
                                  memory_order_relaxed);
}

static const struct snapshot_member *pick(struct dispatch *dispatch, bool again)
{
    struct worker *worker = dispatch->worker;
    struct generation *generation = dispatch->generation->generation;
    struct member_pick pick = {
        .snapshot = generation->snapshot,
        .pool = dispatch->pool,
        .verdicts = worker->shared->context->verdicts,
        .runtime = generation->pools[dispatch->pool],
        .members = worker->shared->members,
        .client = dispatch->client,
        .now_ms = worker_now_ms(worker),
    };
    if (pick.now_ms < worker->suspects_until_ms)
        pick.standings = worker->standings;
    if (!again) {
        memcpy(pick.tried, dispatch->tried, sizeof(pick.tried));
        pick.tried_count = dispatch->tried_count;
    }
    uint32_t index = member_pick(&pick);
    return index == BALANCE_NONE ? NULL : &snapshot_members(generation->snapshot)[index];
}

static void mark_tried(struct dispatch *dispatch)
{
    if (dispatch->tried_count < PICK_MAXIMUM_TRIED)
        dispatch->tried[dispatch->tried_count++] = dispatch->slot;
}

/* This attempt is over, and the member is to blame. */
static void note_failure(struct dispatch *dispatch)
{
    struct worker *worker = dispatch->worker;
    uint64_t now_ms = worker_now_ms(worker);
    dispatch->any_failed = true;
    mark_tried(dispatch);
    if (member_standing_failed(&worker->standings[dispatch->slot], dispatch->incarnation,
                               now_ms))
        worker->suspects_until_ms = now_ms + STANDING_AVOID_MS;
}

/* The failure of a socket may have reasons on this host. */
static bool is_members_fault(int error)
{
    return error != EMFILE && error != ENFILE && error != ENOMEM && error != ENOBUFS &&
           error != EADDRNOTAVAIL;
}

static void could_not_open(struct dispatch *dispatch, int error)
{
    counter_add(&dispatch_counters(dispatch)->connect_failures, 1);
    if (is_members_fault(error)) {
        note_failure(dispatch);
    } else {
        dispatch->any_failed = true;
        mark_tried(dispatch);
    }
}

static void take_over(struct dispatch *dispatch, struct member_connection *connection)
{
    dispatch->connection = connection;
    connection->on_event = dispatch->on_event;
    connection->owner = dispatch->owner;
}

static bool open_connection(struct dispatch *dispatch)
{
    struct member_connection *connection = member_connection_open(
        dispatch->worker, &dispatch->endpoint, dispatch->slot, dispatch->incarnation);
    if (!connection)
        return false;
    take_over(dispatch, connection);
    counter_add(&dispatch_counters(dispatch)->connects, 1);
    return true;
}

/* READY or CONNECTING; FAILED: another member may do better. */
static enum dispatch_result
try_member(struct dispatch *dispatch, const struct snapshot_member *member, bool may_reuse)
{
    assign(dispatch, member);
    struct member_connection *kept =
        may_reuse ? idle_pool_take(dispatch->worker, member->slot, member->incarnation) : NULL;
    if (kept) {
        take_over(dispatch, kept);
        counter_add(&dispatch_counters(dispatch)->reused, 1);
        return DISPATCH_READY;
    }
    dispatch->attempts++;
    if (open_connection(dispatch))
        return DISPATCH_CONNECTING;
    could_not_open(dispatch, errno);
    return DISPATCH_FAILED;
}

/* The first attempt is free. */
static bool may_try(struct dispatch *dispatch)
{
    if (dispatch->attempts >= DISPATCH_ATTEMPTS)
        return false;
    if (!dispatch->any_failed)
        return true;
    if (!retry_budget_take(budget_of(dispatch), worker_now_ms(dispatch->worker)))
        return false;
    counter_add(&dispatch_counters(dispatch)->retries, 1);
    counter_add(&pool_counters(dispatch)->retries, 1);
    return true;
}

enum dispatch_result dispatch_next(struct dispatch *dispatch, bool may_reuse)
{
    enum dispatch_result result = DISPATCH_FAILED;
    if (dispatch->pool == SNAPSHOT_NONE)
        return DISPATCH_NONE;
    while (result == DISPATCH_FAILED) {
        const struct snapshot_member *member = pick(dispatch, false);
        if (!member && dispatch->tried_count > 0) {
            /* All have been tried: once more, after a pause. */
            dispatch->tried_count = 0;
            if (dispatch->attempts >= DISPATCH_ATTEMPTS)
                return DISPATCH_FAILED;
            return pick(dispatch, true) ? DISPATCH_PAUSE : DISPATCH_NONE;
        }
        if (!member)
            return DISPATCH_NONE;
        if (!may_try(dispatch))
            return DISPATCH_FAILED;
        result = try_member(dispatch, member, may_reuse);
    }
    return result;
}

enum dispatch_result dispatch_again(struct dispatch *dispatch)
{
    member_connection_close(dispatch->connection);
    dispatch->connection = NULL;
    if (open_connection(dispatch))
        return DISPATCH_CONNECTING;
    could_not_open(dispatch, errno);
    return dispatch_next(dispatch, false);
}

enum dispatch_result dispatch_elsewhere(struct dispatch *dispatch)
{
    member_connection_close(dispatch->connection);
    dispatch->connection = NULL;
    counter_add(&dispatch_counters(dispatch)->failures, 1);
    note_failure(dispatch);
    const struct snapshot_member *member = pick(dispatch, false);
    if (!member || !may_try(dispatch))
        return DISPATCH_FAILED;
    return try_member(dispatch, member, true);
}

void dispatch_connected(struct dispatch *dispatch)
{
    struct request_record *record = dispatch->record;
    request_record_phase(record, &record->connect_us, worker_now_us(dispatch->worker));
}

void dispatch_succeeded(struct dispatch *dispatch)
{
    member_standing_succeeded(&dispatch->worker->standings[dispatch->slot],
                              dispatch->incarnation);
}

void dispatch_connect_failed(struct dispatch *dispatch)
{
    counter_add(&dispatch_counters(dispatch)->connect_failures, 1);
    note_failure(dispatch);
    member_connection_close(dispatch->connection);
    dispatch->connection = NULL;
}

void dispatch_release(struct dispatch *dispatch, bool reusable)
{
    struct member_connection *connection = dispatch->connection;
    dispatch->connection = NULL;
    unassign(dispatch);
    if (connection && reusable)
        idle_pool_put(dispatch->worker, connection);
    else
        member_connection_close(connection);
}

void dispatch_finish(struct dispatch *dispatch)
{
    if (!dispatch->generation)
        return;
    unassign(dispatch);
    member_connection_abort(dispatch->connection);
    dispatch->connection = NULL;
    held_generation_drop(dispatch->generation);
    dispatch->generation = NULL;
}
