#include "lbnode/node/peer_views.h"

#include "lbnode/model/verdict_board.h"

#include <stdlib.h>

struct told {
    uint32_t incarnation; /* with told_ms 0: nothing */
    uint64_t told_ms;
    struct shared_verdict verdict;
};

struct peer_part {
    struct uuid node_id;
    uint64_t heard_ms;
    struct told *members; /* MEMBER_SLOTS of them, owned; NULL: a free place */
};

struct peer_views {
    struct peer_part peers[PEER_VIEWS_MAXIMUM];
};

struct peer_views *peer_views_new(void)
{
    return calloc(1, sizeof(struct peer_views));
}

void peer_views_free(struct peer_views *verdicts)
{
    for (size_t i = 0; verdicts && i < PEER_VIEWS_MAXIMUM; i++)
        free(verdicts->peers[i].members);
    free(verdicts);
}

static const struct peer_part *find_part(const struct peer_views *verdicts,
                                         const struct uuid *node_id)
{
    for (size_t i = 0; i < PEER_VIEWS_MAXIMUM; i++)
        if (verdicts->peers[i].members && uuid_equal(&verdicts->peers[i].node_id, node_id))
            return &verdicts->peers[i];
    return NULL;
}

/* A free place, else that of the peer that was heard longest ago. */
static struct peer_part *place_for_another(struct peer_views *verdicts)
{
    struct peer_part *place = &verdicts->peers[0];
    for (size_t i = 0; i < PEER_VIEWS_MAXIMUM; i++) {
        if (!verdicts->peers[i].members)
            return &verdicts->peers[i];
        if (verdicts->peers[i].heard_ms < place->heard_ms)
            place = &verdicts->peers[i];
    }
    return place;
}

static struct peer_part *part_of(struct peer_views *verdicts, const struct uuid *node_id)
{
    const struct peer_part *known = find_part(verdicts, node_id);
    if (known)
        return &verdicts->peers[known - verdicts->peers];
    struct told *members = calloc(MEMBER_SLOTS, sizeof(*members));
    if (!members)
        return NULL;
    struct peer_part *part = place_for_another(verdicts);
    free(part->members);
    *part = (struct peer_part){.node_id = *node_id, .members = members};
    return part;
}

void peer_views_put(struct peer_views *verdicts,
                    const struct uuid *node_id,
                    uint32_t slot,
                    uint32_t incarnation,
                    const struct shared_verdict *verdict,
                    uint64_t now_ms)
{
    struct peer_part *part = slot < MEMBER_SLOTS ? part_of(verdicts, node_id) : NULL;
    if (!part)
        return;
    part->heard_ms = now_ms;
    part->members[slot] = (struct told){incarnation, now_ms, *verdict};
}

static uint32_t grow(uint32_t age_ms, uint64_t passed_ms)
{
    uint64_t sum_ms = age_ms + passed_ms;
    return age_ms == UINT32_MAX || sum_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)sum_ms;
}

bool peer_views_find(const struct peer_views *verdicts,
                     const struct uuid *node_id,
                     uint32_t slot,
                     uint32_t incarnation,
                     uint64_t now_ms,
                     struct shared_verdict *out)
{
    const struct peer_part *part = slot < MEMBER_SLOTS ? find_part(verdicts, node_id) : NULL;
    const struct told *told = part ? &part->members[slot] : NULL;
    if (!told || told->told_ms == 0 || told->incarnation != incarnation)
        return false;
    uint64_t passed_ms = now_ms > told->told_ms ? now_ms - told->told_ms : 0;
    *out = told->verdict;
    out->age_ms = grow(out->age_ms, passed_ms);
    out->probe_age_ms = grow(out->probe_age_ms, passed_ms);
    return true;
}
