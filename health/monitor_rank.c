#include "health/monitor_set_internal.h"

#include "lbnode/base/monotime.h"
#include "lbnode/model/rare_probes.h"

#include <stdlib.h>

static struct monitored_pool *pool_of(const struct monitored *monitored)
{
    return &monitored->set->pools[monitored->pool];
}

/* ---- rates ---------------------------------------------------------------------------------
 */

bool monitor_rank_is_rare(const struct monitored *monitored)
{
    return pool_of(monitored)->rank == HEALTH_RANK_OTHER;
}

static uint32_t usual_delay_ms(const struct monitored *monitored)
{
    if (!monitor_rank_is_rare(monitored))
        return monitored->delay_ms;
    uint64_t rare_ms = rare_delay_ms(monitored->delay_ms);
    return rare_ms < UINT32_MAX ? (uint32_t)rare_ms : UINT32_MAX;
}

void monitor_rank_pace(struct monitored *monitored, uint64_t now_ms)
{
    struct probe_schedule *schedule = monitored->set->schedule;
    uint32_t usual_ms = usual_delay_ms(monitored), quick_ms = monitored->transition_delay_ms;
    if (verdict_is_in_transition(&monitored->verdict) && quick_ms < usual_ms) {
        uint64_t next_ms = monitored->started_ms + quick_ms;
        if (probe_schedule_pace(schedule, monitored->slot, quick_ms,
                                next_ms > now_ms ? next_ms : now_ms + PROBE_TICK_MS))
            monitor_set_wake(monitored->set);
    } else {
        probe_schedule_put(schedule, monitored->slot, monitored->key, usual_ms, now_ms);
    }
}

/* ---- the round of a takeover ---------------------------------------------------------------
 */

/* What fell in this round gets up again. */
static void panic(struct monitor_set *set, uint32_t pool_index, uint64_t now_ms)
{
    const struct snapshot_pool *pool = &snapshot_pools(set->snapshot)[pool_index];
    for (uint32_t i = 0; i < pool->member_count; i++) {
        const struct snapshot_member *member =
            &snapshot_members(set->snapshot)[pool->first_member + i];
        struct monitored *monitored = set->by_slot[member->slot];
        if (!monitored || !monitored->fell)
            continue;
        monitored->fell = false;
        verdict_assume(&monitored->verdict, VERDICT_ONLINE);
        monitor_board_review(monitored, now_ms);
    }
}

bool monitor_rank_decides(struct monitored *monitored, bool is_fall, uint64_t now_ms)
{
    enum takeover_answer answer =
        takeover_judge(&pool_of(monitored)->round, is_fall && monitored->is_counted, now_ms);
    if (answer == TAKEOVER_PANICS)
        panic(monitored->set, monitored->pool, now_ms);
    return answer == TAKEOVER_DECIDES;
}

static void confirm_next(struct loop_timer *timer)
{
    struct monitor_set *set = CONTAINER_OF(timer, struct monitor_set, confirm_timer);
    uint64_t now_ms = monotime_now_ms();
    while (set->confirmed < set->confirmation_count &&
           set->confirmations[set->confirmed].due_ms <= now_ms)
        probe_schedule_hurry(set->schedule, set->confirmations[set->confirmed++].slot);
    monitor_set_go_on(set);
    if (set->confirmed < set->confirmation_count) {
        uint64_t wait_ms = set->confirmations[set->confirmed].due_ms - now_ms;
        loop_timer_start(set->loop, timer, wait_ms > PROBE_TICK_MS ? wait_ms : PROBE_TICK_MS,
                         confirm_next);
    }
}

static int compare_times(const void *a, const void *b)
{
    uint64_t left = ((const struct confirmation *)a)->due_ms;
    uint64_t right = ((const struct confirmation *)b)->due_ms;
    return (left > right) - (left < right);
}

static void confirm_pool(struct monitor_set *set, uint32_t index, uint64_t now_ms)
{
    const struct snapshot_pool *pool = &snapshot_pools(set->snapshot)[index];
    for (uint32_t i = 0; i < pool->member_count; i++) {
        const struct snapshot_member *member =
            &snapshot_members(set->snapshot)[pool->first_member + i];
        struct monitored *monitored = set->by_slot[member->slot];
        if (!monitored)
            continue;
        uint32_t spread_ms = takeover_spread_ms(monitored->delay_ms);
        if (set->pools[index].round.until_ms <= now_ms)
            takeover_begin(&set->pools[index].round, set->pools[index].usable,
                           monitored->delay_ms, now_ms);
        monitored->confirms = true;
        monitored->fell = false;
        set->confirmations[set->confirmation_count++] = (struct confirmation){
            now_ms + (uint64_t)spread_ms * i / pool->member_count, monitored->slot};
    }
}

/* Members that still had to be asked for another group's sake keep their places. */
static void confirm_group(struct monitor_set *set, const struct uuid *group)
{
    const struct snapshot *snapshot = set->snapshot;
    size_t left = set->confirmation_count - set->confirmed;
    struct confirmation *all = calloc(left + snapshot->members.count + 1, sizeof(*all));
    if (!all)
        return;
    for (size_t i = 0; i < left; i++)
        all[i] = set->confirmations[set->confirmed + i];
    free(set->confirmations);
    set->confirmations = all;
    set->confirmation_count = left;
    set->confirmed = 0;
    for (uint32_t i = 0; i < snapshot->pools.count; i++)
        if (uuid_equal(&snapshot_pools(snapshot)[i].group, group))
            confirm_pool(set, i, monotime_now_ms());
    qsort(all, set->confirmation_count, sizeof(*all), compare_times);
    confirm_next(&set->confirm_timer);
}

/* ---- ranks ---------------------------------------------------------------------------------
 */

static struct group_rank *find_rank(struct monitor_set *set, const struct uuid *group)
{
    for (size_t i = 0; i < set->rank_count; i++)
        if (uuid_equal(&set->ranks[i].group, group))
            return &set->ranks[i];
    return NULL;
}

uint8_t monitor_rank_of(const struct monitor_set *set, const struct uuid *group)
{
    for (size_t i = 0; i < set->rank_count; i++)
        if (uuid_equal(&set->ranks[i].group, group))
            return set->ranks[i].rank;
    return HEALTH_RANK_SUCCESSOR;
}

static void move_pool(struct monitor_set *set, uint32_t index, uint8_t rank, uint64_t now_ms)
{
    const struct snapshot_pool *pool = &snapshot_pools(set->snapshot)[index];
    bool was_rare = set->pools[index].rank == HEALTH_RANK_OTHER;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < pool->member_count; i++) {
            const struct snapshot_member *member =
                &snapshot_members(set->snapshot)[pool->first_member + i];
            struct monitored *monitored = set->by_slot[member->slot];
            if (!monitored)
                continue;
            if (pass == 0 && was_rare)
                monitor_board_go_on_from_peers(monitored, now_ms);
            if (pass == 0)
                continue;
            monitor_board_review(monitored, now_ms);
            monitor_rank_pace(monitored, now_ms);
        }
        set->pools[index].rank = rank;
    }
}

void monitor_set_rank(struct monitor_set *set, const struct uuid *group, enum health_rank rank)
{
    struct group_rank *known = find_rank(set, group);
    bool takes_over = known && known->rank != HEALTH_RANK_ACTIVE && rank == HEALTH_RANK_ACTIVE;
    if (known && known->rank == rank)
        return;
    if (!known) {
        if (set->rank_count == MONITOR_SET_MAXIMUM_GROUPS)
            return; /* it is probed at the full rate */
        known = &set->ranks[set->rank_count++];
    }
    *known = (struct group_rank){*group, (uint8_t)rank};
    for (uint32_t i = 0; set->snapshot && i < set->snapshot->pools.count; i++)
        if (uuid_equal(&snapshot_pools(set->snapshot)[i].group, group))
            move_pool(set, i, (uint8_t)rank, monotime_now_ms());
    if (takes_over && set->snapshot)
        confirm_group(set, group);
    monitor_set_go_on(set);
}

void monitor_rank_stop(struct monitor_set *set)
{
    loop_timer_stop(&set->confirm_timer);
    free(set->confirmations);
}
