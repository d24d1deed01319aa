#include "proxy/member_pick.h"

#include "lbnode/base/bytes.h"

struct tier {
    const struct member_pick *pick;
    const struct snapshot_pool *pool;
    bool backup;
    bool monitored;
    uint32_t leniency; /* set of pick_leniency */
    bool look_only;    /* limits, suspicion and slow start do not count */
    bool be_choosy;    /* suspicion and slow start count */
    bool *found_full;  /* set when somebody had no place */
};

static bool is_full(const struct member_pick *pick, const struct snapshot_member *member)
{
    return member->connection_limit > 0 &&
           atomic_load_explicit(&pick->members[member->slot].active, memory_order_relaxed) >=
               member->connection_limit;
}

/* By source address a slow member is taken by a part of the clients, so that each stays where
 * it is; else it takes a part of its turns. LEAST_CONNECTIONS weighs it. */
static bool takes_turn(const struct tier *tier, const struct snapshot_member *member)
{
    struct slow_start *start = &tier->pick->members[member->slot].slow_start;
    uint64_t duration_ms = tier->pool->slow_start_ms, now_ms = tier->pick->now_ms;
    const struct ip_address *client = &tier->pick->client.address;
    bool by_port = tier->pool->algorithm == SNAPSHOT_SOURCE_IP_PORT;
    uint64_t port = by_port ? tier->pick->client.port : 0;
    switch (tier->pool->algorithm) {
    case SNAPSHOT_LEAST_CONNECTIONS: return true;
    case SNAPSHOT_SOURCE_IP:
    case SNAPSHOT_SOURCE_IP_PORT:
        return bytes_hash(client->bytes, ip_address_size(client), port) % SLOW_START_STEPS <
               slow_start_tenths(start, duration_ms, now_ms);
    default: return slow_start_takes_turn(start, duration_ms, now_ms);
    }
}

static bool is_welcome(const struct tier *tier, const struct snapshot_member *member)
{
    const struct member_pick *pick = tier->pick;
    if (pick->standings && member_standing_is_avoided(&pick->standings[member->slot],
                                                      member->incarnation, pick->now_ms))
        return false;
    return tier->pool->slow_start_ms == 0 || !tier->monitored || takes_turn(tier, member);
}

static bool is_healthy(const struct tier *tier, const struct snapshot_member *member)
{
    const struct member_pick *pick = tier->pick;
    if (!tier->monitored)
        return true;
    enum verdict_state state =
        verdict_board_state(pick->verdicts, member->slot, member->incarnation);
    if (tier->pool->slow_start_ms > 0)
        slow_start_see(&pick->members[member->slot].slow_start, member->incarnation, state,
                       pick->now_ms);
    return member_pick_accepts(tier->pool, tier->leniency, state);
}

static bool usable(const void *context, const struct snapshot_member *member)
{
    const struct tier *tier = context;
    if (!member->enabled || member->weight == 0 || member->backup != tier->backup)
        return false;
    for (uint32_t i = 0; i < tier->pick->tried_count; i++) {
        if (tier->pick->tried[i] == member->slot)
            return false;
    }
    if (!is_healthy(tier, member))
        return false;
    if (tier->look_only)
        return true;
    if (is_full(tier->pick, member)) {
        *tier->found_full = true;
        return false;
    }
    return !tier->be_choosy || is_welcome(tier, member);
}

bool member_pick_is_monitored(const struct snapshot *snapshot, const struct snapshot_pool *pool)
{
    return pool->monitor != SNAPSHOT_NONE && snapshot_monitors(snapshot)[pool->monitor].enabled;
}

bool member_pick_accepts(const struct snapshot_pool *pool,
                         uint32_t leniency,
                         enum verdict_state state)
{
    if (leniency & PICK_ANY)
        return true;
    return state == VERDICT_ONLINE ||
           (state == VERDICT_UNKNOWN &&
            (pool->initial_state == SNAPSHOT_INITIAL_ONLINE || leniency & PICK_UNKNOWN));
}

/* Never 0. Whatever makes a member usable or not changes it: the configuration is numbered, and
 * so are the changes of verdicts. */
static uint64_t stamp_of(const struct tier *tier)
{
    const struct member_pick *pick = tier->pick;
    uint64_t changes = atomic_load_explicit(&pick->verdicts->changes, memory_order_acquire);
    return (pick->snapshot->generation << 32 ^ changes ^ (uint64_t)tier->leniency << 61) |
           UINT64_C(1) << 63;
}

/* Looks before the algorithm moves the cursor. */
static bool any_usable(const struct tier *tier,
                       const struct snapshot_member *members,
                       uint32_t count,
                       unsigned step)
{
    struct pool_runtime *runtime = tier->pick->runtime;
    uint32_t hint = atomic_load_explicit(&runtime->usable_hint[step], memory_order_relaxed);
    uint64_t stamp = stamp_of(tier);
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

/* One step: a number, BALANCE_NONE or PICK_FULL. */
static uint32_t pick_in(struct tier *tier, const struct balance_view *view)
{
    bool full = false;
    balance_pick *algorithm = balance_for(tier->pool->algorithm);
    tier->found_full = &full;
    tier->look_only = false;
    tier->be_choosy = tier->pick->standings || tier->pool->slow_start_ms > 0;
    uint32_t number = algorithm(view);
    if (number == BALANCE_NONE && tier->be_choosy) {
        tier->be_choosy = false;
        number = algorithm(view);
    }
    tier->look_only = true;
    tier->found_full = NULL;
    return number == BALANCE_NONE && full ? PICK_FULL : number;
}

static uint32_t leniency_of(const struct member_pick *pick)
{
    return atomic_load_explicit(&pick->runtime->leniency, memory_order_relaxed);
}

uint32_t member_pick(const struct member_pick *pick)
{
    const struct snapshot *snapshot = pick->snapshot;
    const struct snapshot_pool *pool = &snapshot_pools(snapshot)[pick->pool];
    struct tier tier = {.pick = pick,
                        .pool = pool,
                        .monitored = member_pick_is_monitored(snapshot, pool),
                        .leniency = leniency_of(pick),
                        .look_only = true};
    struct balance_view view = {
        .members = snapshot_members(snapshot) + pool->first_member,
        .member_count = pool->member_count,
        .runtimes = pick->members,
        .slow_start_ms = tier.monitored ? pool->slow_start_ms : 0,
        .now_ms = pick->now_ms,
        .client = pick->client,
        .key = &pool->id,
        .usable = usable,
        .context = &tier,
    };
    if (!pool->enabled)
        return BALANCE_NONE;
    for (unsigned step = 0; step < PICK_STEPS; step++) {
        tier.backup = step & 1;
        if (!any_usable(&tier, view.members, view.member_count, step))
            continue;
        view.schedule = snapshot_schedule(snapshot) +
                        (tier.backup ? pool->backup_schedule_offset : pool->schedule_offset);
        view.schedule_length =
            tier.backup ? pool->backup_schedule_length : pool->schedule_length;
        view.cursor = tier.backup ? &pick->runtime->backup_cursor : &pick->runtime->cursor;
        uint32_t number = pick_in(&tier, &view);
        if (number == PICK_FULL)
            return PICK_FULL;
        if (number != BALANCE_NONE)
            return pool->first_member + number;
    }
    return BALANCE_NONE;
}

bool member_pick_is_free(const struct member_pick *pick, uint32_t number, uint32_t slot)
{
    const struct snapshot_pool *pool = &snapshot_pools(pick->snapshot)[pick->pool];
    bool full = false;
    struct tier tier = {.pick = pick,
                        .pool = pool,
                        .monitored = member_pick_is_monitored(pick->snapshot, pool),
                        .leniency = leniency_of(pick),
                        .be_choosy = true,
                        .found_full = &full};
    const struct snapshot_member *member =
        snapshot_members(pick->snapshot) + pool->first_member + number;
    return pool->enabled && number < pool->member_count && member->slot == slot &&
           usable(&tier, member);
}
