#include "lbnode/node/control_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/health_reason.h"

#include <stdlib.h>
#include <string.h>

/* ---- own verdicts: events, and what peers get -----------------------------------------------
 */

struct publishing {
    struct control *control;
    struct shared_verdict *verdicts;
    size_t count, capacity;
    bool all;
    bool left; /* more has changed than may be told at once */
};

static void report(struct control *control,
                   const struct effective *pool,
                   const struct effective *member,
                   const struct verdict_slot *slot,
                   enum verdict_state state)
{
    const char *member_name = member->resource->name, *pool_name = pool->resource->name;
    char why[HEALTH_REASON_TEXT_SIZE];
    if (state == VERDICT_ONLINE) {
        control_event(control, EVENT_MEMBER_ONLINE, "member %s of pool %s answers its monitor",
                      member_name, pool_name);
        return;
    }
    health_reason_text(why, atomic_load(&slot->reason), atomic_load(&slot->last_status),
                       configuration_monitor_of(control->configuration, &pool->resource->id));
    control_event(control, EVENT_MEMBER_ERROR, "member %s of pool %s: %s", member_name,
                  pool_name, why);
}

static uint32_t age_of(uint64_t probed_ms, uint64_t now_ms)
{
    uint64_t age_ms = now_ms > probed_ms ? now_ms - probed_ms : 0;
    return probed_ms == 0 || age_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)age_ms;
}

static void publish_later(struct publishing *publishing,
                          const struct uuid *member_id,
                          const struct verdict_slot *slot,
                          enum verdict_state state)
{
    if (publishing->count == publishing->capacity) {
        size_t capacity = publishing->capacity ? 2 * publishing->capacity : 64;
        struct shared_verdict *verdicts =
            realloc(publishing->verdicts, capacity * sizeof(*verdicts));
        if (!verdicts)
            return;
        publishing->verdicts = verdicts;
        publishing->capacity = capacity;
    }
    uint64_t since_ms = atomic_load(&slot->since_wall_ms), now_ms = walltime_now_ms();
    uint64_t age_ms = now_ms > since_ms ? now_ms - since_ms : 0;
    uint32_t round_trip_ms = atomic_load(&slot->round_trip_us) / 1000;
    publishing->verdicts[publishing->count++] = (struct shared_verdict){
        .member_id = *member_id,
        .state = (uint8_t)state,
        .reason = (uint8_t)atomic_load(&slot->reason),
        .round_trip_ms = round_trip_ms > UINT16_MAX ? UINT16_MAX : (uint16_t)round_trip_ms,
        .rare = verdict_word_is_rare(atomic_load(&slot->word)),
        .age_ms = age_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)age_ms,
        .status = atomic_load(&slot->last_status),
        .last_failed = atomic_load(&slot->probes) > 0 && !(atomic_load(&slot->history) & 1),
        .probe_age_ms = age_of(atomic_load(&slot->probed_wall_ms), now_ms),
    };
}

/* Peers are told of it when this changes. */
static uint64_t what_is_told(uint64_t word)
{
    return word >> 32 << 32 | (uint64_t)verdict_word_own(word) << 1 |
           verdict_word_is_rare(word);
}

static bool is_same_state(uint64_t word, uint64_t before)
{
    return word >> 32 == before >> 32 && verdict_word_own(word) == verdict_word_own(before);
}

static void look_at(struct publishing *publishing,
                    const struct effective *pool,
                    const struct effective *member)
{
    struct control *control = publishing->control;
    uint32_t number, incarnation;
    if (!slot_map_find(control->slots, &member->resource->id, &number, &incarnation) ||
        number >= MEMBER_SLOTS)
        return;
    const struct verdict_slot *slot = &control->context->verdicts->slots[number];
    uint64_t word = atomic_load(&slot->word), before = control->seen_verdicts[number];
    enum verdict_state state = verdict_word_own(word);
    if ((uint32_t)(word >> 32) != incarnation || state == VERDICT_UNKNOWN)
        return;
    bool is_news = what_is_told(word) != what_is_told(before);
    if (is_news && !publishing->all && publishing->count >= VERDICTS_PER_POLL) {
        publishing->left = true;
        return;
    }
    control->seen_verdicts[number] = word;
    if (is_news && !is_same_state(word, before))
        report(control, pool, member, slot, state);
    if (is_news || publishing->all)
        publish_later(publishing, &member->resource->id, slot, state);
}

/* All for PEER, or what changed for everybody. False: some had to be left for later. */
static bool look_at_all(struct control *control, const struct uuid *peer)
{
    struct publishing publishing = {.control = control, .all = peer != NULL};
    const struct effective *pool, *member;
    for (size_t i = 0; (pool = configuration_at(control->configuration, RESOURCE_POOL, i));
         i++) {
        for (size_t j = 0;
             (member = configuration_child(control->configuration, &pool->resource->id,
                                           RESOURCE_MEMBER, j));
             j++)
            look_at(&publishing, pool, member);
    }
    if (peer)
        replication_send_all_verdicts(control->replication, peer, publishing.verdicts,
                                      publishing.count);
    else if (publishing.count > 0)
        replication_publish_verdicts(control->replication, publishing.verdicts,
                                     publishing.count);
    free(publishing.verdicts);
    return !publishing.left;
}

static void publish_probed(struct publishing *publishing,
                           const struct effective *member,
                           uint64_t from_wall_ms)
{
    const struct control *control = publishing->control;
    uint32_t number, incarnation;
    if (!slot_map_find(control->slots, &member->resource->id, &number, &incarnation) ||
        number >= MEMBER_SLOTS)
        return;
    const struct verdict_slot *slot = &control->context->verdicts->slots[number];
    uint64_t word = atomic_load(&slot->word);
    if ((uint32_t)(word >> 32) == incarnation && verdict_word_own(word) != VERDICT_UNKNOWN &&
        atomic_load(&slot->probed_wall_ms) >= from_wall_ms)
        publish_later(publishing, &member->resource->id, slot, verdict_word_own(word));
}

void verdicts_publish_pool(struct control *control,
                           const struct uuid *pool_id,
                           uint64_t from_wall_ms)
{
    struct publishing publishing = {.control = control};
    const struct effective *member;
    for (size_t i = 0;
         (member = configuration_child(control->configuration, pool_id, RESOURCE_MEMBER, i));
         i++)
        publish_probed(&publishing, member, from_wall_ms);
    if (publishing.count > 0)
        replication_publish_verdicts(control->replication, publishing.verdicts,
                                     publishing.count);
    free(publishing.verdicts);
}

static void poll_board(struct loop_timer *timer)
{
    struct control *control = CONTAINER_OF(timer, struct control, verdict_timer);
    uint64_t changes = atomic_load(&control->context->verdicts->changes);
    if (changes != control->seen_changes && look_at_all(control, NULL))
        control->seen_changes = changes;
    loop_timer_start(control->loop, timer, VERDICT_POLL_MS, poll_board);
}

void verdicts_send_all(struct control *control, const struct uuid *peer)
{
    if (control->configuration)
        look_at_all(control, peer);
}

/* A control process that starts again takes what is on the board as already reported. */
bool verdicts_start(struct control *control)
{
    const struct verdict_board *board = control->context->verdicts;
    control->seen_verdicts = calloc(MEMBER_SLOTS, sizeof(*control->seen_verdicts));
    if (!control->seen_verdicts)
        return false;
    for (size_t i = 0; i < MEMBER_SLOTS; i++)
        control->seen_verdicts[i] = atomic_load(&board->slots[i].word);
    control->seen_changes = atomic_load(&board->changes);
    loop_timer_start(control->loop, &control->verdict_timer, VERDICT_POLL_MS, poll_board);
    return true;
}

/* ---- peers' verdicts ------------------------------------------------------------------------
 */

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

static size_t count_members(const struct configuration *configuration)
{
    size_t count = 0;
    while (configuration_at(configuration, RESOURCE_MEMBER, count))
        count++;
    return count;
}

void verdicts_members_changed(struct control *control)
{
    control->members_changed = true;
}

static void sort_members(struct control *control)
{
    size_t count = count_members(control->configuration);
    control->members_changed = false;
    free(control->member_ids);
    control->member_ids = count > 0 ? calloc(count, sizeof(*control->member_ids)) : NULL;
    control->member_count = control->member_ids ? count : 0;
    for (size_t i = 0; i < control->member_count; i++)
        control->member_ids[i] =
            configuration_at(control->configuration, RESOURCE_MEMBER, i)->resource->id;
    if (control->member_count > 0)
        qsort(control->member_ids, control->member_count, sizeof(*control->member_ids),
              compare_ids);
}

static const struct uuid *find_member(struct control *control, const uint8_t key[8])
{
    if (control->members_changed)
        sort_members(control);
    size_t low = 0, high = control->member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(control->member_ids[middle].bytes, key, 8);
        if (order == 0)
            return &control->member_ids[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void verdicts_import(struct control *control,
                     const struct uuid *author,
                     const uint8_t member_key[8],
                     const struct shared_verdict *verdict)
{
    const struct uuid *member_id = find_member(control, member_key);
    if (member_id)
        peers_take_verdict(control, author, member_id, verdict);
}

bool verdicts_of_peer(const struct control *control,
                      const struct uuid *node_id,
                      const struct uuid *member_id,
                      struct shared_verdict *out)
{
    uint32_t slot, incarnation;
    return slot_map_find(control->slots, member_id, &slot, &incarnation) &&
           peer_verdicts_view(control->peer_verdicts, node_id, slot, incarnation,
                              loop_now_ms(control->loop), out);
}

void verdicts_free(struct control *control)
{
    loop_timer_stop(&control->verdict_timer);
    free(control->seen_verdicts);
    free(control->member_ids);
}
