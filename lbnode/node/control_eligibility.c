/* Whether this node should be active, as far as only control knows: is its configuration the
 * cluster's, does it know the members' state; and giving addresses away to a node that nothing
 * speaks against. An active node gives nothing away for want of these two (replication.md 7.5).
 */
#include "lbnode/node/control_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"

#include <stdio.h>
#include <string.h>

enum {
    LOOK_MS = 100,
    WARM_AFTER_MS = 2000,
    FIT_MAXIMUM = 64, /* as many active nodes a roster has */
    ANSWER_MINIMUM_MS = 1000,
    ANSWER_INTERVALS = 4, /* of adverts */
};

/* ---- what speaks against this node ----------------------------------------------------------
 */

static void say(struct control *control, enum hindrance kind, bool holds, const char *text)
{
    struct message_hindrance word = MESSAGE_OF(HINDRANCE, struct message_hindrance);
    word.kind = (uint8_t)kind;
    word.holds = holds;
    snprintf(word.text, sizeof(word.text), "%s", text);
    control_send(control, &word.header, NULL, 0);
}

struct comparison {
    size_t peers, alive, in_sync;
};

static void compare(void *context, const struct peer_view *peer)
{
    struct comparison *comparison = context;
    bool alive = peer->state == PEER_IS_ALIVE;
    comparison->peers++;
    comparison->alive += alive;
    comparison->in_sync += alive && peer->in_sync;
}

/* Once in sync it stays so: what comes later is replicated as it happens. */
static bool look_at_sync(struct control *control)
{
    struct comparison comparison = {0};
    replication_visit_peers(control->replication, compare, &comparison);
    if (comparison.peers == 0 || (comparison.alive && comparison.in_sync == comparison.alive)) {
        say(control, HINDRANCE_IS_UNSYNCED, false, "");
        return true;
    }
    say(control, HINDRANCE_IS_UNSYNCED, true,
        comparison.alive ? "unsynced: it is still fetching changes from another node"
                         : "unsynced: no other node has answered since this one started");
    return false;
}

static bool has_verdict(const struct control *control, const struct effective *member)
{
    uint32_t slot, incarnation;
    if (!configuration_monitor_of(control->configuration, &member->resource->owner) ||
        !member->effective || !member->resource->admin_state_up)
        return true;
    return slot_map_find(control->slots, &member->resource->id, &slot, &incarnation) &&
           slot < MEMBER_SLOTS &&
           verdict_board_state(control->context->verdicts, slot, incarnation) !=
               VERDICT_UNKNOWN;
}

static bool look_at_members(struct control *control)
{
    const struct effective *member;
    bool warm = loop_now_ms(control->loop) - control->started_ms >= WARM_AFTER_MS;
    bool all = true;
    for (size_t i = 0; !warm && all &&
                       (member = configuration_at(control->configuration, RESOURCE_MEMBER, i));
         i++)
        all = has_verdict(control, member);
    warm = warm || all;
    say(control, HINDRANCE_IS_COLD, !warm, warm ? "" : "cold: it is still probing the members");
    return warm;
}

static void look(struct loop_timer *timer)
{
    struct control *control = CONTAINER_OF(timer, struct control, eligible_timer);
    control->is_synced = control->is_synced || look_at_sync(control);
    control->is_warm = control->is_warm || look_at_members(control);
    if (!control->is_synced || !control->is_warm)
        loop_timer_start(control->loop, timer, LOOK_MS, look);
}

void eligibility_start(struct control *control)
{
    control->started_ms = loop_now_ms(control->loop);
    look(&control->eligible_timer);
}

void eligibility_stop(struct control *control)
{
    loop_timer_stop(&control->eligible_timer);
}

/* ---- giving way -----------------------------------------------------------------------------
 */

/* The nodes that are backup for the group without anything that speaks against them. */
static size_t find_fit(const struct control *control,
                       const struct message_vrrp_status *status,
                       struct uuid out[FIT_MAXIMUM])
{
    const struct effective *object;
    struct vrrp_claim claim;
    size_t count = 0;
    for (size_t i = 0; count < FIT_MAXIMUM &&
                       (object = configuration_at(control->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        if (node->status != NODE_ACTIVE || node->drain ||
            !replication_find_claim(control->replication, &node->resource.id, &status->group_id,
                                    status->family, &claim))
            continue;
        if (claim.state == VRRP_BACKUP && claim.hindrance == HINDRANCE_IS_NONE)
            out[count++] = node->resource.id;
    }
    return count;
}

/* So long the one that was asked has time: it takes over within a few adverts, or not at all,
 * and this node hears of that in its next status at the latest. */
static uint32_t answer_ms(const struct control *control, const struct uuid *group_id)
{
    const struct effective *object = configuration_find(control->configuration, group_id);
    if (!object || object->resource->type != RESOURCE_VRRP_GROUP)
        return ANSWER_MINIMUM_MS;
    const struct vrrp_group *group = (const void *)object->resource;
    int64_t whole_ms = ANSWER_INTERVALS * group->advert_interval_ms;
    return whole_ms > ANSWER_MINIMUM_MS ? (uint32_t)whole_ms : ANSWER_MINIMUM_MS;
}

static void
offer(struct control *control, const struct uuid *group_id, const struct uuid *to, bool again)
{
    struct message_vrrp_hand_over message =
        MESSAGE_OF(VRRP_HAND_OVER, struct message_vrrp_hand_over);
    message.group_id = *group_id;
    message.node_id = *to;
    message.again = again;
    control_send(control, &message.header, NULL, 0);
}

void eligibility_review(struct control *control,
                        const struct message_vrrp_status *status,
                        struct offer_round *round)
{
    struct uuid fit[FIT_MAXIMUM];
    bool yields = status->state == VRRP_ACTIVE && status->hindrance != HINDRANCE_IS_NONE &&
                  status->hindrance != HINDRANCE_IS_DRAINED && /* vrrp does that itself */
                  hindrance_effect(status->hindrance) == HINDRANCE_YIELDS;
    if (!yields)
        *round = (struct offer_round){0};
    if (!yields || !control->configuration || !control->replication)
        return;
    size_t count = find_fit(control, status, fit);
    const struct uuid *next = offer_round_next(
        round, fit, count, answer_ms(control, &status->group_id), loop_now_ms(control->loop));
    if (next)
        offer(control, &status->group_id, next, round->repeats);
}

/* ---- asked by another node ------------------------------------------------------------------
 */

static const char *name_of(const struct control *control, const struct uuid *id)
{
    const struct effective *object = configuration_find(control->configuration, id);
    return object ? object->resource->name : "?";
}

void eligibility_switch_asked(struct control *control,
                              const struct uuid *asker,
                              const struct uuid *group_id,
                              const struct uuid *to)
{
    bool any = uuid_is_zero(group_id), to_any = uuid_is_zero(to);
    if (!control->configuration)
        return;
    control_event(control, EVENT_SWITCH_ASKED,
                  "node %.64s asked this node to give %s%.64s away%s%.64s",
                  name_of(control, asker), any ? "all groups" : "group ",
                  any ? "" : name_of(control, group_id), to_any ? "" : " to ",
                  to_any ? "" : name_of(control, to));
    control_hand_over(control, group_id, to);
}
