#include "proxy/pool_watch.h"

struct tally {
    uint32_t usable, unknown, total;
};

static struct tally count(const struct snapshot *snapshot,
                          const struct snapshot_pool *pool,
                          const struct verdict_board *verdicts,
                          uint32_t leniency)
{
    struct tally tally = {0};
    const struct snapshot_member *members = &snapshot_members(snapshot)[pool->first_member];
    for (uint32_t i = 0; i < pool->member_count; i++) {
        const struct snapshot_member *member = &members[i];
        if (!member->enabled || member->weight == 0)
            continue;
        enum verdict_state state =
            verdict_board_state(verdicts, member->slot, member->incarnation);
        tally.total++;
        tally.unknown += state == VERDICT_UNKNOWN;
        tally.usable += member_pick_accepts(pool, leniency & ~(uint32_t)PICK_ANY, state);
    }
    return tally;
}

/* A pool without a monitor will not stop to serve when it gets one. */
static uint32_t leniency_for(const struct snapshot_pool *pool,
                             bool monitored,
                             uint32_t before,
                             const struct tally *tally)
{
    if (!monitored)
        return PICK_UNKNOWN;
    uint32_t leniency = tally->unknown > 0 ? before & PICK_UNKNOWN : 0;
    if (tally->usable * UINT64_C(100) < (uint64_t)pool->fail_open_percent * tally->total)
        leniency |= PICK_ANY;
    return leniency;
}

bool pool_watch_look(struct generation *generation,
                     const struct verdict_board *verdicts,
                     void (*tell)(void *context, const struct pool_turn *turn),
                     void *context)
{
    const struct snapshot *snapshot = generation->snapshot;
    bool any = false;
    for (uint32_t i = 0; i < snapshot->pools.count; i++) {
        const struct snapshot_pool *pool = &snapshot_pools(snapshot)[i];
        _Atomic uint32_t *leniency = &generation->pools[i]->leniency;
        uint32_t before = atomic_load(leniency);
        bool monitored = member_pick_is_monitored(snapshot, pool);
        struct tally tally = count(snapshot, pool, verdicts, before);
        if (!monitored)
            tally.usable = tally.total;
        uint32_t after = leniency_for(pool, monitored, before, &tally);
        atomic_store(leniency, after);
        any |= before != after;
        if ((before ^ after) & PICK_ANY)
            tell(context, &(struct pool_turn){.pool = pool,
                                              .fails_open = after & PICK_ANY,
                                              .usable = tally.usable,
                                              .total = tally.total});
    }
    return any;
}
