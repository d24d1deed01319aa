#include "health/monitor_set.h"

#include "health/probe.h"
#include "health/probe_schedule.h"
#include "health/verdict.h"
#include "lbnode/base/monotime.h"

#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 50
};

struct monitored {
    struct monitor_set *set;
    uint32_t slot, incarnation;
    uint32_t round; /* of the snapshot that last named it */
    struct verdict verdict;
    uint64_t due_ms;
    uint32_t delay_ms;
    uint8_t max_retries, max_retries_down;
    struct probe_target target; /* strings point into the snapshot */
    struct probe probe;
};

struct monitor_set {
    struct loop *loop;
    struct loop_timer tick;
    struct verdict_board *board;
    const struct snapshot *snapshot;
    uint32_t round;
    struct monitored *by_slot[MEMBER_SLOTS];
    uint32_t active[MEMBER_SLOTS]; /* slots in use, in no order */
    uint32_t active_count;
    uint32_t running;
    uint32_t next; /* where the search for due probes goes on */
};

/* ---- the board ----------------------------------------------------------------------------
 */

static void publish(struct monitored *monitored, bool changed, bool imported)
{
    struct verdict_board *board = monitored->set->board;
    struct verdict_slot *slot = &board->slots[monitored->slot];
    if (changed)
        atomic_store(&slot->since_wall_ms, walltime_now_ms());
    atomic_store(&slot->history, monitored->verdict.history);
    atomic_store(&slot->word,
                 verdict_word_make(monitored->incarnation, monitored->verdict.state, imported));
    if (changed)
        atomic_fetch_add(&board->changes, 1);
}

/* A restarted process goes on with the verdicts that its predecessor left. */
static void take_over(struct monitored *monitored)
{
    const struct verdict_slot *slot = &monitored->set->board->slots[monitored->slot];
    monitored->verdict.state =
        verdict_board_state(monitored->set->board, monitored->slot, monitored->incarnation);
    if (monitored->verdict.state != VERDICT_UNKNOWN)
        monitored->verdict.history = atomic_load(&slot->history);
    else
        publish(monitored, true, false);
}

/* ---- probing ------------------------------------------------------------------------------
 */

static void on_result(struct probe *probe, const struct probe_result *result)
{
    struct monitored *monitored = CONTAINER_OF(probe, struct monitored, probe);
    struct monitor_set *set = monitored->set;
    struct verdict_slot *slot = &set->board->slots[monitored->slot];
    bool success = result->reason == VERDICT_REASON_NONE;
    set->running--;
    bool changed = verdict_step(&monitored->verdict, success, monitored->max_retries,
                                monitored->max_retries_down);
    atomic_store(&slot->round_trip_us, result->round_trip_us);
    atomic_store(&slot->last_status, result->status);
    atomic_store(&slot->probed_wall_ms, walltime_now_ms());
    if (!success)
        atomic_store(&slot->reason, (uint16_t)result->reason);
    publish(monitored, changed, false);
    monitored->due_ms =
        probe_schedule_next(monitored->due_ms, monotime_now_ms(), monitored->delay_ms);
}

static void start_if_due(struct monitored *monitored, uint64_t now_ms)
{
    struct monitor_set *set = monitored->set;
    if (probe_is_running(&monitored->probe) || now_ms < monitored->due_ms)
        return;
    set->running++;
    probe_start(set->loop, &monitored->probe, &monitored->target, on_result);
}

static void on_tick(struct loop_timer *timer)
{
    struct monitor_set *set = CONTAINER_OF(timer, struct monitor_set, tick);
    uint64_t now_ms = monotime_now_ms();
    for (uint32_t i = 0; i < set->active_count && set->running < MONITOR_SET_MAXIMUM_PROBES;
         i++) {
        set->next = (set->next + 1) % set->active_count;
        start_if_due(set->by_slot[set->active[set->next]], now_ms);
    }
    loop_timer_start(set->loop, &set->tick, TICK_MS, on_tick);
}

/* ---- the snapshot -------------------------------------------------------------------------
 */

static void stop_probe(struct monitored *monitored)
{
    if (!probe_is_running(&monitored->probe))
        return;
    probe_cancel(&monitored->probe);
    monitored->set->running--;
}

static struct monitored *monitored_at(struct monitor_set *set,
                                      const struct snapshot_member *member)
{
    struct monitored *monitored = set->by_slot[member->slot];
    if (monitored && monitored->incarnation == member->incarnation)
        return monitored;
    if (!monitored) {
        monitored = calloc(1, sizeof(*monitored));
        if (!monitored)
            return NULL;
        set->by_slot[member->slot] = monitored;
    }
    monitored->set = set;
    monitored->slot = member->slot;
    monitored->incarnation = member->incarnation;
    monitored->verdict = (struct verdict){.state = VERDICT_UNKNOWN};
    monitored->due_ms = 0;
    take_over(monitored);
    return monitored;
}

static void aim(struct monitored *monitored,
                const struct snapshot *snapshot,
                const struct snapshot_member *member,
                const struct snapshot_monitor *monitor)
{
    monitored->round = monitored->set->round;
    monitored->delay_ms = monitor->delay_ms;
    monitored->max_retries = monitor->max_retries;
    monitored->max_retries_down = monitor->max_retries_down;
    monitored->target = (struct probe_target){
        .endpoint = member->monitor_endpoint,
        .http = monitor->type == SNAPSHOT_MONITOR_HTTP,
        .expected_codes = snapshot_text(snapshot, monitor->expected_codes),
        .request = {.http_method = snapshot_text(snapshot, monitor->http_method),
                    .url_path = snapshot_text(snapshot, monitor->url_path),
                    .domain_name = snapshot_text(snapshot, monitor->domain_name),
                    .http_version = monitor->http_version,
                    .endpoint = member->monitor_endpoint},
        .timeout_ms = monitor->timeout_ms,
    };
    uint64_t now_ms = monotime_now_ms();
    if (monitored->due_ms == 0 || monitored->due_ms > now_ms + monitor->delay_ms)
        monitored->due_ms = probe_schedule_first(now_ms, monitored->slot, monitor->delay_ms);
}

static void forget(struct monitor_set *set, struct monitored *monitored)
{
    stop_probe(monitored);
    set->by_slot[monitored->slot] = NULL;
    monitored->verdict.state = VERDICT_UNKNOWN;
    publish(monitored, true, false);
    free(monitored);
}

static void forget_unnamed(struct monitor_set *set)
{
    set->active_count = 0;
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++) {
        struct monitored *monitored = set->by_slot[slot];
        if (monitored && monitored->round != set->round)
            forget(set, monitored);
        else if (monitored)
            set->active[set->active_count++] = slot;
    }
}

void monitor_set_adopt(struct monitor_set *set, const struct snapshot *snapshot)
{
    const struct snapshot_pool *pools = snapshot_pools(snapshot);
    set->round++;
    for (uint32_t i = 0; i < MEMBER_SLOTS; i++) { /* targets point into the old snapshot */
        if (set->by_slot[i])
            stop_probe(set->by_slot[i]);
    }
    for (uint32_t i = 0; i < snapshot->members.count; i++) {
        const struct snapshot_member *member = &snapshot_members(snapshot)[i];
        uint32_t index = pools[member->pool].monitor;
        const struct snapshot_monitor *monitor =
            index == SNAPSHOT_NONE ? NULL : &snapshot_monitors(snapshot)[index];
        if (!monitor || !monitor->enabled || !member->enabled)
            continue;
        struct monitored *monitored = monitored_at(set, member);
        if (monitored)
            aim(monitored, snapshot, member, monitor);
    }
    forget_unnamed(set);
    snapshot_close(set->snapshot);
    set->snapshot = snapshot;
    set->next = 0;
}

void monitor_set_import(struct monitor_set *set,
                        uint32_t slot,
                        uint32_t incarnation,
                        enum verdict_state state)
{
    struct monitored *monitored = slot < MEMBER_SLOTS ? set->by_slot[slot] : NULL;
    if (!monitored || monitored->incarnation != incarnation)
        return;
    if (verdict_import(&monitored->verdict, state))
        publish(monitored, true, true);
}

struct monitor_set *monitor_set_new(struct loop *loop, struct verdict_board *board)
{
    struct monitor_set *set = calloc(1, sizeof(*set));
    if (!set)
        return NULL;
    set->loop = loop;
    set->board = board;
    loop_timer_start(loop, &set->tick, TICK_MS, on_tick);
    return set;
}

void monitor_set_free(struct monitor_set *set)
{
    if (!set)
        return;
    loop_timer_stop(&set->tick);
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++) {
        if (set->by_slot[slot])
            stop_probe(set->by_slot[slot]);
        free(set->by_slot[slot]);
    }
    snapshot_close(set->snapshot);
    free(set);
}
