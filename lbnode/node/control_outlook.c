/* What gossip knows and the election should: who is vouched for, which claims of this node have
 * to give way. Sent when it changes; what takes a node out of the election holds only as long
 * as it is said again, so that a dead control process holds nobody back. */
#include "lbnode/node/control_internal.h"

#include "lbnode/base/bytes.h"

#include <stdio.h>
#include <string.h>

static void send_vouched(struct control *control, const struct message_vrrp_vouched *node)
{
    control_send(control, &node->header, NULL, 0);
}

static bool run_errand(void *context, const struct errand *errand)
{
    const struct control *control = context;
    return replication_run_errand(control->replication, errand);
}

void outlook_start(struct control *control)
{
    struct vouch_list *list = &control->outlook.vouched;
    control->outlook.saver = (struct vouch_saver){.state_dir = control->settings->state_dir,
                                                  .list = list,
                                                  .start = run_errand,
                                                  .context = control};
    vouch_file_read(control->settings->state_dir, list);
    for (size_t i = 0; i < list->count; i++)
        send_vouched(control, &list->nodes[i]);
}

void outlook_stop(struct control *control)
{
    loop_timer_stop(&control->outlook.timer);
}

/* ---- who is vouched for ---------------------------------------------------------------------
 */

static bool is_active_node(const struct control *control, const struct uuid *id)
{
    const struct effective *found =
        control->configuration ? configuration_find(control->configuration, id) : NULL;
    return found && found->resource->type == RESOURCE_NODE &&
           CONTAINER_OF(found->resource, struct node, resource)->status == NODE_ACTIVE;
}

/* The place of the node, or one for it; those that were removed from the cluster make room. */
static struct message_vrrp_vouched *place_of(struct control *control, const struct uuid *id)
{
    struct vouch_list *list = &control->outlook.vouched;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (uuid_equal(&list->nodes[i].node_id, id))
            return &list->nodes[i];
    for (size_t i = 0; i < list->count; i++)
        if (is_active_node(control, &list->nodes[i].node_id))
            list->nodes[kept++] = list->nodes[i];
    list->count = kept;
    if (list->count == VOUCH_FILE_NODES)
        return NULL;
    list->nodes[list->count] = (struct message_vrrp_vouched){0};
    return &list->nodes[list->count++];
}

static bool is_same(const struct message_vrrp_vouched *a, const struct message_vrrp_vouched *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = ip_address_equal(&a->addresses[i], &b->addresses[i]);
    return same;
}

static void take_vouched(void *context, const struct vouched_node *node)
{
    struct control *control = context;
    struct message_vrrp_vouched *known = place_of(control, &node->node_id);
    struct message_vrrp_vouched message = MESSAGE_OF(VRRP_VOUCHED, struct message_vrrp_vouched);
    message.node_id = node->node_id;
    for (size_t i = 0; i < node->source_count && i < VRRP_SOURCES_MAXIMUM; i++)
        message.addresses[message.count++] = node->sources[i];
    /* A node that says nothing of its sources has not found out yet: what it said once stays.
     */
    bool is_known = known && uuid_equal(&known->node_id, &node->node_id);
    if (!known || (is_known && (message.count == 0 || is_same(known, &message))))
        return;
    *known = message;
    control->outlook.saver.wanted = true;
    send_vouched(control, known);
}

/* ---- evidence -------------------------------------------------------------------------------
 */

static const enum vrrp_evidence_kind kinds[] = {
    [ADVICE_NONE] = VRRP_EVIDENCE_NONE,
    [ADVICE_UNHEARD] = VRRP_EVIDENCE_UNHEARD,
    [ADVICE_YIELD] = VRRP_EVIDENCE_YIELD,
};

static enum vrrp_evidence_kind kind_before(const struct outlook *outlook,
                                           const struct vrrp_advice *advice)
{
    for (size_t i = 0; i < outlook->told_count; i++)
        if (outlook->told[i].family == advice->family &&
            uuid_equal(&outlook->told[i].group_id, &advice->group_id))
            return (enum vrrp_evidence_kind)outlook->told[i].kind;
    return VRRP_EVIDENCE_NONE;
}

static void take_advice(void *context, const struct vrrp_advice *advice)
{
    struct control *control = context;
    struct outlook *outlook = &control->outlook;
    struct message_vrrp_evidence message =
        MESSAGE_OF(VRRP_EVIDENCE, struct message_vrrp_evidence);
    message.group_id = advice->group_id;
    message.family = advice->family;
    message.kind = (uint8_t)kinds[advice->kind];
    message.announce = advice->announce;
    message.valid_ms = OUTLOOK_VALID_MS;
    snprintf(message.rival, sizeof(message.rival), "%s", advice->rival);
    bool changed = message.kind != kind_before(outlook, advice);
    if (message.kind != VRRP_EVIDENCE_NONE && outlook->next_count < OUTLOOK_MAXIMUM)
        outlook->next[outlook->next_count++] = message;
    if (changed || message.announce || (outlook->again && message.kind != VRRP_EVIDENCE_NONE))
        control_send(control, &message.header, NULL, 0);
}

static void say_again(struct loop_timer *timer)
{
    struct outlook *outlook = CONTAINER_OF(timer, struct outlook, timer);
    outlook->again = true;
    outlook_take(CONTAINER_OF(outlook, struct control, outlook));
    outlook->again = false;
}

void outlook_take(struct control *control)
{
    const struct outlook_visitor visitor = {take_vouched, take_advice, control};
    struct outlook *outlook = &control->outlook;
    outlook->next_count = 0;
    replication_take_outlook(control->replication, &visitor);
    memcpy(outlook->told, outlook->next, outlook->next_count * sizeof(outlook->next[0]));
    outlook->told_count = outlook->next_count;
    vouch_saver_save(&outlook->saver);
    if (outlook->told_count > 0 && (outlook->again || !outlook->timer.active))
        loop_timer_start(control->loop, &outlook->timer, OUTLOOK_REPEAT_MS, say_again);
}
