#include "proxy/dispatch.h"

#include "lbnode/base/bytes.h"
#include "proxy/member_down.h"

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

static struct member_standing *standing_of(const struct dispatch *dispatch)
{
    return &dispatch->worker->standings[dispatch->slot];
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
    if (!dispatch->generation)
        return dispatch->counts_active;
    return pool_of(dispatch)->is_limited ||
           pool_of(dispatch)->algorithm == SNAPSHOT_LEAST_CONNECTIONS;
}

static struct wait_queue *queue_of(const struct dispatch *dispatch)
{
    if (!dispatch->generation)
        return dispatch->runtime ? dispatch->runtime->queue : NULL;
    return pool_of(dispatch)->is_limited
               ? dispatch->generation->generation->pools[dispatch->pool]->queue
               : NULL;
}

/* Whose turn it is looks for a place. */
static void tell_place(struct dispatch *dispatch)
{
    int next = wait_queue_next_worker(queue_of(dispatch));
    if (next == (int)dispatch->worker->index)
        dispatch->worker->places_freed = true;
    else if (next >= 0)
        worker_wake(&dispatch->worker->shared->workers[next]);
}

/* ---- places at members ----------------------------------------------------------------------
 */

/* False when others were faster. */
static bool take_place(const struct dispatch *dispatch, const struct snapshot_member *member)
{
    _Atomic uint32_t *active = &dispatch->worker->shared->members[member->slot].active;
    if (!counts_active(dispatch))
        return true;
    uint32_t before = atomic_fetch_add_explicit(active, 1, memory_order_relaxed);
    if (member->connection_limit == 0 || before < member->connection_limit)
        return true;
    atomic_fetch_sub_explicit(active, 1, memory_order_relaxed);
    return false;
}

static void give_place_back(struct dispatch *dispatch)
{
    if (!counts_active(dispatch))
        return;
    struct wait_queue *queue = queue_of(dispatch);
    atomic_fetch_sub(&dispatch->worker->shared->members[dispatch->slot].active, 1);
    if (!queue || atomic_load(&queue->workers) == 0)
        return;
    atomic_store_explicit(&queue->freed,
                          (dispatch->number + UINT64_C(1)) << 32 | dispatch->slot,
                          memory_order_relaxed);
    tell_place(dispatch);
}

static void unassign(struct dispatch *dispatch)
{
    if (!dispatch->assigned)
        return;
    dispatch->assigned = false;
    counter_add(&dispatch_counters(dispatch)->active, UINT64_MAX);
    give_place_back(dispatch);
}

/* False when the member has no place any more. */
static bool assign(struct dispatch *dispatch, const struct snapshot_member *member)
{
    unassign(dispatch);
    if (!take_place(dispatch, member))
        return false;
    const struct snapshot *snapshot = dispatch->generation->generation->snapshot;
    dispatch->number =
        (uint32_t)(member - snapshot_members(snapshot)) - pool_of(dispatch)->first_member;
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
    member_standing_chosen(standing_of(dispatch), member->incarnation,
                           worker_now_ms(dispatch->worker));
    struct member_counters *counters = dispatch_counters(dispatch);
    counter_add(&counters->active, 1);
    counter_add(&counters->total, 1);
    return true;
}

/* The index of a member, BALANCE_NONE or PICK_FULL. */
static uint32_t pick(struct dispatch *dispatch, bool again)
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
    struct wait_queue *queue = dispatch->has_turn ? queue_of(dispatch) : NULL;
    uint64_t freed = queue ? atomic_exchange(&queue->freed, 0) : 0;
    uint32_t number = (uint32_t)(freed >> 32) - 1;
    if (freed && member_pick_is_free(&pick, number, (uint32_t)freed))
        return pool_of(dispatch)->first_member + number;
    return member_pick(&pick);
}

static const struct snapshot_member *member_at(const struct dispatch *dispatch, uint32_t index)
{
    return &snapshot_members(dispatch->generation->generation->snapshot)[index];
}

/* ---- the queue ------------------------------------------------------------------------------
 */

static void leave_queue(struct dispatch *dispatch)
{
    if (!dispatch->waiter.line)
        return;
    wait_queue_remove(&dispatch->waiter, dispatch->worker->index, &dispatch->worker->waiting);
    counter_add(&pool_counters(dispatch)->queued, UINT64_MAX);
}

static enum dispatch_result wait_for_place(struct dispatch *dispatch)
{
    struct worker *worker = dispatch->worker;
    const struct snapshot_pool *pool = pool_of(dispatch);
    struct wait_queue *queue = queue_of(dispatch);
    if (!dispatch->has_turn && atomic_load(&queue->count) >= pool->queue_limit) {
        counter_add(&pool_counters(dispatch)->queue_full, 1);
        return DISPATCH_QUEUE_FULL;
    }
    if (dispatch->queue_until_ms == 0) {
        dispatch->queue_until_ms = worker_now_ms(worker) + pool->queue_timeout_ms;
        /* A place that became free before anybody could see that we wait is ours now. */
        worker->places_freed = true;
    }
    wait_queue_add(queue, worker->index, &worker->waiting, &dispatch->waiter,
                   dispatch->has_turn);
    counter_add(&pool_counters(dispatch)->queued, 1);
    return DISPATCH_QUEUED;
}

uint64_t dispatch_queue_left_ms(const struct dispatch *dispatch)
{
    uint64_t now_ms = worker_now_ms(dispatch->worker);
    return dispatch->queue_until_ms > now_ms ? dispatch->queue_until_ms - now_ms : 1;
}

void dispatch_queue_expired(struct dispatch *dispatch)
{
    leave_queue(dispatch);
    counter_add(&pool_counters(dispatch)->queue_timeouts, 1);
    tell_place(dispatch);
}

/* Until somebody finds no place and is first again. */
static void run_line(struct wait_line *line)
{
    struct waiter *first;
    bool moved = true;
    while (moved && (first = line->first)) {
        struct dispatch *dispatch = CONTAINER_OF(first, struct dispatch, waiter);
        /* The line ends with the last who holds its pool. */
        struct held_generation *held = held_generation_hold(dispatch->generation);
        leave_queue(dispatch);
        dispatch->has_turn = true;
        dispatch->on_turn(dispatch);
        moved = line->first != first;
        bool is_empty = !line->first;
        held_generation_drop(held);
        if (is_empty)
            return;
    }
}

void dispatch_run_waiting(struct worker *worker)
{
    struct wait_line *line;
    worker->places_freed = false;
    wait_lines_begin(&worker->waiting);
    while ((line = wait_lines_next(&worker->waiting)))
        run_line(line);
}

/* ---- attempts -------------------------------------------------------------------------------
 */

static void mark_tried(struct dispatch *dispatch)
{
    if (dispatch->tried_count < PICK_MAXIMUM_TRIED)
        dispatch->tried[dispatch->tried_count++] = dispatch->slot;
}

/* KIND happened to the member IN_A_ROW times. */
static void
suspect(const struct dispatch *dispatch, enum suspicion_kind kind, uint32_t in_a_row)
{
    const struct suspicion suspicion = {dispatch->slot, dispatch->incarnation, kind};
    const struct snapshot *snapshot = dispatch->generation->generation->snapshot;
    if (in_a_row >= suspicion_in_a_row(kind) &&
        pool_of(dispatch)->passive_check != SNAPSHOT_PASSIVE_OFF)
        worker_suspect(dispatch->worker, &suspicion,
                       member_pick_is_monitored(snapshot, pool_of(dispatch)));
}

/* This attempt is over, and the member is to blame. */
static void note_failure(struct dispatch *dispatch, enum suspicion_kind kind)
{
    struct worker *worker = dispatch->worker;
    uint64_t now_ms = worker_now_ms(worker);
    dispatch->any_failed = true;
    mark_tried(dispatch);
    if (member_standing_failed(standing_of(dispatch), dispatch->incarnation, now_ms))
        worker->suspects_until_ms = now_ms + STANDING_AVOID_MS;
    suspect(dispatch, kind, standing_of(dispatch)->troubles);
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
    dispatch->lacks_resources = !is_members_fault(error);
    if (error == EMFILE || error == ENFILE)
        worker_note_strain(dispatch->worker, STRAIN_DESCRIPTORS);
    else if (error == ENOMEM || error == ENOBUFS)
        worker_note_strain(dispatch->worker, STRAIN_MEMORY);
    if (!dispatch->lacks_resources) {
        note_failure(dispatch, SUSPICION_CONNECT);
    } else {
        dispatch->any_failed = true;
        mark_tried(dispatch);
    }
}

static void take_over(struct dispatch *dispatch, struct member_connection *connection)
{
    dispatch->connection = connection;
    connection->on_event = dispatch->on_event;
    connection->on_news = dispatch->on_news;
    connection->owner = dispatch->owner;
}

static bool open_connection(struct dispatch *dispatch)
{
    struct worker *worker = dispatch->worker;
    struct member_connection *connection = member_connection_open(
        worker, &dispatch->endpoint, dispatch->slot, dispatch->incarnation);
    if (!connection && (errno == EMFILE || errno == ENFILE)) {
        int error = errno;
        if (idle_pool_evict(worker, 1) > 0)
            connection = member_connection_open(worker, &dispatch->endpoint, dispatch->slot,
                                                dispatch->incarnation);
        else
            errno = error;
    }
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

/* Nobody is left who has not been tried: once more, after a pause. */
static enum dispatch_result start_over(struct dispatch *dispatch)
{
    if (dispatch->tried_count == 0)
        return DISPATCH_NONE;
    dispatch->tried_count = 0;
    if (dispatch->attempts >= DISPATCH_ATTEMPTS)
        return DISPATCH_FAILED;
    return pick(dispatch, true) != BALANCE_NONE ? DISPATCH_PAUSE : DISPATCH_NONE;
}

/* Who comes later does not overtake. */
static bool others_wait(const struct dispatch *dispatch)
{
    struct wait_queue *queue = dispatch->has_turn ? NULL : queue_of(dispatch);
    return queue && atomic_load_explicit(&queue->count, memory_order_relaxed) > 0;
}

enum dispatch_result dispatch_next(struct dispatch *dispatch, bool may_reuse)
{
    enum dispatch_result result = DISPATCH_FAILED;
    if (dispatch->pool == SNAPSHOT_NONE)
        return DISPATCH_NONE;
    dispatch->may_reuse = may_reuse;
    while (result == DISPATCH_FAILED) {
        uint32_t index = others_wait(dispatch) ? PICK_FULL : pick(dispatch, false);
        if (index == PICK_FULL)
            return wait_for_place(dispatch);
        if (index == BALANCE_NONE)
            return start_over(dispatch);
        if (!may_try(dispatch))
            return DISPATCH_FAILED;
        /* When somebody took the place meanwhile, it may be full now. */
        if (assign(dispatch, member_at(dispatch, index)))
            result = try_member(dispatch, member_at(dispatch, index), may_reuse);
    }
    return result;
}

enum dispatch_result dispatch_again(struct dispatch *dispatch)
{
    member_connection_close(dispatch->connection);
    dispatch->connection = NULL;
    if (member_down_is_known(dispatch->worker, dispatch->slot, dispatch->incarnation))
        return dispatch_next(dispatch, false);
    if (open_connection(dispatch))
        return DISPATCH_CONNECTING;
    could_not_open(dispatch, errno);
    return dispatch_next(dispatch, false);
}

/* Whoever has a place at once. */
static enum dispatch_result try_other(struct dispatch *dispatch)
{
    uint32_t index = pick(dispatch, false);
    if (index == BALANCE_NONE || index == PICK_FULL || !may_try(dispatch))
        return DISPATCH_FAILED;
    const struct snapshot_member *member = member_at(dispatch, index);
    return assign(dispatch, member) ? try_member(dispatch, member, dispatch->may_reuse)
                                    : DISPATCH_FAILED;
}

enum dispatch_result dispatch_elsewhere(struct dispatch *dispatch)
{
    member_connection_close(dispatch->connection);
    dispatch->connection = NULL;
    counter_add(&dispatch_counters(dispatch)->failures, 1);
    note_failure(dispatch, SUSPICION_EMPTY);
    return try_other(dispatch);
}

enum dispatch_result dispatch_leave(struct dispatch *dispatch)
{
    bool was_open = !dispatch->connection->connecting;
    member_connection_abort(dispatch->connection);
    dispatch->connection = NULL;
    if (!was_open)
        return dispatch_next(dispatch, dispatch->may_reuse);
    counter_add(&dispatch_counters(dispatch)->failures, 1);
    dispatch->any_failed = true;
    mark_tried(dispatch);
    return try_other(dispatch);
}

void dispatch_connected(struct dispatch *dispatch)
{
    struct request_record *record = dispatch->record;
    request_record_phase(record, &record->connect_us, worker_now_us(dispatch->worker));
}

void dispatch_succeeded(struct dispatch *dispatch)
{
    member_standing_succeeded(standing_of(dispatch), dispatch->incarnation);
}

void dispatch_answered(struct dispatch *dispatch, unsigned status)
{
    if (pool_of(dispatch)->passive_check == SNAPSHOT_PASSIVE_FAILURES_AND_5XX)
        suspect(dispatch, SUSPICION_STATUS,
                member_standing_answered(standing_of(dispatch), dispatch->incarnation,
                                         status >= 500));
}

void dispatch_was_empty(struct dispatch *dispatch)
{
    note_failure(dispatch, SUSPICION_EMPTY);
}

void dispatch_timed_out(struct dispatch *dispatch)
{
    member_standing_timed_out(standing_of(dispatch), dispatch->incarnation);
    suspect(dispatch, SUSPICION_TIMEOUT, standing_of(dispatch)->troubles);
}

/* The counter of active connections is that of the member, whatever became of its pool. */
void dispatch_settle(struct dispatch *dispatch)
{
    if (!dispatch->generation)
        return;
    dispatch->counts_active = counts_active(dispatch);
    if (pool_of(dispatch)->is_limited)
        dispatch->runtime =
            pool_runtime_hold(dispatch->generation->generation->pools[dispatch->pool]);
    held_generation_drop(dispatch->generation);
    dispatch->generation = NULL;
}

enum termination dispatch_failure(const struct dispatch *dispatch)
{
    return dispatch->lacks_resources ? TERMINATION_NO_RESOURCES : TERMINATION_CONNECT_FAILED;
}

void dispatch_connect_failed(struct dispatch *dispatch)
{
    dispatch->lacks_resources = false;
    counter_add(&dispatch_counters(dispatch)->connect_failures, 1);
    note_failure(dispatch, dispatch->connection->connecting ? SUSPICION_CONNECT_TIMEOUT
                                                            : SUSPICION_CONNECT);
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
    if (dispatch->waiter.line) {
        leave_queue(dispatch);
        tell_place(dispatch); /* one that was meant for us is for the next */
    }
    unassign(dispatch);
    member_connection_abort(dispatch->connection);
    dispatch->connection = NULL;
    held_generation_drop(dispatch->generation);
    dispatch->generation = NULL;
    pool_runtime_release(dispatch->runtime);
    dispatch->runtime = NULL;
}
