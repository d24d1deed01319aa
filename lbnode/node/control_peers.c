/* Peers' verdicts: kept for the API, the best of each member handed to health; where nodes
 * differ about a member; and this node's rank in each vrrp group. */
#include "lbnode/node/control_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/model/health_reason.h"
#include "lbnode/model/rare_probes.h"
#include "lbnode/model/verdict_board.h"
#include "lbnode/node/health_rank.h"

#include <stdlib.h>
#include <string.h>

enum {
    REVIEW_MS = 500,
    RANKS_EVERY_MS = 250,
    HOLDS_DELAYS = 3,    /* so long a peer's verdict counts after it was last known to hold */
    ASYMMETRY_DELAYS = 5 /* nodes may differ for so long */
};

/* What is known about one slot besides the table. */
struct peers_slot {
    uint32_t incarnation;
    uint8_t told; /* enum verdict_state, to health; UNKNOWN: nothing */
    bool is_reported;
    uint64_t told_ms, differs_since_ms; /* 0: it does not */
};

struct peers_rank {
    struct uuid group;
    uint8_t rank;
    struct uuid active; /* the last peer that was; zero: none */
};

struct control_peers {
    struct control *control;
    struct loop_timer review_timer, rank_timer;
    struct peers_slot slots[MEMBER_SLOTS];
    struct peers_rank ranks[NODE_STATE_MAXIMUM_VRRP];
    size_t rank_count;
    struct message_imported_verdicts pending;
};

/* One member while it is looked at. */
struct subject {
    const struct effective *pool, *member;
    uint32_t number, incarnation;
    uint64_t delay_ms, now_ms;
    const struct peers_rank *rank; /* NULL: not known */
    struct peers_slot *slot;
    uint64_t word;
};

/* ---- to health ------------------------------------------------------------------------------
 */

static void flush(struct control_peers *peers)
{
    if (peers->pending.count > 0)
        control_send(peers->control, &peers->pending.header, NULL, 0);
    peers->pending = MESSAGE_OF(IMPORTED_VERDICTS, struct message_imported_verdicts);
}

static void tell(struct control_peers *peers,
                 const struct subject *subject,
                 uint8_t state,
                 uint64_t held_ms)
{
    peers->pending.verdicts[peers->pending.count++] = (struct imported_verdict){
        .member_slot = subject->number,
        .incarnation = subject->incarnation,
        .age_ms = held_ms > 0 ? (uint32_t)(subject->now_ms - held_ms) : 0,
        .state = state,
    };
    subject->slot->told = state;
    subject->slot->told_ms = subject->now_ms;
    if (peers->pending.count == IMPORTED_VERDICTS)
        flush(peers);
}

/* Health needs it again and again where its own verdict does not count. */
static bool is_wanted(const struct subject *subject)
{
    return verdict_word_is_rare(subject->word) || verdict_word_is_imported(subject->word) ||
           verdict_word_own(subject->word) == VERDICT_UNKNOWN;
}

static void hand_on(struct control_peers *peers, const struct subject *subject)
{
    uint64_t held_ms = 0;
    const struct uuid *active =
        subject->rank && !uuid_is_zero(&subject->rank->active) ? &subject->rank->active : NULL;
    const struct peer_verdict *best =
        peer_verdicts_best(peers->control->peer_verdicts, subject->number, subject->incarnation,
                           active, HOLDS_DELAYS * subject->delay_ms, subject->now_ms, &held_ms);
    uint8_t state = best ? best->state : VERDICT_UNKNOWN;
    bool again = best && is_wanted(subject) &&
                 subject->now_ms - subject->slot->told_ms >= subject->delay_ms;
    if (state != subject->slot->told || again)
        tell(peers, subject, state, held_ms);
}

/* ---- nodes that differ ----------------------------------------------------------------------
 */

static const char *node_name(const struct control *control, const struct uuid *id)
{
    const struct effective *node = configuration_find(control->configuration, id);
    return node ? node->resource->name : "?";
}

/* A peer that holds another view; -1: none. */
static int find_other_view(const struct control_peers *peers, const struct subject *subject)
{
    const struct peer_verdicts *table = peers->control->peer_verdicts;
    enum verdict_state own = verdict_word_own(subject->word);
    for (size_t i = 0; own != VERDICT_UNKNOWN && i < PEER_VERDICTS_PEERS; i++) {
        const struct peer_verdict *verdict =
            peer_verdicts_find(table, i, subject->number, subject->incarnation);
        if (verdict && verdict->state != VERDICT_UNKNOWN && verdict->state != own &&
            subject->now_ms - peer_verdicts_held_ms(table, i, verdict) <
                HOLDS_DELAYS * subject->delay_ms)
            return (int)i;
    }
    return -1;
}

static void report_difference(struct control_peers *peers, const struct subject *subject, int i)
{
    struct control *control = peers->control;
    const struct peer_verdicts *table = control->peer_verdicts;
    const struct peer_verdict *theirs =
        peer_verdicts_find(table, (size_t)i, subject->number, subject->incarnation);
    const struct verdict_slot *own = &control->context->verdicts->slots[subject->number];
    const struct health_monitor *monitor =
        configuration_monitor_of(control->configuration, &subject->pool->resource->id);
    const char *member = subject->member->resource->name;
    const char *pool = subject->pool->resource->name;
    const char *peer = node_name(control, peer_verdicts_peer(table, (size_t)i));
    char why[HEALTH_REASON_TEXT_SIZE];
    if (verdict_word_own(subject->word) == VERDICT_ERROR) {
        health_reason_text(why, atomic_load(&own->reason), atomic_load(&own->last_status),
                           monitor);
        control_event(control, EVENT_PATH_ASYMMETRY,
                      "member %.48s of pool %.48s: ERROR here (%.64s), ONLINE on %.48s", member,
                      pool, why, peer);
    } else {
        health_reason_text(why, theirs->reason, theirs->status, monitor);
        control_event(control, EVENT_PATH_ASYMMETRY,
                      "member %.48s of pool %.48s: ONLINE here, ERROR on %.48s (%.64s)", member,
                      pool, peer, why);
    }
}

/* A node that probes rarely notices late. */
static uint64_t patience_ms(const struct subject *subject)
{
    bool is_rare = verdict_word_is_rare(subject->word);
    return ASYMMETRY_DELAYS * subject->delay_ms +
           (is_rare ? rare_delay_ms(subject->delay_ms) : 0);
}

static void compare(struct control_peers *peers, const struct subject *subject)
{
    struct peers_slot *slot = subject->slot;
    int other = find_other_view(peers, subject);
    if (other >= 0) {
        if (slot->differs_since_ms == 0)
            slot->differs_since_ms = subject->now_ms;
        if (!slot->is_reported &&
            subject->now_ms - slot->differs_since_ms >= patience_ms(subject)) {
            slot->is_reported = true;
            report_difference(peers, subject, other);
        }
        return;
    }
    slot->differs_since_ms = 0;
    if (slot->is_reported)
        control_event(peers->control, EVENT_PATH_SYMMETRY,
                      "member %.64s of pool %.64s: all nodes agree again",
                      subject->member->resource->name, subject->pool->resource->name);
    slot->is_reported = false;
}

/* ---- all members ----------------------------------------------------------------------------
 */

static const struct peers_rank *rank_of(const struct control_peers *peers,
                                        const struct effective *pool)
{
    const struct configuration *configuration = peers->control->configuration;
    const struct effective *owner = configuration_find(configuration, &pool->resource->owner);
    const struct vrrp_group *group =
        owner && owner->resource->type == RESOURCE_LOAD_BALANCER
            ? configuration_group_of(configuration,
                                     (const struct load_balancer *)owner->resource)
            : NULL;
    for (size_t i = 0; group && i < peers->rank_count; i++)
        if (uuid_equal(&peers->ranks[i].group, &group->resource.id))
            return &peers->ranks[i];
    return NULL;
}

/* False: it is not monitored. */
static bool
find_subject(struct control_peers *peers, const struct uuid *member_id, struct subject *out)
{
    const struct control *control = peers->control;
    out->member = configuration_find(control->configuration, member_id);
    out->pool = out->member
                    ? configuration_find(control->configuration, &out->member->resource->owner)
                    : NULL;
    const struct health_monitor *monitor =
        out->pool ? configuration_monitor_of(control->configuration, &out->pool->resource->id)
                  : NULL;
    if (!monitor ||
        !slot_map_find(control->slots, member_id, &out->number, &out->incarnation) ||
        out->number >= MEMBER_SLOTS)
        return false;
    out->delay_ms = (uint64_t)monitor->delay * 1000;
    out->now_ms = loop_now_ms(control->loop);
    out->word = atomic_load(&control->context->verdicts->slots[out->number].word);
    if ((uint32_t)(out->word >> 32) != out->incarnation)
        out->word = 0;
    out->slot = &peers->slots[out->number];
    if (out->slot->incarnation != out->incarnation)
        *out->slot = (struct peers_slot){.incarnation = out->incarnation};
    return true;
}

static void confirm(void *context, const struct peer_view *peer)
{
    struct control_peers *peers = context;
    uint64_t now_ms = loop_now_ms(peers->control->loop);
    if (peer->verdicts_ms_ago < now_ms)
        peer_verdicts_confirm(peers->control->peer_verdicts, &peer->node_id,
                              now_ms - peer->verdicts_ms_ago);
}

static void forget_strangers(const struct control *control)
{
    struct peer_verdicts *table = control->peer_verdicts;
    for (size_t i = 0; i < PEER_VERDICTS_PEERS; i++) {
        const struct uuid *id = peer_verdicts_peer(table, i);
        const struct effective *node =
            id ? configuration_find(control->configuration, id) : NULL;
        if (id && (!node || node->resource->type != RESOURCE_NODE ||
                   ((const struct node *)node->resource)->status != NODE_ACTIVE))
            peer_verdicts_forget(table, id);
    }
}

static bool has_peers(const struct control *control)
{
    for (size_t i = 0; i < PEER_VERDICTS_PEERS; i++)
        if (peer_verdicts_peer(control->peer_verdicts, i))
            return true;
    return false;
}

static void review(struct loop_timer *timer)
{
    struct control_peers *peers = CONTAINER_OF(timer, struct control_peers, review_timer);
    struct control *control = peers->control;
    loop_timer_start(control->loop, timer, REVIEW_MS, review);
    if (!control->configuration || !control->replication || !has_peers(control))
        return;
    forget_strangers(control);
    replication_visit_peers(control->replication, confirm, peers);
    const struct effective *pool, *member;
    for (size_t i = 0; (pool = configuration_at(control->configuration, RESOURCE_POOL, i));
         i++) {
        const struct peers_rank *rank = rank_of(peers, pool);
        for (size_t j = 0;
             (member = configuration_child(control->configuration, &pool->resource->id,
                                           RESOURCE_MEMBER, j));
             j++) {
            struct subject subject = {.rank = rank};
            if (!find_subject(peers, &member->resource->id, &subject))
                continue;
            hand_on(peers, &subject);
            compare(peers, &subject);
        }
    }
    flush(peers);
}

void peers_take_verdict(struct control *control,
                        const struct uuid *author,
                        const struct uuid *member_id,
                        const struct shared_verdict *verdict)
{
    struct control_peers *peers = control->peers;
    struct subject subject = {0};
    if (!control->configuration || !find_subject(peers, member_id, &subject) ||
        !peer_verdicts_put(control->peer_verdicts, author, subject.number, subject.incarnation,
                           verdict, subject.now_ms))
        return;
    subject.rank = rank_of(peers, subject.pool);
    hand_on(peers, &subject);
    flush(peers);
}

void peers_health_started(struct control *control)
{
    for (size_t i = 0; control->peers && i < MEMBER_SLOTS; i++)
        control->peers->slots[i].told = VERDICT_UNKNOWN;
}

/* ---- ranks ----------------------------------------------------------------------------------
 */

struct rank_view {
    struct rank_candidate own, peers[PEER_VERDICTS_PEERS];
    size_t count;
    struct uuid active;
};

static void add_peers(const struct control *control,
                      const struct message_vrrp_status *status,
                      struct rank_view *view)
{
    const struct effective *object;
    struct vrrp_claim claim;
    for (size_t i = 0; view->count < ARRAY_LENGTH(view->peers) &&
                       (object = configuration_at(control->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        if (node->status != NODE_ACTIVE ||
            !replication_find_claim(control->replication, &node->resource.id, &status->group_id,
                                    status->family, &claim))
            continue;
        view->peers[view->count++] = (struct rank_candidate){
            .state = claim.state,
            .priority = claim.priority,
            .is_fit = claim.hindrance == HINDRANCE_IS_NONE && !node->drain,
            .address = claim.source,
        };
        if (claim.state == VRRP_ACTIVE)
            view->active = node->resource.id;
    }
}

static enum health_rank judge(const struct control *control,
                              const struct message_vrrp_status *status,
                              struct uuid *out_active)
{
    struct rank_view view = {.own = {.state = status->state,
                                     .priority = status->priority,
                                     .is_fit = status->hindrance == HINDRANCE_IS_NONE,
                                     .address = status->own_address}};
    add_peers(control, status, &view);
    *out_active = view.active;
    return health_rank_find(&view.own, view.peers, view.count);
}

static struct peers_rank *rank_place(struct control_peers *peers, const struct uuid *group)
{
    for (size_t i = 0; i < peers->rank_count; i++)
        if (uuid_equal(&peers->ranks[i].group, group))
            return &peers->ranks[i];
    if (peers->rank_count == ARRAY_LENGTH(peers->ranks))
        return NULL;
    struct peers_rank *place = &peers->ranks[peers->rank_count++];
    *place = (struct peers_rank){.group = *group, .rank = UINT8_MAX};
    return place;
}

/* The best rank of both families counts. */
static void rank_group(struct control_peers *peers, const struct uuid *group)
{
    const struct control *control = peers->control;
    struct peers_rank *place = rank_place(peers, group);
    enum health_rank best = HEALTH_RANK_OTHER;
    for (size_t i = 0; place && i < control->state->vrrp_count; i++) {
        const struct message_vrrp_status *status = &control->state->vrrp[i];
        struct uuid active;
        if (!uuid_equal(&status->group_id, group))
            continue;
        enum health_rank rank = judge(control, status, &active);
        best = rank < best ? rank : best;
        if (!uuid_is_zero(&active))
            place->active = active;
    }
    if (!place || place->rank == best)
        return;
    struct message_health_rank message = MESSAGE_OF(HEALTH_RANK, struct message_health_rank);
    message.group_id = *group;
    message.rank = place->rank = (uint8_t)best;
    control_send(peers->control, &message.header, NULL, 0);
}

void peers_rank(struct control *control)
{
    const struct node_state *state = control->state;
    if (!control->configuration || !control->replication)
        return;
    for (size_t i = 0; i < state->vrrp_count; i++)
        rank_group(control->peers, &state->vrrp[i].group_id);
}

static void rank_again(struct loop_timer *timer)
{
    struct control_peers *peers = CONTAINER_OF(timer, struct control_peers, rank_timer);
    peers_rank(peers->control);
    loop_timer_start(peers->control->loop, timer, RANKS_EVERY_MS, rank_again);
}

/* ---- start and end --------------------------------------------------------------------------
 */

bool peers_start(struct control *control)
{
    control->peers = calloc(1, sizeof(*control->peers));
    control->peer_verdicts = peer_verdicts_new();
    if (!control->peers || !control->peer_verdicts)
        return false;
    control->peers->control = control;
    flush(control->peers);
    loop_timer_start(control->loop, &control->peers->review_timer, REVIEW_MS, review);
    loop_timer_start(control->loop, &control->peers->rank_timer, RANKS_EVERY_MS, rank_again);
    return true;
}

void peers_free(struct control *control)
{
    if (!control->peers)
        return;
    loop_timer_stop(&control->peers->review_timer);
    loop_timer_stop(&control->peers->rank_timer);
    peer_verdicts_free(control->peer_verdicts);
    control->peer_verdicts = NULL;
    free(control->peers);
    control->peers = NULL;
}
