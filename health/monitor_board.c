#include "health/monitor_set_internal.h"

#include "health/effective.h"
#include "lbnode/base/monotime.h"

enum {
    REVIEW_MS = 500 /* how late it may be noticed that something has grown too old */
};

static struct verdict_slot *slot_of(const struct monitored *monitored)
{
    return &monitored->set->board->slots[monitored->slot];
}

static struct monitored_pool *pool_of(const struct monitored *monitored)
{
    return &monitored->set->pools[monitored->pool];
}

/* ---- what counts --------------------------------------------------------------------------
 */

static void write_word(struct monitored *monitored, uint64_t word, enum verdict_state state)
{
    struct verdict_slot *slot = slot_of(monitored);
    uint64_t before = atomic_load(&slot->word);
    bool same_member = before >> 32 == word >> 32;
    if (word == before)
        return;
    if (!same_member || (enum verdict_state)(before & 0xff) != state)
        atomic_store(&slot->since_wall_ms, walltime_now_ms());
    if (state == VERDICT_UNKNOWN)
        atomic_store(&slot->reason, (uint16_t)VERDICT_REASON_NONE);
    atomic_store(&slot->word, word);
    atomic_fetch_add(&monitored->set->board->changes, 1);
}

static bool is_online(const struct monitored *monitored)
{
    return verdict_board_state(monitored->set->board, monitored->slot,
                               monitored->incarnation) == VERDICT_ONLINE;
}

void monitor_board_count(struct monitored *monitored)
{
    bool counts = monitored->takes_traffic && is_online(monitored);
    if (counts == monitored->is_counted)
        return;
    monitored->is_counted = counts;
    pool_of(monitored)->usable += counts ? 1 : UINT32_MAX;
}

static struct effective_verdict choose(const struct monitored *monitored, uint64_t now_ms)
{
    const struct monitored_pool *pool = pool_of(monitored);
    const struct effective_input input = {
        .own = monitored->verdict.state,
        .own_probed_ms = monitored->probed_ms,
        .rare = monitor_rank_is_rare(monitored),
        .imported = (enum verdict_state)monitored->imported,
        .imported_ms = monitored->imported_ms,
        .delay_ms = monitored->delay_ms,
        .initially_online = pool->initially_online,
        .last_usable = monitored->is_counted && pool->usable == 1,
    };
    return effective_choose(&input, now_ms);
}

void monitor_board_review(struct monitored *monitored, uint64_t now_ms)
{
    struct effective_verdict verdict = choose(monitored, now_ms);
    write_word(monitored,
               verdict_word_with_own(monitored->incarnation, verdict.state, verdict.imported,
                                     monitored->verdict.state, monitor_rank_is_rare(monitored)),
               verdict.state);
    monitor_board_count(monitored);
}

void monitor_board_go_on_from_peers(struct monitored *monitored, uint64_t now_ms)
{
    struct effective_verdict verdict = choose(monitored, now_ms);
    if (verdict.imported && !verdict.held)
        verdict_assume(&monitored->verdict, verdict.state);
}

void monitor_board_adopt(struct monitored *monitored)
{
    struct verdict_slot *slot = slot_of(monitored);
    uint64_t word = atomic_load(&slot->word);
    monitored->verdict = (struct verdict){.state = VERDICT_UNKNOWN};
    if ((uint32_t)(word >> 32) == monitored->incarnation)
        monitored->verdict.state = verdict_word_own(word);
    if (monitored->verdict.state != VERDICT_UNKNOWN) {
        monitored->verdict.history = atomic_load(&slot->history);
        return;
    }
    atomic_store(&slot->probes, 0);
    atomic_store(&slot->failures, 0);
    atomic_store(&slot->history, 0);
}

void monitor_board_forget(struct monitored *monitored)
{
    write_word(monitored, verdict_word_make(monitored->incarnation, VERDICT_UNKNOWN, false),
               VERDICT_UNKNOWN);
}

/* ---- own results ---------------------------------------------------------------------------
 */

static void step(struct monitored *monitored, bool success, uint64_t now_ms)
{
    bool is_fall = !success && monitored->verdict.state == VERDICT_ONLINE;
    bool decides = monitored->confirms && monitor_rank_decides(monitored, is_fall, now_ms);
    monitored->confirms = false;
    monitored->fell |= decides && is_fall;
    verdict_step(&monitored->verdict, success, decides ? 1 : monitored->max_retries,
                 decides ? 1 : monitored->max_retries_down);
}

void monitor_board_take_result(struct monitored *monitored, const struct probe_result *result)
{
    struct verdict_slot *slot = slot_of(monitored);
    bool success = result->reason == VERDICT_REASON_NONE;
    uint64_t now_ms = monotime_now_ms();
    step(monitored, success, now_ms);
    monitored->probed_ms = now_ms;
    atomic_store(&slot->round_trip_us, result->round_trip_us);
    atomic_store(&slot->last_status, result->status);
    atomic_store(&slot->probed_wall_ms, walltime_now_ms());
    atomic_store(&slot->history, monitored->verdict.history);
    atomic_fetch_add(&slot->probes, 1);
    if (!success) {
        atomic_fetch_add(&slot->failures, 1);
        atomic_store(&slot->reason, (uint16_t)result->reason);
    }
    monitor_board_review(monitored, now_ms);
    monitor_rank_pace(monitored, now_ms);
}

/* ---- peers' verdicts ------------------------------------------------------------------------
 */

static void review_all(struct loop_timer *timer)
{
    struct monitor_set *set = CONTAINER_OF(timer, struct monitor_set, review_timer);
    uint64_t now_ms = monotime_now_ms();
    bool any = false;
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++) {
        struct monitored *monitored = set->by_slot[slot];
        if (!monitored || monitored->imported == VERDICT_UNKNOWN)
            continue;
        monitor_board_review(monitored, now_ms);
        any = true;
    }
    if (any)
        loop_timer_start(set->loop, timer, REVIEW_MS, review_all);
}

void monitor_set_import(struct monitor_set *set,
                        uint32_t slot,
                        uint32_t incarnation,
                        enum verdict_state state,
                        uint32_t age_ms)
{
    struct monitored *monitored = slot < MEMBER_SLOTS ? set->by_slot[slot] : NULL;
    uint64_t now_ms = monotime_now_ms();
    if (!monitored || monitored->incarnation != incarnation)
        return;
    bool is_news = monitored->imported != state;
    monitored->imported = (uint8_t)state;
    monitored->imported_ms = now_ms > age_ms ? now_ms - age_ms : 1;
    monitor_board_review(monitored, now_ms);
    /* What contradicts a rare own verdict is looked at here, too. */
    if (is_news && state != VERDICT_UNKNOWN && state != monitored->verdict.state &&
        monitor_rank_is_rare(monitored))
        monitor_set_probe_now(set, slot, incarnation);
    if (!set->review_timer.active)
        loop_timer_start(set->loop, &set->review_timer, REVIEW_MS, review_all);
}

void monitor_board_stop(struct monitor_set *set)
{
    loop_timer_stop(&set->review_timer);
}
