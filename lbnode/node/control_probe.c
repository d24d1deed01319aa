/* Probes out of turn: somebody tests the monitor of a pool on this node or, over gossip, on
 * another one. Health is asked once for each member; what it found goes to the peers in
 * verdicts as soon as it is on the board, not only when it changes something. */
#include "lbnode/node/control_internal.h"

#include "lbnode/base/monotime.h"

enum {
    PROBE_AGAIN_MS = 1000, /* a pool is probed out of turn so often at most */
    PROBE_LOOK_MS = 50
};

/* ---- the question -------------------------------------------------------------------------
 */

static void probe_member(struct control *control, const struct effective *member)
{
    struct message_probe_now message = MESSAGE_OF(PROBE_NOW, struct message_probe_now);
    if (member->effective && slot_map_find(control->slots, &member->resource->id,
                                           &message.member_slot, &message.incarnation))
        control_send(control, &message.header, NULL, 0);
}

static void probe_members(struct control *control, const struct uuid *pool_id)
{
    const struct effective *member;
    for (size_t i = 0;
         (member = configuration_child(control->configuration, pool_id, RESOURCE_MEMBER, i));
         i++)
        probe_member(control, member);
}

static struct tested_pool *find(struct control *control, const struct uuid *pool_id)
{
    for (size_t i = 0; i < TESTED_POOLS; i++)
        if (uuid_equal(&control->tested[i].id, pool_id))
            return &control->tested[i];
    return NULL;
}

/* The place of the pool that was tested longest ago. */
static struct tested_pool *oldest(struct control *control)
{
    struct tested_pool *found = &control->tested[0];
    for (size_t i = 1; i < TESTED_POOLS; i++)
        if (control->tested[i].asked_ms < found->asked_ms)
            found = &control->tested[i];
    return found;
}

static const struct health_monitor *monitor_of(struct control *control,
                                               const struct uuid *pool_id)
{
    return control->configuration ? configuration_monitor_of(control->configuration, pool_id)
                                  : NULL;
}

static void look(struct loop_timer *timer);

/* Asks health, unless that was done a moment ago. The wall clock when it was. */
static uint64_t probe_pool(struct control *control, const struct uuid *pool_id, bool *out_asked)
{
    uint64_t now_ms = loop_now_ms(control->loop);
    const struct health_monitor *monitor = monitor_of(control, pool_id);
    struct tested_pool *pool = find(control, pool_id);
    *out_asked = false;
    if (pool && now_ms - pool->asked_ms < PROBE_AGAIN_MS)
        return pool->asked_wall_ms;
    if (!monitor)
        return walltime_now_ms();
    pool = pool ? pool : oldest(control);
    *pool = (struct tested_pool){
        .id = *pool_id,
        .asked_ms = now_ms,
        .asked_wall_ms = walltime_now_ms(),
        .until_ms = now_ms + (uint64_t)monitor->timeout * 1000 + 2 * PROBE_AGAIN_MS,
    };
    pool->told_wall_ms = pool->asked_wall_ms;
    *out_asked = true;
    probe_members(control, pool_id);
    loop_timer_start(control->loop, &control->tested_timer, PROBE_LOOK_MS, look);
    return pool->asked_wall_ms;
}

uint64_t control_test_pool(struct control *control, const struct uuid *pool_id)
{
    bool asked;
    uint64_t asked_wall_ms = probe_pool(control, pool_id, &asked);
    if (asked)
        replication_ask_probe(control->replication, pool_id);
    return asked_wall_ms;
}

void control_probe_asked(struct control *control, const struct uuid *pool_id)
{
    bool asked;
    probe_pool(control, pool_id, &asked);
}

/* ---- the answer ---------------------------------------------------------------------------
 */

static void look(struct loop_timer *timer)
{
    struct control *control = CONTAINER_OF(timer, struct control, tested_timer);
    uint64_t now_ms = loop_now_ms(control->loop), wall_ms = walltime_now_ms();
    bool again = false;
    for (size_t i = 0; i < TESTED_POOLS; i++) {
        struct tested_pool *pool = &control->tested[i];
        if (now_ms >= pool->until_ms)
            continue;
        verdicts_publish_pool(control, &pool->id, pool->told_wall_ms);
        pool->told_wall_ms = wall_ms;
        again = true;
    }
    if (again)
        loop_timer_start(control->loop, timer, PROBE_LOOK_MS, look);
}

void control_probe_stop(struct control *control)
{
    loop_timer_stop(&control->tested_timer);
}
