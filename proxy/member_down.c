#include "proxy/member_down.h"

#include "proxy/member_connection.h"

/* One look over the members. */
struct look {
    struct worker *worker;
    const struct snapshot *snapshot;
    bool counts;   /* verdicts do, in the pool at hand */
    uint32_t left; /* connections that may still be closed in this turn */
};

static enum member_news news_of(const struct snapshot_pool *pool)
{
    switch ((enum snapshot_on_down)pool->on_down) {
    case SNAPSHOT_ON_DOWN_KEEP: break;
    case SNAPSHOT_ON_DOWN_DRAIN: return MEMBER_DRAINS;
    case SNAPSHOT_ON_DOWN_RESET: return MEMBER_RESETS;
    }
    return MEMBER_STAYS;
}

/* Whoever is told gives up its own connection at most, and opens none to a member that is down,
 * so the next one stays where it is. */
static void
tell(struct look *look, struct member_links *links, uint32_t incarnation, enum member_news news)
{
    struct member_connection *connection = links->open;
    while (connection && look->left > 0) {
        struct member_connection *next = connection->open_next;
        if (connection->incarnation == incarnation && connection->on_news) {
            connection->on_news(connection, news);
            look->left -= news == MEMBER_RESETS;
        }
        connection = next;
    }
}

static void close_kept(struct look *look, uint32_t slot)
{
    uint32_t count = idle_pool_drop(look->worker, slot);
    look->left -= count < look->left ? count : look->left;
}

/* A connection that began just before the verdict is told at one of the next looks: while the
 * member is down, all are told at each. */
static void look_at(struct look *look,
                    const struct snapshot_pool *pool,
                    const struct snapshot_member *member)
{
    struct member_links *links = &look->worker->idle.by_slot[member->slot];
    if (!links->open && links->news == MEMBER_STAYS && links->down_incarnation == 0)
        return;
    const struct verdict_board *board = look->worker->shared->context->verdicts;
    bool is_down = look->counts && verdict_board_state(board, member->slot,
                                                       member->incarnation) == VERDICT_ERROR;
    enum member_news news = is_down ? news_of(pool) : MEMBER_STAYS;
    links->down_incarnation = is_down ? member->incarnation : 0;
    if (is_down)
        close_kept(look, member->slot);
    if (news != MEMBER_STAYS || links->news != MEMBER_STAYS)
        tell(look, links, member->incarnation, news);
    links->news = news;
}

/* Whether verdicts do not count in the pool with INDEX. The first worker shows it. */
static bool fails_open(struct worker *worker, uint32_t index)
{
    const struct generation *generation = worker->generation->generation;
    const struct snapshot_pool *pool = &snapshot_pools(generation->snapshot)[index];
    bool any = atomic_load(&generation->pools[index]->leniency) & PICK_ANY;
    if (worker->index == 0)
        atomic_store_explicit(
            &worker_pool_counters(worker, pool->slot, pool->incarnation)->fails_open, any,
            memory_order_relaxed);
    return any;
}

void member_down_look_again(struct worker *worker)
{
    if (!worker->generation)
        return;
    struct look look = {.worker = worker,
                        .snapshot = worker->generation->generation->snapshot,
                        .left = MEMBER_DOWN_PER_TURN};
    const struct verdict_board *board = worker->shared->context->verdicts;
    worker->seen_verdicts = atomic_load_explicit(&board->changes, memory_order_acquire);
    for (uint32_t i = 0; i < look.snapshot->pools.count; i++) {
        const struct snapshot_pool *pool = &snapshot_pools(look.snapshot)[i];
        const struct snapshot_member *members =
            &snapshot_members(look.snapshot)[pool->first_member];
        look.counts = !fails_open(worker, i) && member_pick_is_monitored(look.snapshot, pool);
        for (uint32_t m = 0; m < pool->member_count && look.left > 0; m++)
            look_at(&look, pool, &members[m]);
    }
    worker->verdicts_unseen = look.left == 0;
}

void member_down_look(struct worker *worker)
{
    const struct verdict_board *board = worker->shared->context->verdicts;
    if (worker->seen_verdicts != atomic_load_explicit(&board->changes, memory_order_acquire))
        member_down_look_again(worker);
}

bool member_down_is_known(const struct worker *worker, uint32_t slot, uint32_t incarnation)
{
    return worker->idle.by_slot[slot].down_incarnation == incarnation;
}
