/* The resources: Octavia's, and lbnode's own vrrp_group and node. Plain structs described row
 * by row in field_table.c; everything generic (JSON, YAML, validation, canonical bytes, CLI
 * options, help, diff) goes through that table, never through these members by hand. Strings
 * are malloc'd and owned by the struct, never NULL once resource_new returned. An id of zero,
 * an address of family 0 and an empty list or string mean "not set" (JSON null). */
#ifndef LBNODE_MODEL_RESOURCE_H
#define LBNODE_MODEL_RESOURCE_H

#include "lbnode/base/ip_address.h"
#include "lbnode/base/text_list.h"
#include "lbnode/base/uuid.h"
#include "lbnode/model/sealed_value.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers are part of the record format (replication.md 3.1). */
enum resource_type {
    RESOURCE_NONE = 0,
    RESOURCE_VRRP_GROUP = 1,
    RESOURCE_LOAD_BALANCER = 2,
    RESOURCE_LISTENER = 3,
    RESOURCE_POOL = 4,
    RESOURCE_MEMBER = 5,
    RESOURCE_HEALTH_MONITOR = 6,
    RESOURCE_NODE = 20,
    RESOURCE_KEY_GRANT = 21, /* internal: replication alone reads and writes it */
    RESOURCE_SECRET = 22,
    RESOURCE_TYPE_LIMIT = 32
};

enum protocol {
    PROTOCOL_HTTP,
    PROTOCOL_TCP,
    PROTOCOL_UDP, /* of a pool alone */
    PROTOCOL_COUNT
};
enum lb_algorithm {
    ALGORITHM_ROUND_ROBIN,
    ALGORITHM_LEAST_CONNECTIONS,
    ALGORITHM_SOURCE_IP,
    ALGORITHM_SOURCE_IP_PORT,
};
enum connection_reuse {
    REUSE_NEVER,
    REUSE_SAFE,
    REUSE_SAFE_PLUS,
    REUSE_ALWAYS
};
/* Of a member before its monitor's first verdict. */
enum initial_state {
    INITIAL_OFFLINE,
    INITIAL_ONLINE
};
enum passive_check {
    PASSIVE_OFF,
    PASSIVE_FAILURES,
    PASSIVE_FAILURES_AND_5XX
};
enum on_down {
    ON_DOWN_KEEP,
    ON_DOWN_DRAIN,
    ON_DOWN_RESET
};
enum monitor_type {
    MONITOR_HTTP,
    MONITOR_TCP,
    MONITOR_PING,
    MONITOR_UDP_CONNECT,
    MONITOR_HTTPS,
    MONITOR_TLS_HELLO
};
enum node_status {
    NODE_ACTIVE,
    NODE_REMOVED,
    NODE_REVOKED
};

enum secret_type {
    SECRET_OPAQUE,
    SECRET_PASSPHRASE,
    SECRET_CERTIFICATE,
    SECRET_PRIVATE,
    SECRET_PUBLIC,
    SECRET_SYMMETRIC
};

/* First member of every resource. */
struct resource {
    struct uuid id;
    struct uuid
        owner; /* listener, pool: load balancer; member, healthmonitor: pool; else zero */
    enum resource_type type;
    char *name;
    char *description;
    struct text_list tags;
    bool admin_state_up;
    char *project_id;
    uint64_t created_wall_ms, updated_wall_ms; /* from the records, not from the fields */
};

enum vrrp_policy {
    VRRP_POLICY_STRICT,
    VRRP_POLICY_COMPAT
};

enum vrrp_mode {
    VRRP_MODE_UNICAST,
    VRRP_MODE_MULTICAST
};

enum vrrp_checksum_choice {
    VRRP_SEND_RFC9568,
    VRRP_SEND_PSEUDO
};

struct vrrp_group {
    struct resource resource;
    int64_t vrid;
    char *interface;
    struct text_list preference; /* map node name -> priority 1..254; absent: 100 */
    int64_t advert_interval_ms;
    bool preempt;
    int64_t preempt_delay_s;
    int64_t policy;                 /* enum vrrp_policy */
    int64_t mode;                   /* enum vrrp_mode */
    int64_t checksum;               /* enum vrrp_checksum_choice */
    struct text_list unicast_peers; /* addresses */
    struct ip_address gateway;      /* family 0: not checked */
};

struct load_balancer {
    struct resource resource;
    struct ip_address vip_address;
    struct text_list additional_vips; /* addresses */
    struct uuid vip_subnet_id, vip_network_id, vip_port_id;
    char *provider;
    struct uuid vrrp_group_id; /* zero: the group "default" */
};

struct listener {
    struct resource resource;
    int64_t protocol; /* enum protocol */
    int64_t protocol_port;
    struct uuid default_pool_id;
    int64_t connection_limit, source_connection_limit;
    int64_t timeout_client_data, timeout_member_connect, timeout_member_data,
        timeout_tcp_inspect;
    struct text_list insert_headers; /* map header -> "true" | "false" */
    struct text_list allowed_cidrs;
};

struct pool {
    struct resource resource;
    int64_t protocol;     /* enum protocol */
    int64_t lb_algorithm; /* enum lb_algorithm */
    int64_t slow_start;   /* seconds */
    int64_t queue_limit, queue_timeout;
    int64_t connection_reuse; /* enum connection_reuse */
    int64_t initial_state;    /* enum initial_state */
    int64_t passive_check;    /* enum passive_check */
    int64_t on_down;          /* enum on_down */
    int64_t fail_open_percent;
};

struct member {
    struct resource resource;
    struct ip_address address;
    int64_t protocol_port;
    struct uuid subnet_id;
    int64_t weight;
    bool backup;
    int64_t connection_limit; /* -1: none */
    struct ip_address monitor_address;
    int64_t monitor_port; /* 0: protocol_port */
};

struct health_monitor {
    struct resource resource;
    int64_t type;           /* enum monitor_type */
    int64_t delay, timeout; /* seconds */
    int64_t max_retries, max_retries_down;
    int64_t transition_delay_ms; /* 0: the delay */
    char *http_method, *url_path, *expected_codes, *http_version, *domain_name;
};

/* Do its probes send requests? Else it has none of the attributes of HTTP. */
static inline bool health_monitor_is_http(const struct health_monitor *monitor)
{
    return monitor->type == MONITOR_HTTP || monitor->type == MONITOR_HTTPS;
}

struct node {
    struct resource resource;
    char *sign_key; /* hex Ed25519 public key */
    char *key_id;
    struct text_list addresses; /* gossip endpoints, at most 4; the first is the main one */
    struct ip_address vrrp_address;
    struct text_list roles;
    bool drain;              /* gives its VIPs to any other node that can serve */
    bool leaving;            /* is being removed: takes no changes, so that none is lost */
    int64_t status;          /* enum node_status */
    struct text_list cutoff; /* map stream (hex) -> last valid seq, of a removed node */
    int64_t protocol;        /* the highest of the replication that it speaks */
    char *version;           /* of its program, as it says */
};

enum key_purpose {
    KEY_CLUSTER_SECRET, /* who has it may speak to the nodes */
    KEY_DATA,           /* what sensitive attributes are sealed with */
    KEY_PURPOSE_COUNT
};

/* A secret key of the cluster, sealed to the node that owns the object. Of the members of
 * struct resource only id, owner and type are used. */
struct key_grant {
    struct resource resource;
    struct uuid key_id;
    int64_t purpose; /* enum key_purpose */
    char *sealed;    /* hex */
    int64_t created_ms;
    char *receiver; /* hex: key id of the node's key that opens it */
};

/* Barbican's: something to be kept from all who may see the configuration. */
struct secret {
    struct resource resource;
    int64_t secret_type; /* enum secret_type */
    char *payload_content_type;
    struct sealed_value payload;
};

/* Defaults of the field table filled in, id zero. NULL when out of memory. */
struct resource *resource_new(enum resource_type type);
struct resource *resource_copy(const struct resource *resource);
void resource_free(struct resource *resource); /* NULL-safe */

#endif
