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
    YIELD_GAP_MS = 5000, /* between offers of one group that nobody took */
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

/* A node that is backup for the group without anything that speaks against it. */
static bool find_fit(const struct control *control,
                     const struct message_vrrp_status *status,
                     struct uuid *out)
{
    const struct effective *object;
    struct vrrp_claim claim;
    for (size_t i = 0; (object = configuration_at(control->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        if (node->status != NODE_ACTIVE || node->drain ||
            !replication_find_claim(control->replication, &node->resource.id, &status->group_id,
                                    status->family, &claim))
            continue;
        if (claim.state == VRRP_BACKUP && claim.hindrance == HINDRANCE_IS_NONE) {
            *out = node->resource.id;
            return true;
        }
    }
    return false;
}

/* The time of the last offer of a group, in the place of its status. */
void eligibility_review(struct control *control,
                        const struct message_vrrp_status *status,
                        uint64_t *offered_ms)
{
    struct uuid fit;
    uint64_t now_ms = loop_now_ms(control->loop);
    bool yields = status->state == VRRP_ACTIVE && status->hindrance != HINDRANCE_IS_NONE &&
                  status->hindrance != HINDRANCE_IS_DRAINED && /* vrrp does that itself */
                  hindrance_effect(status->hindrance) == HINDRANCE_YIELDS;
    if (!yields || !control->configuration || !control->replication ||
        (*offered_ms && now_ms - *offered_ms < YIELD_GAP_MS) ||
        !find_fit(control, status, &fit))
        return;
    *offered_ms = now_ms;
    control_hand_over(control, &status->group_id, &fit);
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
