/* The handlers that the route table names; each is described by its row there. */
#ifndef LBNODE_ADMIN_ADMIN_HANDLERS_H
#define LBNODE_ADMIN_ADMIN_HANDLERS_H

#include "lbnode/admin/admin_request.h"

/* resource_api.c: for every type, driven by the field table */
void resource_list(struct admin_request *request);
void resource_show(struct admin_request *request);
void resource_create(struct admin_request *request);
void resource_update(struct admin_request *request);
void resource_delete(struct admin_request *request);

/* load_balancers_api.c */
void load_balancer_create(struct admin_request *request);
void load_balancer_status(struct admin_request *request);
void load_balancer_stats(struct admin_request *request);

/* listeners_api.c, pools_api.c, members_api.c */
void listener_stats(struct admin_request *request);
void pool_create(struct admin_request *request);
void members_replace(struct admin_request *request);

/* secrets_api.c */
void secret_payload(struct admin_request *request);

/* health_api.c */
void member_health_show(struct admin_request *request);
void pool_health_show(struct admin_request *request);
void pool_probe_start(struct admin_request *request);

/* stats_api.c */
void traffic_stats(struct admin_request *request);

/* discovery_api.c */
void discovery_versions(struct admin_request *request);
void discovery_version(struct admin_request *request);
void discovery_providers(struct admin_request *request);
void discovery_flavors(struct admin_request *request);
void discovery_quota(struct admin_request *request);
void schema_show(struct admin_request *request);

/* neutron_api.c */
void neutron_subnets(struct admin_request *request);
void neutron_subnet(struct admin_request *request);
void neutron_networks(struct admin_request *request);
void neutron_network(struct admin_request *request);
void neutron_ports(struct admin_request *request);
void neutron_port(struct admin_request *request);
void neutron_security_groups(struct admin_request *request);

/* nodes_api.c */
void nodes_list(struct admin_request *request);
void node_show(struct admin_request *request);
void node_update(struct admin_request *request);
/* The node that the path names; NULL with ERROR. */
const struct effective *node_of_request(const struct admin_request *request,
                                        struct error *error);
void node_remove(struct admin_request *request);
void node_rekey(struct admin_request *request);

/* failover_api.c */
void failover_start(struct admin_request *request);

/* keys_api.c */
void keys_list(struct admin_request *request);
void keys_rotate(struct admin_request *request);

/* cluster_api.c */
void cluster_show(struct admin_request *request);
void cluster_create(struct admin_request *request);
enum {
    TOKEN_TTL_DEFAULT_S = 900 /* of a join token */
};

void token_create(struct admin_request *request);
void tokens_list(struct admin_request *request);
void token_delete(struct admin_request *request);
void cluster_join(struct admin_request *request);

/* backup_api.c */
void backup_page(struct admin_request *request);
void restore_merge(struct admin_request *request);

/* rollback_api.c */
void rollback_make(struct admin_request *request);

/* confirm_api.c */
void confirmations_list(struct admin_request *request);
void confirm_change(struct admin_request *request);

/* history_api.c, diff_api.c */
void history_list(struct admin_request *request);
void change_show(struct admin_request *request);
void audit_show(struct admin_request *request);
void diff_show(struct admin_request *request);

/* conflicts_api.c, documents_api.c, events_api.c, status_api.c, metrics.c */
void conflicts_list(struct admin_request *request);
void conflict_resolve(struct admin_request *request);
void document_apply(struct admin_request *request);
void document_export(struct admin_request *request);
void events_list(struct admin_request *request);
void status_show(struct admin_request *request);
void metrics_show(struct admin_request *request);
void health_show(struct admin_request *request);
void ready_show(struct admin_request *request);

#endif
