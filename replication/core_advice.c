/* What the facts of core_evidence.c mean for the election: who is vouched for, which claims of
 * this node have to give way, whose addresses have to be announced again. It never says that
 * somebody should become active. */
#include "replication/core_internal.h"

#include <string.h>

enum {
    HELD_INTERVALS = 3 /* one heartbeat may be lost, and the next be late */
};

/* CLAIM and RIVAL may be NULL: of whatever group, or node. */
static bool has_fact(const struct core *core,
                     enum evidence_kind kind,
                     const struct vrrp_claim *claim,
                     const struct uuid *rival)
{
    for (size_t i = 0; i < core->facts.count; i++) {
        const struct fact *fact = &core->facts.items[i];
        if (!fact->reported || fact->evidence.kind != kind)
            continue;
        bool same = !claim || (fact->evidence.family == claim->family &&
                               uuid_equal(&fact->evidence.group_id, &claim->group_id));
        if (same && (!rival || uuid_equal(&fact->evidence.other_id, rival)))
            return true;
    }
    return false;
}

static struct advice *find_advice(struct core *core, const struct vrrp_claim *claim)
{
    for (size_t i = 0; i < core->advice_count; i++)
        if (core->advice[i].family == claim->family &&
            uuid_equal(&core->advice[i].group_id, &claim->group_id))
            return &core->advice[i];
    return NULL;
}

/* Both families of a group are to end on one node, so IPv4 decides for both where it can. */
static int compare_sources(const struct core *core,
                           const struct peer *peer,
                           const struct vrrp_claim *own,
                           const struct vrrp_claim *theirs)
{
    struct vrrp_claim leading = *own;
    leading.family = 4;
    const struct vrrp_claim *own4 = core_claim_for(&core->claims, &leading);
    const struct vrrp_claim *theirs4 = core_claim_for(&peer->claims, &leading);
    if (own4 && theirs4 && own4->source.family == 4 && theirs4->source.family == 4)
        return ip_address_compare(&own4->source, &theirs4->source);
    if (!own->source.family || !theirs->source.family)
        return 0;
    return ip_address_compare(&own->source, &theirs->source);
}

/* By VRRP's order; 0 when the sources are not known: then nobody gives way. */
static int compare_rank(const struct core *core,
                        const struct peer *peer,
                        const struct vrrp_claim *own,
                        const struct vrrp_claim *theirs)
{
    if (own->priority != theirs->priority)
        return own->priority < theirs->priority ? -1 : 1;
    return compare_sources(core, peer, own, theirs);
}

static bool was_lately_heard(const struct core *core, const struct peer *peer)
{
    return core_peer_is_alive(peer) && core->now.mono_us - peer->claims.at_us <=
                                           HELD_INTERVALS * core_heartbeat_interval_us(core);
}

/* A rival that does not hear this node does not know that there are two owners: this node has
 * to give way to it, whatever their order. Not to one that hears nobody at all: it is deaf, and
 * serves no client. */
static bool cannot_know(const struct core *core, const struct peer *peer)
{
    return peer->hears != 0 && has_fact(core, EVIDENCE_ONE_WAY, NULL, &peer->id);
}

/* Once told to give way a claim stays told so as long as the rival says that it is active:
 * without its adverts this node would only take over again. Freed because a heartbeat was lost,
 * it would be active within a dead time. */
static bool must_yield(const struct core *core,
                       const struct peer *peer,
                       const struct vrrp_claim *own,
                       const struct advice *before)
{
    const struct vrrp_claim *theirs = core_claim_for(&peer->claims, own);
    bool told = before && before->kind == ADVICE_YIELD && uuid_equal(&before->rival, &peer->id);
    if (!theirs || !core_peer_is_alive(peer) ||
        !core_claim_is_active(core, &peer->claims, theirs))
        return false;
    if (told && own->state == VRRP_BACKUP)
        return was_lately_heard(core, peer);
    return core_claims_are_fresh(core, peer) &&
           has_fact(core, EVIDENCE_DUAL_ACTIVE, own, &peer->id) &&
           (compare_rank(core, peer, own, theirs) < 0 || cannot_know(core, peer));
}

static bool wins(const struct core *core, const struct vrrp_claim *own)
{
    for (size_t i = 0; i < core->peer_count; i++)
        if (own->state == VRRP_ACTIVE &&
            has_fact(core, EVIDENCE_DUAL_ACTIVE, own, &core->peers[i]->id))
            return true;
    return false;
}

/* A heartbeat that was lost does not say that this node is heard again. */
static bool stays_unheard(const struct core *core, const struct advice *before)
{
    return before && before->kind == ADVICE_UNHEARD && core_is_missed_by_all(core);
}

/* Can PEER serve, and will it? One that finds itself unheard as well may be about to give way
 * in its turn: only one of higher id counts then, or all nodes of a ring, each heard by the
 * next one alone, would be out at once. */
static bool takes_its_place(const struct core *core,
                            const struct peer *peer,
                            const struct vrrp_claim *theirs)
{
    bool serves = theirs->state == VRRP_ACTIVE || theirs->state == VRRP_BACKUP;
    return serves && (!peer->unheard || uuid_compare(&peer->id, &core->node_id) > 0);
}

/* Nobody hears this node; it gives way if somebody that it hears can take its place. */
static bool
is_unheard(const struct core *core, const struct vrrp_claim *own, const struct advice *before)
{
    if (!has_fact(core, EVIDENCE_TRANSMIT_DEAD, NULL, NULL) && !stays_unheard(core, before))
        return false;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        const struct vrrp_claim *theirs = core_claim_for(&peer->claims, own);
        if (theirs && was_lately_heard(core, peer) && takes_its_place(core, peer, theirs))
            return true;
    }
    return false;
}

static struct advice advise(struct core *core, const struct vrrp_claim *own)
{
    const struct advice *before = find_advice(core, own);
    struct advice advice = {.group_id = own->group_id, .family = own->family};
    advice.winning = wins(core, own);
    advice.announce = before && (before->announce || before->winning != advice.winning);
    if (is_unheard(core, own, before)) {
        advice.kind = ADVICE_UNHEARD;
        return advice;
    }
    for (size_t i = 0; i < core->peer_count; i++) {
        if (!must_yield(core, core->peers[i], own, before))
            continue;
        advice.kind = ADVICE_YIELD;
        advice.rival = core->peers[i]->id;
        advice.winning = false;
        break;
    }
    return advice;
}

void core_review_advice(struct core *core)
{
    struct advice now[CLAIMS_MAXIMUM];
    for (size_t i = 0; i < core->claims.count; i++) {
        const struct advice *before = find_advice(core, &core->claims.items[i]);
        now[i] = advise(core, &core->claims.items[i]);
        core->has_news |= now[i].announce || !before || now[i].kind != before->kind ||
                          !uuid_equal(&now[i].rival, &before->rival);
    }
    memcpy(core->advice, now, core->claims.count * sizeof(now[0]));
    core->advice_count = core->claims.count;
}

/* A peer that came back, or whose state changed since it was last heard, may have had the
 * addresses meanwhile without this node knowing (a cut that has healed): neighbours that it
 * told so have to be told again. */
void core_compare_claims(struct core *core, const struct claims *old, const struct claims *now)
{
    uint64_t gap_us = now->at_us - old->at_us;
    bool silent = !old->at_us || gap_us > 2 * core_heartbeat_interval_us(core);
    for (size_t i = 0; i < core->advice_count; i++) {
        struct advice *advice = &core->advice[i];
        const struct vrrp_claim wanted = {.group_id = advice->group_id,
                                          .family = advice->family};
        const struct vrrp_claim *own = core_claim_for(&core->claims, &wanted);
        const struct vrrp_claim *theirs = core_claim_for(now, &wanted);
        bool changed = theirs && (silent || theirs->since_ms_ago * MS <= gap_us);
        if (own && own->state == VRRP_ACTIVE && changed) {
            advice->announce = true;
            core->has_news = true;
        }
    }
}

void core_tell_outlook(struct core *core, struct core_actions *actions)
{
    if (core->has_news)
        core_act(actions, CORE_OUTLOOK);
    core->has_news = false;
}

void core_take_outlook(struct core *core, const struct outlook_visitor *visitor)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        if (peer->in_session)
            visitor->vouched(visitor->context,
                             &(struct vouched_node){peer->id, peer->claims.sources.items,
                                                    peer->claims.sources.count});
    }
    for (size_t i = 0; i < core->advice_count; i++) {
        struct advice *advice = &core->advice[i];
        const struct vrrp_advice told = {
            .group_id = advice->group_id,
            .family = advice->family,
            .kind = advice->kind,
            .announce = advice->announce,
            .rival = advice->kind == ADVICE_YIELD ? core_node_name(core, &advice->rival) : "",
        };
        advice->announce = false;
        visitor->advice(visitor->context, &told);
    }
}
