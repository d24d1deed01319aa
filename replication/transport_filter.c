/* Keeps the filter of the gossip socket in step with the roster. */
#include "replication/gossip_filter.h"
#include "replication/transport_internal.h"

/* Those of removed nodes, too: they ask what became of them. */
static void add_sources(const struct roster_node *node,
                        struct ip_address sources[GOSSIP_FILTER_SOURCES],
                        size_t *count)
{
    for (size_t i = 0; i < node->endpoint_count; i++, (*count)++)
        if (*count < GOSSIP_FILTER_SOURCES)
            sources[*count] = node->endpoints[i].address;
}

void transport_renew_filter(const struct transport *transport)
{
    const struct replication *replication = transport->replication;
    const struct roster *roster = core_roster(replication->core);
    struct ip_address sources[GOSSIP_FILTER_SOURCES];
    struct gossip_filter_rules rules = {
        .cluster_id = core_genesis(replication->core)->cluster_id,
        .node_id = replication->node_id,
        .sources = sources,
    };
    for (size_t i = 0; i < roster->count; i++) {
        const struct roster_node *node = &roster->nodes[i];
        add_sources(node, sources, &rules.source_count);
        rules.strangers_sign |=
            node->status == NODE_ACTIVE && node->protocol < REPLICATION_PROTOCOL_SESSIONS;
    }
    /* Without a filter, what it would have dropped is dropped later. */
    (void)gossip_filter_attach(transport->udp.fd, &rules);
}
