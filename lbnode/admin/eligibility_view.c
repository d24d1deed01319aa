#include "lbnode/admin/eligibility_view.h"

#include "lbnode/admin/node_view.h"
#include "lbnode/model/hindrance.h"

#include <stdio.h>
#include <string.h>

static void conclude(struct eligibility *out)
{
    bool serves = out->state == VRRP_ACTIVE || out->state == VRRP_BACKUP;
    out->known = true;
    out->eligible = serves && out->kind == HINDRANCE_IS_NONE;
    out->remedy = out->kind == HINDRANCE_IS_NONE ? "" : hindrance_remedy(out->kind);
    if (!out->eligible && !out->text[0])
        snprintf(out->text, sizeof(out->text), "%s",
                 out->kind == HINDRANCE_IS_NONE ? "it has just started"
                                                : hindrance_words(out->kind));
}

void eligibility_find(const struct node_state *state,
                      const struct message_vrrp_status *group,
                      const struct uuid *node_id,
                      struct eligibility *out)
{
    struct vrrp_claim claim;
    *out = (struct eligibility){.remedy = ""};
    if (node_view_is_self(state, node_id)) {
        out->state = group->state;
        out->kind = group->hindrance;
        if (group->hindrance != HINDRANCE_IS_NONE)
            snprintf(out->text, sizeof(out->text), "%.*s", (int)sizeof(group->reason) - 1,
                     group->reason);
        conclude(out);
    } else if (replication_find_claim(state->replication, node_id, &group->group_id,
                                      group->family, &claim)) {
        out->state = claim.state;
        out->kind = claim.hindrance;
        conclude(out);
    } else {
        struct peer_view peer;
        bool alive = node_view_peer(state, node_id, &peer) && peer.state == PEER_IS_ALIVE;
        /* Of very many groups a heartbeat tells only some: the election itself will show. */
        out->eligible = alive && state->vrrp_count > VRRP_CLAIMS_TOLD;
        if (out->eligible)
            return;
        snprintf(out->text, sizeof(out->text), "%s",
                 alive ? "it takes no part in this group" : "it does not answer");
        out->remedy = alive ? "is it running with the rights to manage addresses?"
                            : "is it running, and can it be reached?";
    }
}

struct json_value *eligibility_view(const struct node_state *state,
                                    const struct message_vrrp_status *group)
{
    const struct effective *object;
    struct json_value *list = json_value_array();
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        struct eligibility found;
        if (node->status != NODE_ACTIVE)
            continue;
        eligibility_find(state, group, &node->resource.id, &found);
        struct json_value *entry = json_value_object();
        json_value_set_text(entry, "name", node->resource.name);
        json_value_set_text(entry, "state",
                            found.known ? vrrp_state_name((enum vrrp_state)found.state) : NULL);
        json_value_set_bool(entry, "eligible", found.eligible);
        json_value_set_text(entry, "reason", found.text[0] ? found.text : NULL);
        json_value_set_text(entry, "remedy", found.remedy[0] ? found.remedy : NULL);
        json_value_append(list, entry);
    }
    return list;
}

static void add_sentences(struct json_value *list,
                          const struct node_state *state,
                          const struct message_vrrp_status *group)
{
    const struct effective *object;
    char text[512];
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        struct eligibility found;
        if (node->status != NODE_ACTIVE)
            continue;
        eligibility_find(state, group, &node->resource.id, &found);
        snprintf(text, sizeof(text), "%.64s (IPv%u): %s%s%s%s%s", node->resource.name,
                 group->family,
                 found.known ? vrrp_state_name((enum vrrp_state)found.state) : "unknown",
                 found.eligible ? "" : ", not eligible: ", found.text,
                 found.remedy[0] ? "; on that node: " : "", found.remedy);
        json_value_append(list, json_value_string(text));
    }
}

struct json_value *eligibility_sentences(const struct node_state *state,
                                         const struct uuid *group_id)
{
    struct json_value *list = json_value_array();
    for (size_t i = 0; i < state->vrrp_count; i++)
        if (uuid_equal(&state->vrrp[i].group_id, group_id))
            add_sentences(list, state, &state->vrrp[i]);
    return list;
}

/* The node that sends adverts from ADDRESS. */
static bool find_by_address(const struct node_state *state,
                            const struct ip_address *address,
                            struct uuid *out)
{
    const struct effective *object;
    struct ip_endpoint endpoint;
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        bool found = ip_address_equal(&node->vrrp_address, address);
        for (size_t a = 0; a < node->addresses.count; a++)
            found = found || (ip_endpoint_parse(node->addresses.items[a], 1, &endpoint) &&
                              ip_address_equal(&endpoint.address, address));
        *out = node->resource.id;
        if (found)
            return true;
    }
    return false;
}

bool eligibility_find_owner(const struct node_state *state,
                            const struct message_vrrp_status *group,
                            struct uuid *out)
{
    if (group->state == VRRP_ACTIVE) {
        *out = *replication_node_id(state->replication);
        return true;
    }
    if (group->active_address.family && find_by_address(state, &group->active_address, out))
        return true;
    /* IPv6 adverts come from link-local addresses, which the roster does not know. */
    return replication_find_owner(state->replication, &group->group_id, group->family, out);
}
