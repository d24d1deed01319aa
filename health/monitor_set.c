#include "health/monitor_set_internal.h"

#include "lbnode/base/monotime.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum {
    SOON_SHARE = 8,      /* of the delay */
    TLS_CROWD = 64,      /* HTTPS probes at once that leave memory worth giving back */
    TRIM_DELAY_MS = 1000 /* after it: what ends together is given back together */
};

static void on_wake(struct loop_timer *timer);

/* ---- places of HTTPS probes ---------------------------------------------------------------
 * They need more memory than others. Who finds no place waits in turn, which is no failure. */

static bool wants_tls(const struct monitored *monitored)
{
    return monitored->target.type == SNAPSHOT_MONITOR_HTTPS;
}

static void wait_for_place(struct monitored *monitored)
{
    struct monitor_set *set = monitored->set;
    if (monitored->waits)
        return;
    monitored->waits = true;
    monitored->before = set->last_waiting;
    monitored->after = NULL;
    if (set->last_waiting)
        set->last_waiting->after = monitored;
    else
        set->first_waiting = monitored;
    set->last_waiting = monitored;
}

static void stop_waiting(struct monitored *monitored)
{
    struct monitor_set *set = monitored->set;
    if (!monitored->waits)
        return;
    if (monitored->before)
        monitored->before->after = monitored->after;
    else
        set->first_waiting = monitored->after;
    if (monitored->after)
        monitored->after->before = monitored->before;
    else
        set->last_waiting = monitored->before;
    monitored->waits = false;
}

/* The sessions that stay lie among what a crowd of handshakes gave back, so that the heap does
 * not shrink by itself. */
static void on_trim(struct loop_timer *timer)
{
    (void)timer;
    malloc_trim(0);
}

static void take_place(struct monitored *monitored)
{
    struct monitor_set *set = monitored->set;
    monitored->holds_tls = wants_tls(monitored);
    set->running++;
    set->running_tls += monitored->holds_tls;
    if (set->running_tls >= TLS_CROWD)
        set->crowd_was_here = true;
}

static void leave_place(struct monitored *monitored)
{
    struct monitor_set *set = monitored->set;
    set->running--;
    set->running_tls -= monitored->holds_tls;
    monitored->holds_tls = false;
    if (!set->crowd_was_here || set->running_tls > TLS_CROWD / 4)
        return;
    set->crowd_was_here = false;
    loop_timer_start(set->loop, &set->trim_timer, TRIM_DELAY_MS, on_trim);
}

/* ---- probing ------------------------------------------------------------------------------
 */

/* Of the member: a session that was refused does not, nor what this node lacks. */
static bool says_something(const struct probe_result *result)
{
    return !result->is_void && result->reason != VERDICT_REASON_LOCAL;
}

static void on_result(struct member_probe *probe, const struct probe_result *result)
{
    struct monitored *monitored = CONTAINER_OF(probe, struct monitored, probe);
    struct monitor_set *set = monitored->set;
    bool again = result->is_void || monitored->owes_beat;
    leave_place(monitored);
    monitored->owes_beat = false;
    if (result->reason == VERDICT_REASON_NO_ICMP_SOCKET)
        atomic_store(&set->board->slots[monitored->slot].reason, (uint16_t)result->reason);
    else if (says_something(result))
        monitor_board_take_result(monitored, result);
    if (again)
        probe_schedule_hurry(set->schedule, monitored->slot);
    if (again || set->first_waiting || set->running + 1 == set->most_running)
        monitor_set_wake(set);
}

/* A probe that its next beat meets has used up its time, or else keeps its connection to the
 * end. If that is soon, as when it began late, the beat is made up for then: a silent member
 * would else be found a delay later. Otherwise it falls away. */
static bool is_free(struct monitored *monitored, uint64_t now_ms)
{
    if (member_probe_is_running(&monitored->probe))
        member_probe_expire(&monitored->probe, PROBE_TICK_MS);
    if (!member_probe_is_running(&monitored->probe))
        return true;
    uint64_t ends_ms = monitored->started_ms + monitored->target.timeout_ms;
    monitored->owes_beat = ends_ms <= now_ms + monitored->delay_ms / SOON_SHARE;
    return false;
}

static void start_probe(struct monitored *monitored, uint64_t now_ms)
{
    struct monitor_set *set = monitored->set;
    stop_waiting(monitored);
    take_place(monitored);
    monitored->started_ms = now_ms;
    member_probe_start(set->prober, &monitored->probe, &monitored->target, on_result);
}

static bool has_place(const struct monitor_set *set, const struct monitored *monitored)
{
    return !wants_tls(monitored) || set->running_tls < set->most_running_tls;
}

static void start_waiting(struct monitor_set *set, uint64_t now_ms)
{
    while (set->running < set->most_running && set->first_waiting &&
           has_place(set, set->first_waiting))
        start_probe(set->first_waiting, now_ms);
}

void monitor_set_go_on(struct monitor_set *set)
{
    uint64_t now_ms = monotime_now_ms();
    uint32_t slot;
    start_waiting(set, now_ms);
    while (set->running < set->most_running &&
           probe_schedule_take(set->schedule, now_ms, &slot)) {
        struct monitored *monitored = set->by_slot[slot];
        if (!is_free(monitored, now_ms))
            continue;
        if (wants_tls(monitored))
            wait_for_place(monitored);
        else
            start_probe(monitored, now_ms);
        start_waiting(set, now_ms);
    }
    if (set->running >= set->most_running)
        return; /* a result wakes the set */
    uint64_t next_ms = probe_schedule_next_ms(set->schedule, now_ms);
    if (next_ms != UINT64_MAX)
        loop_timer_start(set->loop, &set->wake, next_ms - now_ms, on_wake);
}

static void on_wake(struct loop_timer *timer)
{
    monitor_set_go_on(CONTAINER_OF(timer, struct monitor_set, wake));
}

void monitor_set_wake(struct monitor_set *set)
{
    loop_timer_start(set->loop, &set->wake, 0, on_wake);
}

/* ---- the snapshot -------------------------------------------------------------------------
 */

static void stop_probe(struct monitored *monitored)
{
    stop_waiting(monitored);
    monitored->owes_beat = false;
    if (!member_probe_is_running(&monitored->probe))
        return;
    member_probe_cancel(&monitored->probe);
    leave_place(monitored);
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
    } else { /* the slot is another member's now */
        stop_probe(monitored);
        probe_memory_clear(&monitored->memory);
        probe_schedule_remove(set->schedule, member->slot);
    }
    monitored->set = set;
    monitored->slot = member->slot;
    monitored->incarnation = member->incarnation;
    monitored->imported = VERDICT_UNKNOWN;
    monitored->confirms = monitored->fell = false;
    monitored->imported_ms = monitored->probed_ms = monitored->started_ms = 0;
    monitor_board_adopt(monitored);
    return monitored;
}

static bool same_target(const struct probe_target *a, const struct probe_target *b)
{
    return ip_address_equal(&a->endpoint.address, &b->endpoint.address) &&
           a->endpoint.port == b->endpoint.port && a->type == b->type &&
           a->timeout_ms == b->timeout_ms &&
           strcmp(a->expected_codes, b->expected_codes) == 0 &&
           strcmp(a->request.http_method, b->request.http_method) == 0 &&
           strcmp(a->request.url_path, b->request.url_path) == 0 &&
           strcmp(a->request.domain_name, b->request.domain_name) == 0 &&
           a->request.http_version == b->request.http_version;
}

static struct probe_target target_of(const struct snapshot *snapshot,
                                     const struct snapshot_member *member,
                                     const struct snapshot_monitor *monitor)
{
    return (struct probe_target){
        .endpoint = member->monitor_endpoint,
        .type = monitor->type,
        .expected_codes = snapshot_text(snapshot, monitor->expected_codes),
        .request = {.http_method = snapshot_text(snapshot, monitor->http_method),
                    .url_path = snapshot_text(snapshot, monitor->url_path),
                    .domain_name = snapshot_text(snapshot, monitor->domain_name),
                    .http_version = monitor->http_version,
                    .endpoint = member->monitor_endpoint},
        .timeout_ms = monitor->timeout_ms,
    };
}

/* A probe that runs goes on when what it asks is what SNAPSHOT says, too: else changes that
 * come faster than a silent member's timeout would keep it from ever being judged. */
static void aim(struct monitored *monitored,
                const struct snapshot *snapshot,
                const struct snapshot_member *member,
                const struct snapshot_monitor *monitor)
{
    struct monitor_set *set = monitored->set;
    struct probe_target target = target_of(snapshot, member, monitor);
    bool other = monitored->target.request.http_method && /* set before */
                 !same_target(&target, &monitored->target);
    bool again = other && (monitored->waits || member_probe_is_running(&monitored->probe));
    if (again)
        stop_probe(monitored);
    if (other)
        probe_memory_clear(&monitored->memory);
    monitored->round = set->round;
    monitored->max_retries = monitor->max_retries;
    monitored->max_retries_down = monitor->max_retries_down;
    monitored->target = target; /* its texts are those of the snapshot that stays */
    monitored->target.memory = &monitored->memory;
    monitored->pool = member->pool;
    monitored->takes_traffic = member->weight > 0;
    monitored->delay_ms = monitor->delay_ms;
    monitored->transition_delay_ms = monitor->transition_delay_ms;
    monitored->key = load_be64(member->id.bytes);
    monitor_board_count(monitored);
    monitor_rank_pace(monitored, monotime_now_ms());
    if (again)
        probe_schedule_hurry(set->schedule, member->slot);
}

static void forget(struct monitor_set *set, struct monitored *monitored)
{
    stop_probe(monitored);
    probe_schedule_remove(set->schedule, monitored->slot);
    set->by_slot[monitored->slot] = NULL;
    monitor_board_forget(monitored);
    probe_memory_clear(&monitored->memory);
    free(monitored);
}

static void forget_unnamed(struct monitor_set *set)
{
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++) {
        struct monitored *monitored = set->by_slot[slot];
        if (monitored && monitored->round != set->round)
            forget(set, monitored);
    }
}

/* The pools of SNAPSHOT; a round that goes on in a pool keeps its numbers. */
static struct monitored_pool *plan_pools(const struct monitor_set *set,
                                         const struct snapshot *snapshot)
{
    const struct snapshot_pool *now = snapshot_pools(snapshot);
    const struct snapshot_pool *before = set->snapshot ? snapshot_pools(set->snapshot) : NULL;
    uint32_t count_before = before ? set->snapshot->pools.count : 0;
    struct monitored_pool *pools = calloc(snapshot->pools.count + 1, sizeof(*pools));
    for (uint32_t i = 0; pools && i < snapshot->pools.count; i++) {
        pools[i].rank = monitor_rank_of(set, &now[i].group);
        pools[i].initially_online = now[i].initial_state == SNAPSHOT_INITIAL_ONLINE;
        for (uint32_t j = 0; j < count_before;
             j++) /* the first one unless pools came or went */
            if (uuid_equal(&before[(i + j) % count_before].id, &now[i].id)) {
                pools[i].round = set->pools[(i + j) % count_before].round;
                break;
            }
    }
    return pools;
}

static void count_anew(struct monitor_set *set, struct monitored_pool *pools)
{
    free(set->pools);
    set->pools = pools;
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++)
        if (set->by_slot[slot])
            set->by_slot[slot]->is_counted = false;
}

/* When all are counted, since the last usable member of a pool is judged otherwise. */
static void review_all(struct monitor_set *set)
{
    uint64_t now_ms = monotime_now_ms();
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++)
        if (set->by_slot[slot])
            monitor_board_review(set->by_slot[slot], now_ms);
}

void monitor_set_adopt(struct monitor_set *set, const struct snapshot *snapshot)
{
    const struct snapshot_pool *pools = snapshot_pools(snapshot);
    struct monitored_pool *planned = plan_pools(set, snapshot);
    if (!planned) { /* no memory: what was running goes on */
        snapshot_close(snapshot);
        return;
    }
    count_anew(set, planned);
    set->round++;
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
    review_all(set);
    monitor_set_go_on(set);
}

void monitor_set_probe_now(struct monitor_set *set, uint32_t slot, uint32_t incarnation)
{
    const struct monitored *monitored = slot < MEMBER_SLOTS ? set->by_slot[slot] : NULL;
    if (!monitored || monitored->incarnation != incarnation)
        return;
    probe_schedule_hurry(set->schedule, slot);
    monitor_set_go_on(set);
}

struct monitor_set *
monitor_set_new(struct loop *loop, struct verdict_board *board, const struct icmp_sockets *icmp)
{
    struct monitor_set *set = calloc(1, sizeof(*set));
    if (!set)
        return NULL;
    set->loop = loop;
    set->board = board;
    set->most_running = MONITOR_SET_MAXIMUM_PROBES;
    set->most_running_tls = MONITOR_SET_MAXIMUM_TLS_PROBES;
    set->schedule = probe_schedule_new(MEMBER_SLOTS, monotime_now_ms());
    set->prober = prober_new(loop, icmp);
    if (set->schedule && set->prober)
        return set;
    probe_schedule_free(set->schedule);
    prober_free(set->prober);
    free(set);
    return NULL;
}

void monitor_set_free(struct monitor_set *set)
{
    if (!set)
        return;
    loop_timer_stop(&set->wake);
    loop_timer_stop(&set->trim_timer);
    monitor_board_stop(set);
    monitor_rank_stop(set);
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++) {
        if (!set->by_slot[slot])
            continue;
        stop_probe(set->by_slot[slot]);
        probe_memory_clear(&set->by_slot[slot]->memory);
        free(set->by_slot[slot]);
    }
    probe_schedule_free(set->schedule);
    prober_free(set->prober);
    snapshot_close(set->snapshot);
    free(set->pools);
    free(set);
}
