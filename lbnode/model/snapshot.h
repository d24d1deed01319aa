/* The compiled, immutable configuration that the proxy and health processes run.
 * One contiguous image in a sealed memfd: arrays addressed by offset, strings in a pool, no
 * pointers. Control builds it from the effective configuration; readers open it once (which
 * checks every offset, index and count) and then index without further checks. Slots are stable
 * numbers for runtime state kept outside (boards, worker arrays): the same object keeps its
 * slot from generation to generation; `incarnation` changes when what the state is about
 * changes (address, port, monitor target), so that stale state is recognised. */
#ifndef LBNODE_MODEL_SNAPSHOT_H
#define LBNODE_MODEL_SNAPSHOT_H

#include "lbnode/base/error.h"
#include "lbnode/base/ip_address.h"
#include "lbnode/base/uuid.h"
#include "lbnode/model/counter_board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SNAPSHOT_MAXIMUM_SIZE = 64 << 20,
    POOL_MAXIMUM_MEMBERS = 16384
};

#define SNAPSHOT_NONE UINT32_MAX /* no index */

/* "\0lbnsnap" as it lies in memory on a little-endian machine: the image starts with a zero
 * byte, so that string 0 reads "". */
#define SNAPSHOT_MAGIC UINT64_C(0x70616e736e626c00)

/* Offset from the start of the image to a terminated string; 0 is "". */
typedef uint32_t snapshot_string;

enum snapshot_protocol {
    SNAPSHOT_HTTP = 1,
    SNAPSHOT_TCP = 2,
    SNAPSHOT_UDP = 3, /* of a pool that no listener has */
};

enum snapshot_insert_header {
    SNAPSHOT_INSERT_FORWARDED_FOR = 1,
    SNAPSHOT_INSERT_FORWARDED_PORT = 2,
    SNAPSHOT_INSERT_FORWARDED_PROTO = 4,
};

enum snapshot_algorithm {
    SNAPSHOT_ROUND_ROBIN = 1,
    SNAPSHOT_LEAST_CONNECTIONS = 2,
    SNAPSHOT_SOURCE_IP = 3,
    SNAPSHOT_SOURCE_IP_PORT = 4,
};

/* Which requests may go over a connection that was kept after another one. */
enum snapshot_reuse {
    SNAPSHOT_REUSE_SAFE_PLUS, /* those that can be repeated, and all but a client's first */
    SNAPSHOT_REUSE_NEVER,
    SNAPSHOT_REUSE_SAFE, /* all but a client's first */
    SNAPSHOT_REUSE_ALWAYS,
};

/* What a member is before its monitor's first verdict. */
enum snapshot_initial_state {
    SNAPSHOT_INITIAL_OFFLINE,
    SNAPSHOT_INITIAL_ONLINE,
};

/* What of the traffic casts doubt on a member (lbnode/model/suspicion.h). */
enum snapshot_passive_check {
    SNAPSHOT_PASSIVE_FAILURES, /* all but SUSPICION_STATUS */
    SNAPSHOT_PASSIVE_OFF,
    SNAPSHOT_PASSIVE_FAILURES_AND_5XX,
};

/* What becomes of the established connections of a member when its verdict is ERROR. */
enum snapshot_on_down {
    SNAPSHOT_ON_DOWN_KEEP,  /* they go on */
    SNAPSHOT_ON_DOWN_DRAIN, /* requests end; other connections when they pause */
    SNAPSHOT_ON_DOWN_RESET, /* they end at once */
};

/* An address that a listener serves: the pair (address, port) is unique in a snapshot, and the
 * array is in ascending order of address, then port. */
struct snapshot_endpoint {
    struct ip_endpoint endpoint;
    uint32_t listener; /* index */
};

struct snapshot_listener {
    struct uuid id;
    uint32_t slot, incarnation;
    uint8_t protocol; /* enum snapshot_protocol */
    uint8_t enabled;  /* a disabled listener has no endpoint; kept for its counters */
    uint16_t port;
    uint32_t insert_headers;  /* set of snapshot_insert_header */
    uint32_t pool;            /* index or SNAPSHOT_NONE: HTTP 503, TCP close */
    int64_t connection_limit; /* -1: none; per node */
    uint32_t source_limit;    /* connections of one client address; 0: no limit */
    uint64_t timeout_client_data_ms, timeout_member_connect_ms, timeout_member_data_ms;
    uint32_t first_cidr, cidr_count; /* allowed client prefixes; none: everybody */
    snapshot_string name;
};

struct snapshot_pool {
    struct uuid id;
    uint32_t slot, incarnation;
    uint8_t protocol;  /* enum snapshot_protocol */
    uint8_t algorithm; /* enum snapshot_algorithm */
    uint8_t enabled;
    uint32_t first_member, member_count; /* all members of a pool are adjacent */
    uint32_t monitor;                    /* index or SNAPSHOT_NONE */
    uint32_t slow_start_ms;              /* 0: none */
    uint32_t queue_limit;                /* requests or connections that wait, on one node */
    uint32_t queue_timeout_ms;
    uint8_t is_limited;        /* a member has a connection_limit */
    uint8_t reuse;             /* enum snapshot_reuse */
    uint8_t initial_state;     /* enum snapshot_initial_state */
    struct uuid group;         /* vrrp group of its load balancer; zero: none */
    uint8_t passive_check;     /* enum snapshot_passive_check */
    uint8_t on_down;           /* enum snapshot_on_down */
    uint8_t fail_open_percent; /* with fewer usable members all are; 0: never */
    /* ROUND_ROBIN: member numbers (relative to first_member) in smoothly interleaved order, so
     * that one pass serves each member exactly weight / gcd times; backups have their own.
     * SOURCE_IP and SOURCE_IP_PORT: a client's hash modulo the length names its member. */
    uint32_t schedule_offset, schedule_length;               /* in the u16 schedule array */
    uint32_t backup_schedule_offset, backup_schedule_length; /* likewise */
    snapshot_string name;
};

struct snapshot_member {
    struct uuid id;
    uint32_t slot, incarnation;
    struct ip_endpoint endpoint;
    struct ip_endpoint monitor_endpoint; /* where probes go */
    uint32_t pool;                       /* index */
    uint16_t weight;                     /* 0: drain */
    uint8_t backup;
    uint8_t enabled;
    uint32_t connection_limit; /* requests (HTTP) or connections (TCP) at a time; 0: no limit */
    snapshot_string name;
};

enum snapshot_monitor_type {
    SNAPSHOT_MONITOR_HTTP = 1,
    SNAPSHOT_MONITOR_TCP = 2,
    SNAPSHOT_MONITOR_HTTPS = 3,
    SNAPSHOT_MONITOR_TLS_HELLO = 4,
    SNAPSHOT_MONITOR_PING = 5,
    SNAPSHOT_MONITOR_UDP_CONNECT = 6,
};

struct snapshot_monitor {
    struct uuid id;
    uint32_t pool;
    uint8_t type; /* enum snapshot_monitor_type */
    uint8_t enabled;
    uint8_t max_retries;      /* successes in a row to become ONLINE */
    uint8_t max_retries_down; /* failures in a row to become ERROR */
    uint8_t http_version;     /* 10 or 11 */
    uint32_t delay_ms, timeout_ms;
    uint32_t transition_delay_ms; /* while results count towards a change; not above delay_ms */
    snapshot_string http_method, url_path, domain_name;
    snapshot_string expected_codes; /* "200", "200,201" or "200-299" */
};

struct snapshot_array {
    uint32_t offset, count;
};

struct snapshot {
    uint64_t magic;
    uint32_t layout; /* SNAPSHOT_LAYOUT */
    uint32_t size;   /* of the image in bytes */
    uint64_t generation;
    struct snapshot_array endpoints, listeners, cidrs, pools, members, monitors, schedule,
        strings;
};

enum {
    SNAPSHOT_LAYOUT = 6
};

#define SNAPSHOT_AT(snapshot, array, type)                                                     \
    ((const type *)(const void *)((const char *)(snapshot) + (snapshot)->array.offset))

static inline const struct snapshot_endpoint *
snapshot_endpoints(const struct snapshot *snapshot)
{
    return SNAPSHOT_AT(snapshot, endpoints, struct snapshot_endpoint);
}

static inline const struct snapshot_listener *
snapshot_listeners(const struct snapshot *snapshot)
{
    return SNAPSHOT_AT(snapshot, listeners, struct snapshot_listener);
}

static inline const struct ip_prefix *snapshot_cidrs(const struct snapshot *snapshot)
{
    return SNAPSHOT_AT(snapshot, cidrs, struct ip_prefix);
}

static inline const struct snapshot_pool *snapshot_pools(const struct snapshot *snapshot)
{
    return SNAPSHOT_AT(snapshot, pools, struct snapshot_pool);
}

static inline const struct snapshot_member *snapshot_members(const struct snapshot *snapshot)
{
    return SNAPSHOT_AT(snapshot, members, struct snapshot_member);
}

static inline const struct snapshot_monitor *snapshot_monitors(const struct snapshot *snapshot)
{
    return SNAPSHOT_AT(snapshot, monitors, struct snapshot_monitor);
}

static inline const uint16_t *snapshot_schedule(const struct snapshot *snapshot)
{
    return SNAPSHOT_AT(snapshot, schedule, uint16_t);
}

static inline const char *snapshot_text(const struct snapshot *snapshot, snapshot_string string)
{
    return (const char *)snapshot + string;
}

/* Maps a sealed memfd read-only and checks the whole image. NULL with ERROR set when the seals,
 * the size or any offset, index or string is wrong. FD stays the caller's. */
const struct snapshot *snapshot_open(int fd, struct error *error);
void snapshot_close(const struct snapshot *snapshot); /* NULL-safe */
/* The pure check that snapshot_open makes, on SIZE bytes (fuzzed). */
bool snapshot_is_valid(const void *image, size_t size);

#endif
