#include "proxy/member_pick.h"

struct tier {
    const struct member_pick *pick;
    bool backup;
    bool monitored;
    bool accept_unknown;
    bool avoid_suspects;
};

static bool usable(const void *context, const struct snapshot_member *member)
{
    const struct tier *tier = context;
    if (!member->enabled || member->weight == 0 || member->backup != tier->backup)
        return false;
    for (uint32_t i = 0; i < tier->pick->tried_count; i++) {
        if (tier->pick->tried[i] == member->slot)
            return false;
    }
    if (tier->avoid_suspects &&
        member_standing_is_avoided(&tier->pick->standings[member->slot], member->incarnation,
                                   tier->pick->now_ms))
        return false;
    if (!tier->monitored)
        return true;
    enum verdict_state state =
        verdict_board_state(tier->pick->verdicts, member->slot, member->incarnation);
    return state == VERDICT_ONLINE || (state == VERDICT_UNKNOWN && tier->accept_unknown);
}

static bool is_monitored(const struct snapshot *snapshot, const struct snapshot_pool *pool)
{
    return pool->monitor != SNAPSHOT_NONE && snapshot_monitors(snapshot)[pool->monitor].enabled;
}

/* Never 0. Whatever makes a member usable or not changes it: the configuration is numbered, and
 * so are the changes of verdicts. */
static uint64_t stamp_of(const struct member_pick *pick)
{
    uint64_t changes = atomic_load_explicit(&pick->verdicts->changes, memory_order_acquire);
    return (pick->snapshot->generation << 32 ^ changes) | UINT64_C(1) << 63;
}

/* Looks before the algorithm moves the cursor. */
static bool any_usable(const struct tier *tier,
                       const struct snapshot_member *members,
                       uint32_t count,
                       unsigned step)
{
    struct pool_runtime *runtime = tier->pick->runtime;
    uint32_t hint = atomic_load_explicit(&runtime->usable_hint[step], memory_order_relaxed);
    uint64_t stamp = stamp_of(tier->pick);
    if (hint < count && usable(tier, &members[hint]))
        return true;
    if (atomic_load_explicit(&runtime->none_usable_stamp[step], memory_order_relaxed) == stamp)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (usable(tier, &members[i])) {
            atomic_store_explicit(&runtime->usable_hint[step], i, memory_order_relaxed);
            return true;
        }
    }
    if (tier->pick->tried_count == 0)
        atomic_store_explicit(&runtime->none_usable_stamp[step], stamp, memory_order_relaxed);
    return false;
}

uint32_t member_pick(const struct member_pick *pick)
{
    const struct snapshot *snapshot = pick->snapshot;
    const struct snapshot_pool *pool = &snapshot_pools(snapshot)[pick->pool];
    struct tier tier = {.pick = pick, .monitored = is_monitored(snapshot, pool)};
    struct balance_view view = {
        .members = snapshot_members(snapshot) + pool->first_member,
        .member_count = pool->member_count,
        .runtimes = pick->members,
        .client = pick->client,
        .key = &pool->id,
        .usable = usable,
        .context = &tier,
    };
    if (!pool->enabled)
        return BALANCE_NONE;
    for (unsigned step = 0; step < (tier.monitored ? PICK_STEPS : PICK_STEPS / 2); step++) {
        tier.backup = step & 1;
        tier.accept_unknown = step >= 2;
        if (!any_usable(&tier, view.members, view.member_count, step))
            continue;
        view.schedule = snapshot_schedule(snapshot) +
                        (tier.backup ? pool->backup_schedule_offset : pool->schedule_offset);
        view.schedule_length =
            tier.backup ? pool->backup_schedule_length : pool->schedule_length;
        view.cursor = tier.backup ? &pick->runtime->backup_cursor : &pick->runtime->cursor;
        tier.avoid_suspects = pick->standings != NULL;
        uint32_t number = balance_for(pool->algorithm)(&view);
        if (number == BALANCE_NONE && tier.avoid_suspects) {
            tier.avoid_suspects = false;
            number = balance_for(pool->algorithm)(&view);
        }
        tier.avoid_suspects = false;
        if (number != BALANCE_NONE)
            return pool->first_member + number;
    }
    return BALANCE_NONE;
}
