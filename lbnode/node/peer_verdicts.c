#include "lbnode/node/peer_verdicts.h"

#include <stdlib.h>
#include <string.h>

struct author {
    struct uuid id; /* zero: the place is free */
    uint64_t confirmed_ms;
    uint32_t capacity; /* slots */
    struct peer_verdict *verdicts;
};

struct peer_verdicts {
    struct author authors[PEER_VERDICTS_PEERS];
};

struct peer_verdicts *peer_verdicts_new(void)
{
    return calloc(1, sizeof(struct peer_verdicts));
}

void peer_verdicts_free(struct peer_verdicts *table)
{
    for (size_t i = 0; table && i < PEER_VERDICTS_PEERS; i++)
        free(table->authors[i].verdicts);
    free(table);
}

static struct author *find(struct peer_verdicts *table, const struct uuid *peer)
{
    for (size_t i = 0; i < PEER_VERDICTS_PEERS; i++)
        if (uuid_equal(&table->authors[i].id, peer))
            return &table->authors[i];
    return NULL;
}

static bool has_room(struct author *author, uint32_t slot)
{
    if (slot < author->capacity)
        return true;
    uint32_t capacity = author->capacity ? author->capacity : 64;
    while (capacity <= slot)
        capacity *= 2;
    struct peer_verdict *verdicts =
        realloc(author->verdicts, capacity * sizeof(*author->verdicts));
    if (!verdicts)
        return false;
    memset(verdicts + author->capacity, 0, (capacity - author->capacity) * sizeof(*verdicts));
    author->verdicts = verdicts;
    author->capacity = capacity;
    return true;
}

bool peer_verdicts_put(struct peer_verdicts *table,
                       const struct uuid *peer,
                       uint32_t slot,
                       uint32_t incarnation,
                       const struct shared_verdict *verdict,
                       uint64_t now_ms)
{
    static const struct uuid nobody;
    struct author *author = find(table, peer);
    if (!author)
        author = find(table, &nobody);
    if (!author || slot >= MEMBER_SLOTS || !has_room(author, slot))
        return false;
    author->id = *peer;
    author->verdicts[slot] = (struct peer_verdict){
        .incarnation = incarnation,
        .state = verdict->state,
        .reason = verdict->reason,
        .rare = verdict->rare,
        .last_failed = verdict->last_failed,
        .status = verdict->status,
        .round_trip_ms = verdict->round_trip_ms,
        .age_ms = verdict->age_ms,
        .probe_age_ms = verdict->probe_age_ms,
        .taken_ms = now_ms,
    };
    return true;
}

void peer_verdicts_confirm(struct peer_verdicts *table, const struct uuid *peer, uint64_t at_ms)
{
    struct author *author = find(table, peer);
    if (author && at_ms > author->confirmed_ms)
        author->confirmed_ms = at_ms;
}

void peer_verdicts_forget(struct peer_verdicts *table, const struct uuid *peer)
{
    struct author *author = find(table, peer);
    if (!author)
        return;
    free(author->verdicts);
    *author = (struct author){0};
}

const struct uuid *peer_verdicts_peer(const struct peer_verdicts *table, size_t index)
{
    bool is_known = index < PEER_VERDICTS_PEERS && !uuid_is_zero(&table->authors[index].id);
    return is_known ? &table->authors[index].id : NULL;
}

const struct peer_verdict *peer_verdicts_find(const struct peer_verdicts *table,
                                              size_t index,
                                              uint32_t slot,
                                              uint32_t incarnation)
{
    const struct author *author = &table->authors[index];
    const struct peer_verdict *verdict =
        slot < author->capacity ? &author->verdicts[slot] : NULL;
    return verdict && verdict->incarnation == incarnation && incarnation != 0 ? verdict : NULL;
}

uint64_t peer_verdicts_held_ms(const struct peer_verdicts *table,
                               size_t index,
                               const struct peer_verdict *verdict)
{
    uint64_t confirmed_ms = table->authors[index].confirmed_ms;
    return confirmed_ms > verdict->taken_ms ? confirmed_ms : verdict->taken_ms;
}

static uint32_t grow(uint32_t age_ms, uint64_t passed_ms)
{
    uint64_t sum_ms = age_ms + passed_ms;
    return age_ms == UINT32_MAX || sum_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)sum_ms;
}

bool peer_verdicts_view(const struct peer_verdicts *table,
                        const struct uuid *peer,
                        uint32_t slot,
                        uint32_t incarnation,
                        uint64_t now_ms,
                        struct shared_verdict *out)
{
    for (size_t i = 0; i < PEER_VERDICTS_PEERS; i++) {
        const struct peer_verdict *verdict =
            uuid_equal(&table->authors[i].id, peer)
                ? peer_verdicts_find(table, i, slot, incarnation)
                : NULL;
        if (!verdict)
            continue;
        uint64_t passed_ms = now_ms > verdict->taken_ms ? now_ms - verdict->taken_ms : 0;
        *out = (struct shared_verdict){
            .state = verdict->state,
            .reason = verdict->reason,
            .rare = verdict->rare,
            .last_failed = verdict->last_failed,
            .status = verdict->status,
            .round_trip_ms = verdict->round_trip_ms,
            .age_ms = grow(verdict->age_ms, passed_ms),
            .probe_age_ms = grow(verdict->probe_age_ms, passed_ms),
        };
        return true;
    }
    return false;
}

/* Higher is better. */
static int worth(const struct author *author,
                 const struct peer_verdict *verdict,
                 const struct uuid *active)
{
    return (active && uuid_equal(&author->id, active) ? 2 : 0) + (verdict->rare ? 0 : 1);
}

static int64_t probed_ms(const struct peer_verdict *verdict)
{
    return (int64_t)verdict->taken_ms - (int64_t)verdict->probe_age_ms;
}

const struct peer_verdict *peer_verdicts_best(const struct peer_verdicts *table,
                                              uint32_t slot,
                                              uint32_t incarnation,
                                              const struct uuid *active,
                                              uint64_t limit_ms,
                                              uint64_t now_ms,
                                              uint64_t *out_held_ms)
{
    const struct peer_verdict *best = NULL;
    int best_worth = -1;
    for (size_t i = 0; i < PEER_VERDICTS_PEERS; i++) {
        const struct peer_verdict *verdict = peer_verdicts_find(table, i, slot, incarnation);
        if (!verdict || verdict->state == VERDICT_UNKNOWN)
            continue;
        uint64_t held_ms = peer_verdicts_held_ms(table, i, verdict);
        int value = worth(&table->authors[i], verdict, active);
        if (now_ms - held_ms >= limit_ms || value < best_worth ||
            (value == best_worth && probed_ms(verdict) <= probed_ms(best)))
            continue;
        best = verdict;
        best_worth = value;
        *out_held_ms = held_ms;
    }
    return best;
}
