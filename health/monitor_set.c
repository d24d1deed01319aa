#include "health/monitor_set.h"

#include "health/member_probe.h"
#include "health/probe_schedule.h"
#include "health/verdict.h"
#include "lbnode/base/monotime.h"

#include <stdlib.h>
#include <string.h>

struct monitored {
    struct monitor_set *set;
    uint32_t slot, incarnation;
    uint32_t round; /* of the snapshot that last named it */
    struct verdict verdict;
    uint8_t max_retries, max_retries_down;
    struct probe_target target; /* strings point into the snapshot */
    struct member_probe probe;
};

struct monitor_set {
    struct loop *loop;
    struct prober *prober;
    struct loop_timer wake;
    struct probe_schedule *schedule;
    struct verdict_board *board;
    const struct snapshot *snapshot;
    uint32_t round;
    struct monitored *by_slot[MEMBER_SLOTS];
    uint32_t running, most_running;
};

static void on_wake(struct loop_timer *timer);

/* ---- the board ----------------------------------------------------------------------------
 */

static void publish(struct monitored *monitored, bool changed, bool imported)
{
    struct verdict_board *board = monitored->set->board;
    struct verdict_slot *slot = &board->slots[monitored->slot];
    if (changed)
        atomic_store(&slot->since_wall_ms, walltime_now_ms());
    if (monitored->verdict.state == VERDICT_UNKNOWN)
        atomic_store(&slot->reason, (uint16_t)VERDICT_REASON_NONE);
    atomic_store(&slot->history, monitored->verdict.history);
    atomic_store(&slot->word,
                 verdict_word_make(monitored->incarnation, monitored->verdict.state, imported));
    if (changed)
        atomic_fetch_add(&board->changes, 1);
}

/* A restarted process goes on with the verdicts that its predecessor left. */
static void take_over(struct monitored *monitored)
{
    struct verdict_slot *slot = &monitored->set->board->slots[monitored->slot];
    monitored->verdict.state =
        verdict_board_state(monitored->set->board, monitored->slot, monitored->incarnation);
    if (monitored->verdict.state != VERDICT_UNKNOWN) {
        monitored->verdict.history = atomic_load(&slot->history);
        return;
    }
    atomic_store(&slot->probes, 0);
    atomic_store(&slot->failures, 0);
    publish(monitored, true, false);
}

/* ---- probing ------------------------------------------------------------------------------
 */

static void take_result(struct monitored *monitored, const struct probe_result *result)
{
    struct verdict_slot *slot = &monitored->set->board->slots[monitored->slot];
    bool success = result->reason == VERDICT_REASON_NONE;
    bool changed = verdict_step(&monitored->verdict, success, monitored->max_retries,
                                monitored->max_retries_down);
    atomic_store(&slot->round_trip_us, result->round_trip_us);
    atomic_store(&slot->last_status, result->status);
    atomic_store(&slot->probed_wall_ms, walltime_now_ms());
    atomic_fetch_add(&slot->probes, 1);
    if (!success) {
        atomic_fetch_add(&slot->failures, 1);
        atomic_store(&slot->reason, (uint16_t)result->reason);
    }
    publish(monitored, changed, false);
}

static void on_result(struct member_probe *probe, const struct probe_result *result)
{
    struct monitored *monitored = CONTAINER_OF(probe, struct monitored, probe);
    struct monitor_set *set = monitored->set;
    set->running--;
    if (result->reason == VERDICT_REASON_NO_ICMP_SOCKET)
        atomic_store(&set->board->slots[monitored->slot].reason, (uint16_t)result->reason);
    else if (result->reason != VERDICT_REASON_LOCAL) /* neither says anything of the member */
        take_result(monitored, result);
    if (set->running + 1 == set->most_running)
        loop_timer_start(set->loop, &set->wake, 0, on_wake);
}

/* A probe that its next beat meets has used up its time, or else keeps its connection to the
 * end and the beat falls away. */
static bool is_free(struct monitored *monitored)
{
    if (member_probe_is_running(&monitored->probe))
        member_probe_expire(&monitored->probe, PROBE_TICK_MS);
    return !member_probe_is_running(&monitored->probe);
}

static void start_due(struct monitor_set *set)
{
    uint64_t now_ms = monotime_now_ms();
    uint32_t slot;
    while (set->running < set->most_running &&
           probe_schedule_take(set->schedule, now_ms, &slot)) {
        struct monitored *monitored = set->by_slot[slot];
        if (!is_free(monitored))
            continue;
        set->running++;
        member_probe_start(set->prober, &monitored->probe, &monitored->target, on_result);
    }
    if (set->running >= set->most_running)
        return; /* a result wakes the set */
    uint64_t next_ms = probe_schedule_next_ms(set->schedule, now_ms);
    if (next_ms != UINT64_MAX)
        loop_timer_start(set->loop, &set->wake, next_ms - now_ms, on_wake);
}

static void on_wake(struct loop_timer *timer)
{
    start_due(CONTAINER_OF(timer, struct monitor_set, wake));
}

/* ---- the snapshot -------------------------------------------------------------------------
 */

static void stop_probe(struct monitored *monitored)
{
    if (!member_probe_is_running(&monitored->probe))
        return;
    member_probe_cancel(&monitored->probe);
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
    } else { /* the slot is another member's now */
        stop_probe(monitored);
        probe_schedule_remove(set->schedule, member->slot);
    }
    monitored->set = set;
    monitored->slot = member->slot;
    monitored->incarnation = member->incarnation;
    monitored->verdict = (struct verdict){.state = VERDICT_UNKNOWN};
    take_over(monitored);
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
    bool again =
        member_probe_is_running(&monitored->probe) && !same_target(&target, &monitored->target);
    if (again)
        stop_probe(monitored);
    monitored->round = set->round;
    monitored->max_retries = monitor->max_retries;
    monitored->max_retries_down = monitor->max_retries_down;
    monitored->target = target; /* its texts are those of the snapshot that stays */
    probe_schedule_put(set->schedule, member->slot, load_be64(member->id.bytes),
                       monitor->delay_ms, monotime_now_ms());
    if (again)
        probe_schedule_hurry(set->schedule, member->slot);
}

static void forget(struct monitor_set *set, struct monitored *monitored)
{
    stop_probe(monitored);
    probe_schedule_remove(set->schedule, monitored->slot);
    set->by_slot[monitored->slot] = NULL;
    monitored->verdict.state = VERDICT_UNKNOWN;
    publish(monitored, true, false);
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

void monitor_set_adopt(struct monitor_set *set, const struct snapshot *snapshot)
{
    const struct snapshot_pool *pools = snapshot_pools(snapshot);
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
    start_due(set);
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

void monitor_set_probe_now(struct monitor_set *set, uint32_t slot, uint32_t incarnation)
{
    const struct monitored *monitored = slot < MEMBER_SLOTS ? set->by_slot[slot] : NULL;
    if (!monitored || monitored->incarnation != incarnation)
        return;
    probe_schedule_hurry(set->schedule, slot);
    start_due(set);
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
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++) {
        if (set->by_slot[slot])
            stop_probe(set->by_slot[slot]);
        free(set->by_slot[slot]);
    }
    probe_schedule_free(set->schedule);
    prober_free(set->prober);
    snapshot_close(set->snapshot);
    free(set);
}
