#include "lbnode/admin/admin_routes.h"

#include "lbnode/admin/admin_handlers.h"
#include "lbnode/base/bytes.h"

#include <stdio.h>
#include <string.h>

#define LBAAS "/v2.0/lbaas"

/* clang-format off */
static const struct admin_route routes[] = {
    {"GET", "/", discovery_versions, RESOURCE_NONE, "the versions of the API"},
    {"GET", "/v2.0", discovery_version, RESOURCE_NONE, "this version of the API"},
    {"GET", LBAAS, discovery_version, RESOURCE_NONE, "this version of the API"},

    {"GET", LBAAS "/loadbalancers", resource_list, RESOURCE_LOAD_BALANCER, "list load balancers"},
    {"POST", LBAAS "/loadbalancers", load_balancer_create, RESOURCE_LOAD_BALANCER, "create a load balancer"},
    {"GET", LBAAS "/loadbalancers/%", resource_show, RESOURCE_LOAD_BALANCER, "show a load balancer"},
    {"PUT", LBAAS "/loadbalancers/%", resource_update, RESOURCE_LOAD_BALANCER, "change a load balancer"},
    {"DELETE", LBAAS "/loadbalancers/%", resource_delete, RESOURCE_LOAD_BALANCER, "delete a load balancer; ?cascade=true with all below it"},
    {"GET", LBAAS "/loadbalancers/%/status", load_balancer_status, RESOURCE_LOAD_BALANCER, "status tree"},
    {"GET", LBAAS "/loadbalancers/%/statuses", load_balancer_status, RESOURCE_LOAD_BALANCER, "status tree"},
    {"GET", LBAAS "/loadbalancers/%/stats", load_balancer_stats, RESOURCE_LOAD_BALANCER, "counters of this node"},

    {"GET", LBAAS "/listeners", resource_list, RESOURCE_LISTENER, "list listeners"},
    {"POST", LBAAS "/listeners", resource_create, RESOURCE_LISTENER, "create a listener"},
    {"GET", LBAAS "/listeners/%", resource_show, RESOURCE_LISTENER, "show a listener"},
    {"PUT", LBAAS "/listeners/%", resource_update, RESOURCE_LISTENER, "change a listener"},
    {"DELETE", LBAAS "/listeners/%", resource_delete, RESOURCE_LISTENER, "delete a listener"},
    {"GET", LBAAS "/listeners/%/stats", listener_stats, RESOURCE_LISTENER, "counters of this node"},

    {"GET", LBAAS "/pools", resource_list, RESOURCE_POOL, "list pools"},
    {"POST", LBAAS "/pools", pool_create, RESOURCE_POOL, "create a pool"},
    {"GET", LBAAS "/pools/%", resource_show, RESOURCE_POOL, "show a pool"},
    {"PUT", LBAAS "/pools/%", resource_update, RESOURCE_POOL, "change a pool"},
    {"DELETE", LBAAS "/pools/%", resource_delete, RESOURCE_POOL, "delete a pool, its members and its monitor"},

    {"GET", LBAAS "/pools/%/members", resource_list, RESOURCE_MEMBER, "list the members of a pool"},
    {"POST", LBAAS "/pools/%/members", resource_create, RESOURCE_MEMBER, "create a member"},
    {"PUT", LBAAS "/pools/%/members", members_replace, RESOURCE_MEMBER, "replace all members; ?additive_only=true only adds and changes"},
    {"GET", LBAAS "/pools/%/members/%", resource_show, RESOURCE_MEMBER, "show a member"},
    {"PUT", LBAAS "/pools/%/members/%", resource_update, RESOURCE_MEMBER, "change a member"},
    {"DELETE", LBAAS "/pools/%/members/%", resource_delete, RESOURCE_MEMBER, "delete a member"},

    {"GET", LBAAS "/healthmonitors", resource_list, RESOURCE_HEALTH_MONITOR, "list health monitors"},
    {"POST", LBAAS "/healthmonitors", resource_create, RESOURCE_HEALTH_MONITOR, "create a health monitor"},
    {"GET", LBAAS "/healthmonitors/%", resource_show, RESOURCE_HEALTH_MONITOR, "show a health monitor"},
    {"PUT", LBAAS "/healthmonitors/%", resource_update, RESOURCE_HEALTH_MONITOR, "change a health monitor"},
    {"DELETE", LBAAS "/healthmonitors/%", resource_delete, RESOURCE_HEALTH_MONITOR, "delete a health monitor"},

    {"GET", LBAAS "/providers", discovery_providers, RESOURCE_NONE, "the one provider"},
    {"GET", LBAAS "/flavors", discovery_flavors, RESOURCE_NONE, "always empty"},
    {"GET", LBAAS "/quotas/%", discovery_quota, RESOURCE_NONE, "always unlimited"},
    {"GET", LBAAS "/quotas/%/default", discovery_quota, RESOURCE_NONE, "always unlimited"},

    {"GET", "/v2.0/subnets", neutron_subnets, RESOURCE_NONE, "the subnet that stands for all virtual addresses"},
    {"GET", "/v2.0/subnets/%", neutron_subnet, RESOURCE_NONE, "show a subnet"},
    {"GET", "/v2.0/networks", neutron_networks, RESOURCE_NONE, "the network of that subnet"},
    {"GET", "/v2.0/networks/%", neutron_network, RESOURCE_NONE, "show a network"},
    {"GET", "/v2.0/ports", neutron_ports, RESOURCE_NONE, "one port for each load balancer"},
    {"GET", "/v2.0/ports/%", neutron_port, RESOURCE_NONE, "show a port"},
    {"GET", "/v2.0/security-groups", neutron_security_groups, RESOURCE_NONE, "always empty"},

    {"GET", "/v1/vrrp_groups", resource_list, RESOURCE_VRRP_GROUP, "list VRRP groups"},
    {"POST", "/v1/vrrp_groups", resource_create, RESOURCE_VRRP_GROUP, "create a VRRP group"},
    {"GET", "/v1/vrrp_groups/%", resource_show, RESOURCE_VRRP_GROUP, "show a VRRP group"},
    {"PUT", "/v1/vrrp_groups/%", resource_update, RESOURCE_VRRP_GROUP, "change a VRRP group"},
    {"DELETE", "/v1/vrrp_groups/%", resource_delete, RESOURCE_VRRP_GROUP, "delete a VRRP group"},

    {"GET", "/v1/secrets", resource_list, RESOURCE_SECRET, "list secrets, without their payloads"},
    {"POST", "/v1/secrets", resource_create, RESOURCE_SECRET, "create a secret"},
    {"GET", "/v1/secrets/%", resource_show, RESOURCE_SECRET, "show a secret, without its payload"},
    {"PUT", "/v1/secrets/%", resource_update, RESOURCE_SECRET, "change a secret, or set its payload anew"},
    {"DELETE", "/v1/secrets/%", resource_delete, RESOURCE_SECRET, "delete a secret"},
    {"GET", "/v1/secrets/%/payload", secret_payload, RESOURCE_SECRET, "the payload as it is; for root on the local socket only"},

    {"GET", "/v1/nodes", nodes_list, RESOURCE_NODE, "list the nodes of the cluster"},
    {"GET", "/v1/nodes/%", node_show, RESOURCE_NODE, "show a node by id or name"},
    {"PUT", "/v1/nodes/%", node_update, RESOURCE_NODE, "change a node: drain"},
    {"POST", "/v1/nodes/%/rekey", node_rekey, RESOURCE_NODE, "a new key for the node that answers"},
    {"DELETE", "/v1/nodes/%", node_remove, RESOURCE_NODE, "remove a node; ?dead=true if it will not come back, ?compromised=true if somebody else has its key"},

    {"GET", "/v1/status", status_show, RESOURCE_NONE, "everything at a glance"},
    {"GET", "/v1/listeners/%/stats", traffic_stats, RESOURCE_LISTENER, "counters, latencies and ends of a listener's requests on this node"},
    {"GET", "/v1/pools/%/stats", traffic_stats, RESOURCE_POOL, "counters and latencies of a pool on this node"},
    {"GET", "/v1/pools/%/members/%/stats", traffic_stats, RESOURCE_MEMBER, "counters and latencies of a member on this node"},
    {"GET", "/v1/pools/%/health", pool_health_show, RESOURCE_POOL, "what each node thinks of each member of a pool; ?since=ASKED_AT tells which probes are newer"},
    {"GET", "/v1/pools/%/members/%/health", member_health_show, RESOURCE_MEMBER, "what each node thinks of a member, why, and since when"},
    {"POST", "/v1/pools/%/probe", pool_probe_start, RESOURCE_POOL, "all nodes probe the members of a pool now; the answers are in its health"},
    {"POST", "/v1/failover", failover_start, RESOURCE_NONE, "planned switch of addresses to another node"},
    {"GET", "/v1/events", events_list, RESOURCE_NONE, "events ?after=N of ?start= (both of the answer before), ?since= (time or age), ?object=NAME, ?code=; &wait=SECONDS waits for the next"},
    {"GET", "/v1/cluster", cluster_show, RESOURCE_NONE, "the cluster's name, id and secret keys (names, ages, states)"},
    {"POST", "/v1/cluster", cluster_create, RESOURCE_NONE, "start a cluster of one node"},
    {"GET", "/v1/keys", keys_list, RESOURCE_NONE, "the secret keys of the cluster: names, ages, states, never the keys"},
    {"POST", "/v1/keys", keys_rotate, RESOURCE_NONE, "new secret keys for all nodes; the old ones go when all have them"},
    {"GET", "/v1/tokens", tokens_list, RESOURCE_NONE, "the join tokens of this node, and who used them"},
    {"DELETE", "/v1/tokens/%", token_delete, RESOURCE_NONE, "take a join token back"},
    {"POST", "/v1/tokens", token_create, RESOURCE_NONE, "a one-time token for a node that joins"},
    {"POST", "/v1/join", cluster_join, RESOURCE_NONE, "join the cluster that a token names"},
    {"POST", "/v1/backup", backup_page, RESOURCE_NONE, "the next page of a backup"},
    {"POST", "/v1/restore", restore_merge, RESOURCE_NONE, "merge records of a backup; nothing is rolled back"},
    {"GET", "/v1/conflicts", conflicts_list, RESOURCE_NONE, "what nodes changed at once"},
    {"POST", "/v1/conflicts/%/%", conflict_resolve, RESOURCE_NONE, "close the conflict of an object's facet: {\"take\": NUMBER} of the entry to keep"},
    {"POST", "/v1/apply", document_apply, RESOURCE_NONE, "make the configuration as a document says"},
    {"GET", "/v1/export", document_export, RESOURCE_NONE, "the configuration as a document"},
    {"GET", "/v1/history", history_list, RESOURCE_NONE, "changes, newest first; ?object= (name or id), ?since= (time or age), ?limit="},
    {"GET", "/v1/changes/%", change_show, RESOURCE_NONE, "one change with all that it did"},
    {"GET", "/v1/diff", diff_show, RESOURCE_NONE, "what differs between two points: ?from= and ?to= are TIME, AGE or the id of a change"},
    {"POST", "/v1/rollback", rollback_make, RESOURCE_NONE, "take back one change, or all since a time"},
    {"GET", "/v1/confirmations", confirmations_list, RESOURCE_NONE, "changes of this node that are undone unless they are confirmed"},
    {"POST", "/v1/confirm", confirm_change, RESOURCE_NONE, "such a change stays"},
    {"GET", "/v1/audit", audit_show, RESOURCE_NONE, "check every signature and chain of changes on this node"},
    {"GET", "/v1/schema", schema_show, RESOURCE_NONE, "every resource, attribute and path"},

    {"GET", "/metrics", metrics_show, RESOURCE_NONE, "counters in Prometheus' text format"},
    {"GET", "/healthz", health_show, RESOURCE_NONE, "200: the control process answers"},
    {"GET", "/healthcheck", health_show, RESOURCE_NONE, "200: the control process answers"},
    {"GET", "/readyz", ready_show, RESOURCE_NONE, "200: the proxy runs the configuration"},
};
/* clang-format on */

const struct admin_route *admin_route_at(size_t index)
{
    return index < ARRAY_LENGTH(routes) ? &routes[index] : NULL;
}

static bool segment_is(const char *text, size_t length, const char *segment)
{
    return strlen(segment) == length && memcmp(text, segment, length) == 0;
}

static bool matches(const char *pattern, const struct http_url *url, const char **parameters)
{
    size_t index = 0, found = 0;
    for (const char *at = pattern + 1; *at; index++) {
        size_t length = strcspn(at, "/");
        if (index >= url->segment_count)
            return false;
        const char *segment = url->segments[index];
        if (index == 0 && strcmp(segment, "v2") == 0)
            segment = "v2.0";
        if (segment_is(at, length, "%"))
            parameters[found++] = url->segments[index];
        else if (!segment_is(at, length, segment))
            return false;
        at += length;
        at += *at == '/';
    }
    return index == url->segment_count;
}

enum admin_route_result admin_route_find(const char *method,
                                         const struct http_url *url,
                                         const struct admin_route **out_route,
                                         const char **out_parameters,
                                         char out_allow[ADMIN_ALLOW_SIZE])
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    size_t used = 0;
    out_allow[0] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        if (!matches(routes[i].pattern, url, out_parameters))
            continue;
        if (strcmp(routes[i].method, wanted) == 0) {
            *out_route = &routes[i];
            return ADMIN_ROUTE_FOUND;
        }
        used += (size_t)snprintf(out_allow + used, ADMIN_ALLOW_SIZE - used, "%s%s",
                                 used ? ", " : "", routes[i].method);
    }
    return used > 0 ? ADMIN_ROUTE_NO_METHOD : ADMIN_ROUTE_NO_PATH;
}
