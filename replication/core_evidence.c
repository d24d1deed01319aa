/* Who hears whom, and what follows from it (replication.md 10). Each heartbeat says which nodes
 * its sender hears and which VRRP groups it is active for; laid side by side they tell a cut
 * link from a dead node, and two owners of an address from one. Facts only: nothing here
 * changes the state. */
#include "replication/core_internal.h"

#include "lbnode/model/hindrance.h"
#include "lbnode/model/message.h"

#include <stdio.h>
#include <string.h>

enum {
    SUSPECT_INTERVALS = 5,
    FRESH_INTERVALS = 2,
    ACTIVE_ADVERTS = 2, /* how long a claim must stand to count */
    TOLD_MS = 2500,     /* elections repeat their state each second */
    VACANT_ADVERTS = 3,
    FIRST_ELECTION_MS = 1500 /* a node listens for a second before it serves */
};

/* ---- the part of a heartbeat ------------------------------------------------------------ */

/* Bits stand for the active nodes in order of their ids; the digest tells which ones. */
static unsigned rank_of(const struct core *core, const struct uuid *id)
{
    unsigned rank = 0;
    for (size_t i = 0; i < core->roster.count; i++) {
        const struct roster_node *node = &core->roster.nodes[i];
        if (uuid_equal(&node->id, id))
            return rank;
        rank += node->status == NODE_ACTIVE;
    }
    return ROSTER_ACTIVE_MAXIMUM;
}

static uint32_t roster_digest(const struct core *core)
{
    uint8_t ids[ROSTER_ACTIVE_MAXIMUM * 16], digest[8];
    size_t count = 0;
    for (size_t i = 0; i < core->roster.count && count < ROSTER_ACTIVE_MAXIMUM; i++)
        if (core->roster.nodes[i].status == NODE_ACTIVE)
            memcpy(ids + 16 * count++, core->roster.nodes[i].id.bytes, 16);
    hash_make((struct bytes){0}, &(struct bytes){ids, 16 * count}, 1, digest, sizeof(digest));
    return load_be32(digest);
}

static bool is_heard(const struct core *core, const struct peer *peer)
{
    uint64_t limit = SUSPECT_INTERVALS * core_heartbeat_interval_us(core);
    return peer->heard && core->now.mono_us - peer->last_heard_us <= limit;
}

/* From 1; 0: not in the list. */
static size_t source_number(const struct advert_sources *sources,
                            const struct ip_address *address)
{
    size_t i = 0;
    while (i < sources->count && !ip_address_equal(&sources->items[i], address))
        i++;
    return i < sources->count ? i + 1 : 0;
}

/* Both families of a group follow one another: its id is said once. */
static void put_claim(const struct core *core,
                      struct wire_writer *body,
                      const struct vrrp_claim *claim,
                      const struct vrrp_claim *before)
{
    size_t source = source_number(&core->claims.sources, &claim->source);
    size_t mark = wire_begin(body, 10);
    if (!before || !uuid_equal(&claim->group_id, &before->group_id))
        wire_put_bytes(body, 1, (struct bytes){claim->group_id.bytes, 16});
    wire_put_varint(body, 2, claim->family);
    wire_put_varint(body, 3, claim->vrid);
    wire_put_varint(body, 4, claim->state);
    wire_put_varint(body, 5, claim->priority);
    wire_put_varint(body, 6,
                    claim->since_ms_ago + (core->now.mono_us - core->claims.at_us) / MS);
    wire_put_varint(body, 7, claim->advert_ms);
    if (claim->hindrance)
        wire_put_varint(body, 8, claim->hindrance);
    if (source > 0)
        wire_put_varint(body, 9, source);
    wire_put_varint(body, 10,
                    claim->told_ms_ago + (core->now.mono_us - core->claims.at_us) / MS);
    wire_end(body, mark);
}

bool core_is_missed_by_all(const struct core *core)
{
    bool missed = false;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        if (!core_peer_is_alive(peer) || !peer->hears_known)
            continue;
        if (!peer->misses_us_since_us)
            return false;
        missed = true;
    }
    return missed;
}

void core_put_liveness(const struct core *core, struct wire_writer *body)
{
    uint64_t hears = 0;
    for (size_t i = 0; i < core->peer_count; i++) {
        unsigned rank = rank_of(core, &core->peers[i]->id);
        if (rank < 64 && is_heard(core, core->peers[i]))
            hears |= 1ull << rank;
    }
    wire_put_varint(body, 8, hears);
    wire_put_varint(body, 9, roster_digest(core));
    const struct vrrp_claim *claims = core->claims.items;
    for (size_t i = 0; i < core->claims.count; i++)
        put_claim(core, body, &claims[i], i > 0 ? &claims[i - 1] : NULL);
    for (size_t i = 0; i < core->claims.sources.count; i++) {
        const struct ip_address *source = &core->claims.sources.items[i];
        wire_put_bytes(body, 11, (struct bytes){source->bytes, ip_address_size(source)});
    }
    if (core_is_missed_by_all(core))
        wire_put_varint(body, 12, 1);
}

/* A greater age says no more, and sums with it stay in range. */
static uint64_t bounded_age_ms(uint64_t age_ms)
{
    const uint64_t most_ms = 1ull << 40; /* 34 years */
    return age_ms < most_ms ? age_ms : most_ms;
}

/* BEFORE: the claim before it in the heartbeat, NULL when it is the first one or that could not
 * be read. The number of the source is kept in the address until all sources are known. */
static bool
parse_claim(struct bytes in, const struct vrrp_claim *before, struct vrrp_claim *out)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    bool has_group = before != NULL;
    *out = (struct vrrp_claim){0};
    if (before)
        out->group_id = before->group_id;
    while (wire_next(&reader, &field)) {
        switch (field.number) {
        case 1:
            if (field.type != WIRE_BYTES || field.bytes.size != 16)
                return false;
            memcpy(out->group_id.bytes, field.bytes.data, 16);
            has_group = true;
            break;
        case 2: out->family = (uint8_t)field.integer; break;
        case 3: out->vrid = (uint8_t)field.integer; break;
        case 4: out->state = (uint8_t)field.integer; break;
        case 5: out->priority = (uint8_t)field.integer; break;
        case 6: out->since_ms_ago = bounded_age_ms(field.integer); break;
        case 7: out->advert_ms = (uint32_t)field.integer; break;
        case 8: out->hindrance = (uint8_t)field.integer; break;
        case 9: out->source.bytes[0] = (uint8_t)field.integer; break;
        case 10: out->told_ms_ago = bounded_age_ms(field.integer); break;
        }
    }
    return wire_ended(&reader) && has_group;
}

/* Nobody can send from other kinds of addresses. */
static bool is_source(const struct ip_address *address)
{
    return address->family == 4 ? address->bytes[0] != 0 && address->bytes[0] < 224 &&
                                      !ip_address_is_loopback(address)
                                : ip_address_is_link_local(address);
}

static void take_claim(struct claims *claims, struct bytes in, bool *follows)
{
    if (claims->count == CLAIMS_MAXIMUM)
        return;
    struct vrrp_claim *claim = &claims->items[claims->count];
    *follows = parse_claim(in, *follows ? claim - 1 : NULL, claim);
    claims->count += *follows;
}

static void take_source(struct advert_sources *sources, struct bytes bytes)
{
    struct ip_address address = {.family = bytes.size == 4 ? 4 : 6};
    if ((bytes.size != 4 && bytes.size != 16) || sources->count == VRRP_SOURCES_MAXIMUM)
        return;
    memcpy(address.bytes, bytes.data, bytes.size);
    if (is_source(&address))
        sources->items[sources->count++] = address;
}

static void resolve_sources(struct claims *claims, const struct advert_sources *listed)
{
    for (size_t i = 0; i < claims->count; i++) {
        struct ip_address *source = &claims->items[i].source;
        size_t number = source->bytes[0];
        *source = number > 0 && number <= listed->count ? listed->items[number - 1]
                                                        : (struct ip_address){0};
    }
}

/* A node that says nothing of its sources has not found out yet: what it said before stays. */
static void take_claims(struct core *core, struct peer *peer, struct claims *claims)
{
    const struct advert_sources *before = &peer->claims.sources;
    resolve_sources(claims, &claims->sources);
    if (claims->sources.count == 0)
        claims->sources = *before;
    core->has_news |= claims->sources.count != before->count ||
                      memcmp(claims->sources.items, before->items,
                             before->count * sizeof(before->items[0])) != 0;
    core_compare_claims(core, &peer->claims, claims);
    peer->claims = *claims;
}

void core_take_liveness(struct core *core, struct peer *peer, struct bytes body)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    struct claims claims = {.at_us = core->now.mono_us};
    uint64_t hears = 0, digest = UINT64_MAX, unheard = 0;
    bool follows = false;
    while (wire_next(&reader, &field)) {
        if (field.number == 8 && field.type == WIRE_VARINT)
            hears = field.integer;
        else if (field.number == 9 && field.type == WIRE_VARINT)
            digest = field.integer;
        else if (field.number == 10 && field.type == WIRE_BYTES)
            take_claim(&claims, field.bytes, &follows);
        else if (field.number == 11 && field.type == WIRE_BYTES)
            take_source(&claims.sources, field.bytes);
        else if (field.number == 12 && field.type == WIRE_VARINT)
            unheard = field.integer;
    }
    take_claims(core, peer, &claims);
    peer->hears_known = digest == roster_digest(core);
    peer->hears = hears;
    peer->unheard = unheard == 1;
    unsigned rank = rank_of(core, &core->node_id);
    bool misses_us = peer->hears_known && rank < 64 && !(hears >> rank & 1);
    if (!misses_us)
        peer->misses_us_since_us = 0;
    else if (!peer->misses_us_since_us)
        peer->misses_us_since_us = core->now.mono_us;
}

static bool is_stopping(const struct claims *claims)
{
    for (size_t i = 0; i < claims->count; i++)
        if (claims->items[i].hindrance == HINDRANCE_IS_STOPPING)
            return true;
    return false;
}

void core_set_claims(struct core *core, const struct vrrp_claim *claims, size_t count)
{
    bool was_stopping = is_stopping(&core->claims);
    core->claims.at_us = core->now.mono_us;
    core->claims.count = count < CLAIMS_MAXIMUM ? count : CLAIMS_MAXIMUM;
    for (size_t i = 0; i < core->claims.count; i++)
        core->claims.items[i] = claims[i];
    core->claims.sources.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct advert_sources *sources = &core->claims.sources;
        if (claims[i].source.family && !source_number(sources, &claims[i].source) &&
            sources->count < VRRP_SOURCES_MAXIMUM)
            sources->items[sources->count++] = claims[i].source;
    }
    /* There is no later heartbeat that could say it. */
    for (size_t i = 0; is_stopping(&core->claims) && !was_stopping && i < core->peer_count; i++)
        core->peers[i]->next_heartbeat_us = core->now.mono_us;
}

/* ---- facts ------------------------------------------------------------------------------ */

bool core_claims_are_fresh(const struct core *core, const struct peer *peer)
{
    uint64_t limit = FRESH_INTERVALS * core_heartbeat_interval_us(core);
    return core_peer_is_alive(peer) && core->now.mono_us - peer->claims.at_us <= limit;
}

bool core_peer_hears(const struct core *core, const struct peer *peer, const struct uuid *whom)
{
    unsigned rank = rank_of(core, whom);
    return peer->hears_known && rank < 64 && (peer->hears >> rank & 1);
}

static bool is_same(const struct evidence *a, const struct evidence *b)
{
    return a->kind == b->kind && a->family == b->family &&
           uuid_equal(&a->node_id, &b->node_id) && uuid_equal(&a->other_id, &b->other_id) &&
           uuid_equal(&a->group_id, &b->group_id);
}

static void conclude(struct core *core, struct facts *found, const struct evidence *fact)
{
    if (found->count == FACTS_MAXIMUM)
        return;
    struct fact *at = &found->items[found->count++];
    *at = (struct fact){.evidence = *fact, .since_us = core->now.mono_us};
    for (size_t i = 0; i < core->facts.count; i++)
        if (is_same(&core->facts.items[i].evidence, fact)) {
            at->since_us = core->facts.items[i].since_us;
            at->reported = core->facts.items[i].reported;
        }
}

/* E1: somebody else hears a node that this one does not. */
static void find_cut_links(struct core *core, struct facts *found)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *lost = core->peers[i];
        for (size_t k = 0; k < core->peer_count && !core_peer_is_alive(lost); k++) {
            const struct peer *witness = core->peers[k];
            if (witness == lost || !core_claims_are_fresh(core, witness) ||
                !core_peer_hears(core, witness, &lost->id))
                continue;
            struct evidence fact = {
                .kind = EVIDENCE_LINK_DOWN, .node_id = core->node_id, .other_id = lost->id};
            snprintf(fact.text, sizeof(fact.text),
                     "the link to %.48s is down: %.48s hears it, this node does not",
                     core_node_name(core, &lost->id), core_node_name(core, &witness->id));
            conclude(core, found, &fact);
            break;
        }
    }
}

/* E2, E3: others do not hear this node although it hears them; all of them, or some. */
static void find_deaf_peers(struct core *core, struct facts *found)
{
    uint64_t patience = SUSPECT_INTERVALS * core_heartbeat_interval_us(core);
    size_t fresh = 0, deaf = 0;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        if (!core_claims_are_fresh(core, peer) || !peer->hears_known)
            continue;
        fresh++;
        if (!peer->misses_us_since_us ||
            core->now.mono_us - peer->misses_us_since_us <= patience)
            continue;
        deaf++;
        struct evidence fact = {
            .kind = EVIDENCE_ONE_WAY, .node_id = core->node_id, .other_id = peer->id};
        snprintf(fact.text, sizeof(fact.text), "%.48s does not hear this node, which hears it",
                 core_node_name(core, &peer->id));
        conclude(core, found, &fact);
    }
    if (deaf == 0 || deaf < fresh)
        return;
    struct evidence fact = {.kind = EVIDENCE_TRANSMIT_DEAD, .node_id = core->node_id};
    snprintf(fact.text, sizeof(fact.text),
             "none of the %zu node%s that this node hears hears it: what it sends is lost",
             deaf, deaf == 1 ? "" : "s");
    conclude(core, found, &fact);
}

const struct vrrp_claim *core_claim_for(const struct claims *claims,
                                        const struct vrrp_claim *wanted)
{
    for (size_t i = 0; i < claims->count; i++)
        if (claims->items[i].family == wanted->family &&
            uuid_equal(&claims->items[i].group_id, &wanted->group_id))
            return &claims->items[i];
    return NULL;
}

bool core_claim_is_active(const struct core *core,
                          const struct claims *claims,
                          const struct vrrp_claim *claim)
{
    uint64_t since_us = core->now.mono_us - claims->at_us;
    return claim->state == VRRP_ACTIVE && claim->told_ms_ago + since_us / MS <= TOLD_MS &&
           claim->since_ms_ago + since_us / MS > ACTIVE_ADVERTS * (uint64_t)claim->advert_ms;
}

/* A rival whose election hangs still claims what it said last. It has to say so again after
 * this node became active, or the only one that serves would give way to nobody. */
static bool was_told_since(const struct core *core,
                           const struct peer *peer,
                           const struct vrrp_claim *theirs,
                           const struct vrrp_claim *own)
{
    uint64_t told_ms = theirs->told_ms_ago + (core->now.mono_us - peer->claims.at_us) / MS;
    return told_ms < own->since_ms_ago + (core->now.mono_us - core->claims.at_us) / MS;
}

/* E4 as this node is part of it: vrrp decides who gives way. */
static void find_rivals(struct core *core, struct facts *found, const struct vrrp_claim *own)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        const struct vrrp_claim *theirs = core_claim_for(&peer->claims, own);
        if (!theirs || !core_claims_are_fresh(core, peer) ||
            !core_claim_is_active(core, &core->claims, own) ||
            !core_claim_is_active(core, &peer->claims, theirs) ||
            !was_told_since(core, peer, theirs, own))
            continue;
        struct evidence fact = {
            .kind = EVIDENCE_DUAL_ACTIVE,
            .node_id = core->node_id,
            .other_id = peer->id,
            .group_id = own->group_id,
            .family = own->family,
            .other_priority = theirs->priority,
        };
        snprintf(fact.text, sizeof(fact.text),
                 "this node and %.48s are both active for virtual router %u (IPv%u)",
                 core_node_name(core, &peer->id), own->vrid, own->family);
        conclude(core, found, &fact);
    }
}

/* E5: all nodes answer, and none of those that could be is active. */
static bool is_vacant(const struct core *core, const struct vrrp_claim *own)
{
    if (own->state != VRRP_BACKUP)
        return false;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        const struct vrrp_claim *theirs = core_claim_for(&peer->claims, own);
        if (!core_claims_are_fresh(core, peer) || (theirs && theirs->state == VRRP_ACTIVE))
            return false;
    }
    return true;
}

static void find_vacancy(struct core *core, struct facts *found, const struct vrrp_claim *own)
{
    struct evidence fact = {
        .kind = EVIDENCE_NO_ACTIVE, .group_id = own->group_id, .family = own->family};
    if (!is_vacant(core, own))
        return;
    snprintf(fact.text, sizeof(fact.text),
             "all nodes answer, and none is active for virtual router %u (IPv%u)", own->vrid,
             own->family);
    conclude(core, found, &fact);
}

/* E6: from here a dead peer and a cut link look the same. */
static void find_isolation(struct core *core, struct facts *found)
{
    struct evidence fact = {.kind = EVIDENCE_ISOLATED, .node_id = core->node_id};
    for (size_t i = 0; i < core->peer_count; i++)
        if (core_peer_is_alive(core->peers[i]))
            return;
    if (core->peer_count == 0)
        return;
    snprintf(fact.text, sizeof(fact.text),
             "no other node answers; whether they or the network are down cannot be told from "
             "here");
    conclude(core, found, &fact);
}

/* ---- over time -------------------------------------------------------------------------- */

/* What peers claim is as old as their last heartbeat: after a planned switch the old owner's
 * says "active" a little longer, and before a group's first election nobody's does. */
static uint64_t patience_us(const struct core *core, const struct evidence *fact)
{
    uint64_t heard_us = FRESH_INTERVALS * core_heartbeat_interval_us(core), vacant_us = 0;
    if (fact->kind == EVIDENCE_DUAL_ACTIVE)
        return heard_us;
    if (fact->kind != EVIDENCE_NO_ACTIVE)
        return 0;
    for (size_t i = 0; i < core->claims.count; i++)
        if (uuid_equal(&core->claims.items[i].group_id, &fact->group_id))
            vacant_us = VACANT_ADVERTS * core->claims.items[i].advert_ms * MS;
    if (vacant_us < FIRST_ELECTION_MS * MS)
        vacant_us = FIRST_ELECTION_MS * MS;
    return vacant_us + heard_us;
}

static void report(struct core *core, struct fact *fact, struct core_actions *actions)
{
    static const int codes[] = {
        [EVIDENCE_LINK_DOWN] = EVENT_LINK_DOWN,
        [EVIDENCE_ONE_WAY] = EVENT_ONE_WAY,
        [EVIDENCE_TRANSMIT_DEAD] = EVENT_TRANSMIT_DEAD,
        [EVIDENCE_DUAL_ACTIVE] = EVENT_DUAL_ACTIVE,
        [EVIDENCE_NO_ACTIVE] = EVENT_NO_ACTIVE,
        [EVIDENCE_ISOLATED] = -1, /* PEER_UNREACHABLE said so for each */
    };
    if (fact->reported ||
        core->now.mono_us - fact->since_us < patience_us(core, &fact->evidence))
        return;
    fact->reported = true;
    if (codes[fact->evidence.kind] >= 0)
        core_act_event(actions, (enum event_code)codes[fact->evidence.kind], "%s",
                       fact->evidence.text);
}

void core_review_evidence(struct core *core, struct core_actions *actions)
{
    struct facts found; /* large, and mostly empty */
    found.count = 0;
    find_cut_links(core, &found);
    find_deaf_peers(core, &found);
    for (size_t i = 0; i < core->claims.count; i++) {
        find_rivals(core, &found, &core->claims.items[i]);
        find_vacancy(core, &found, &core->claims.items[i]);
    }
    find_isolation(core, &found);
    for (size_t i = 0; i < found.count; i++)
        report(core, &found.items[i], actions);
    memcpy(core->facts.items, found.items, found.count * sizeof(found.items[0]));
    core->facts.count = found.count;
    core_review_advice(core);
    core_tell_outlook(core, actions);
}

void core_visit_evidence(const struct core *core,
                         struct core_now now,
                         void (*visit)(void *context, const struct evidence *evidence),
                         void *context)
{
    for (size_t i = 0; i < core->facts.count; i++) {
        const struct fact *fact = &core->facts.items[i];
        struct evidence evidence = fact->evidence;
        if (!fact->reported)
            continue;
        evidence.since_ms_ago = (now.mono_us - fact->since_us) / MS;
        visit(context, &evidence);
    }
}

bool core_find_owner(const struct core *core,
                     const struct uuid *group_id,
                     uint8_t family,
                     struct uuid *out)
{
    const struct vrrp_claim wanted = {.group_id = *group_id, .family = family};
    const struct vrrp_claim *newest = NULL;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        const struct vrrp_claim *theirs = core_claim_for(&peer->claims, &wanted);
        if (!theirs || !core_claims_are_fresh(core, peer) || theirs->state != VRRP_ACTIVE ||
            (newest && newest->since_ms_ago <= theirs->since_ms_ago))
            continue;
        newest = theirs;
        *out = peer->id;
    }
    return newest != NULL;
}

bool core_find_claim(const struct core *core,
                     const struct uuid *node_id,
                     const struct vrrp_claim *wanted,
                     struct vrrp_claim *out)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        const struct vrrp_claim *theirs = core_claim_for(&peer->claims, wanted);
        if (!uuid_equal(&peer->id, node_id) || !theirs || peer->state != PEER_IS_ALIVE)
            continue;
        *out = *theirs;
        return true;
    }
    return false;
}
