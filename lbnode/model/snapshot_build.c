#include "lbnode/model/snapshot_build.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/uuid_map.h"
#include "lbnode/model/configuration_internal.h"
#include "lbnode/model/maglev.h"
#include "lbnode/model/schedule.h"
#include "lbnode/model/slot_map.h"
#include "lbnode/model/snapshot_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_MAXIMUM_MS = 2073600000 /* what timeout 0 means */
};

struct build {
    const struct configuration *configuration;
    struct slot_map *slots;
    struct snapshot_image image;
    struct uuid_map pool_numbers; /* pool id -> index + 1, kept in the pointer itself */
};

/* ---- what gets in ---------------------------------------------------------------------------
 */

/* Walk of all effective objects of TYPE whose owner is effective too: WANTED from *INDEX on. */
static const struct resource *
next_usable(const struct configuration *configuration, enum resource_type type, size_t *index)
{
    const struct effective *at;
    while ((at = configuration_at(configuration, type, (*index)++))) {
        const struct effective *owner =
            at->effective ? configuration_find(configuration, &at->resource->owner) : NULL;
        if (owner && owner->effective)
            return at->resource;
    }
    return NULL;
}

static const struct resource *
next_member(const struct configuration *configuration, const struct uuid *pool, size_t *index)
{
    const struct effective *at;
    while ((at = configuration_child(configuration, pool, RESOURCE_MEMBER, (*index)++))) {
        if (at->effective)
            return at->resource;
    }
    return NULL;
}

static void keep_slots(struct build *build, size_t counts[SLOT_KIND_COUNT])
{
    const struct resource *resource;
    for (size_t i = 0; (resource = next_usable(build->configuration, RESOURCE_LISTENER, &i));) {
        slot_map_keep(build->slots, &resource->id);
        counts[SLOT_LISTENER]++;
    }
    for (size_t i = 0; (resource = next_usable(build->configuration, RESOURCE_POOL, &i));) {
        const struct resource *member;
        slot_map_keep(build->slots, &resource->id);
        counts[SLOT_POOL]++;
        for (size_t m = 0; (member = next_member(build->configuration, &resource->id, &m));) {
            slot_map_keep(build->slots, &member->id);
            counts[SLOT_MEMBER]++;
        }
    }
}

/* Slots of vanished objects are only given up when the rest fits. */
static int prepare_slots(struct build *build, struct error *error)
{
    static const char *const plurals[] = {"listeners", "pools", "members"};
    size_t counts[SLOT_KIND_COUNT] = {0};
    slot_map_begin(build->slots);
    keep_slots(build, counts);
    for (int kind = 0; kind < SLOT_KIND_COUNT; kind++) {
        if (counts[kind] > slot_map_limit((enum slot_kind)kind)) {
            error_set(error, ERROR_TOO_LARGE, "%zu %s are more than the %u that a node can run",
                      counts[kind], plurals[kind], slot_map_limit((enum slot_kind)kind));
            return -E2BIG;
        }
    }
    slot_map_sweep(build->slots);
    return 0;
}

/* ---- incarnations ---------------------------------------------------------------------------
 */

static uint64_t mix_number(uint64_t hash, int64_t number)
{
    uint8_t bytes[8];
    store_be64(bytes, (uint64_t)number);
    return bytes_hash(bytes, sizeof(bytes), hash);
}

static uint64_t mix_endpoint(uint64_t hash, const struct ip_endpoint *endpoint)
{
    hash = mix_number(hash, endpoint->address.family);
    hash = bytes_hash(endpoint->address.bytes, sizeof(endpoint->address.bytes), hash);
    return mix_number(hash, endpoint->port);
}

/* Never 0: an untouched cell of a board must look stale. */
static uint32_t fold(uint64_t hash)
{
    uint32_t folded = (uint32_t)(hash ^ hash >> 32);
    return folded ? folded : 1;
}

static const uint8_t protocols[PROTOCOL_COUNT] = {
    [PROTOCOL_HTTP] = SNAPSHOT_HTTP,
    [PROTOCOL_TCP] = SNAPSHOT_TCP,
    [PROTOCOL_UDP] = SNAPSHOT_UDP,
};

/* ---- monitors, members, pools ---------------------------------------------------------------
 */

static bool add_monitor(struct build *build, struct snapshot_pool *pool, uint32_t pool_index)
{
    static const uint8_t monitor_types[] = {
        [MONITOR_HTTP] = SNAPSHOT_MONITOR_HTTP,
        [MONITOR_TCP] = SNAPSHOT_MONITOR_TCP,
        [MONITOR_PING] = SNAPSHOT_MONITOR_PING,
        [MONITOR_UDP_CONNECT] = SNAPSHOT_MONITOR_UDP_CONNECT,
        [MONITOR_HTTPS] = SNAPSHOT_MONITOR_HTTPS,
        [MONITOR_TLS_HELLO] = SNAPSHOT_MONITOR_TLS_HELLO,
    };
    const struct health_monitor *from =
        configuration_monitor_of(build->configuration, &pool->id);
    pool->monitor = SNAPSHOT_NONE;
    if (!from)
        return true;
    pool->monitor = (uint32_t)build->image.arrays[ARRAY_MONITORS].count;
    struct snapshot_monitor *monitor = snapshot_image_add(&build->image, ARRAY_MONITORS, 1);
    if (!monitor)
        return false;
    monitor->id = from->resource.id;
    monitor->pool = pool_index;
    monitor->type = monitor_types[from->type];
    monitor->enabled = from->resource.admin_state_up;
    monitor->max_retries = (uint8_t)from->max_retries;
    monitor->max_retries_down = (uint8_t)from->max_retries_down;
    monitor->http_version = strcmp(from->http_version, "1.1") == 0 ? 11 : 10;
    monitor->delay_ms =
        (uint32_t)(from->delay > UINT32_MAX / 1000 ? UINT32_MAX : from->delay * 1000);
    monitor->transition_delay_ms = monitor->delay_ms;
    if (from->transition_delay_ms > 0 && from->transition_delay_ms < monitor->delay_ms)
        monitor->transition_delay_ms = (uint32_t)from->transition_delay_ms;
    monitor->timeout_ms =
        (uint32_t)(from->timeout > UINT32_MAX / 1000 ? UINT32_MAX : from->timeout * 1000);
    return snapshot_image_add_string(&build->image, from->http_method, &monitor->http_method) &&
           snapshot_image_add_string(&build->image, from->url_path, &monitor->url_path) &&
           snapshot_image_add_string(&build->image, from->domain_name, &monitor->domain_name) &&
           snapshot_image_add_string(&build->image, from->expected_codes,
                                     &monitor->expected_codes);
}

static bool add_member(struct build *build, const struct member *from, uint32_t pool_index)
{
    struct snapshot_member *member = snapshot_image_add(&build->image, ARRAY_MEMBERS, 1);
    if (!member)
        return false;
    int64_t monitor_port = from->monitor_port ? from->monitor_port : from->protocol_port;
    member->id = from->resource.id;
    member->endpoint.address = from->address;
    member->endpoint.port = (uint16_t)from->protocol_port;
    member->monitor_endpoint.address =
        from->monitor_address.family ? from->monitor_address : from->address;
    member->monitor_endpoint.port = (uint16_t)monitor_port;
    member->pool = pool_index;
    member->weight = (uint16_t)from->weight;
    member->backup = from->backup;
    if (from->connection_limit > 0)
        member->connection_limit = (uint32_t)from->connection_limit;
    else if (from->connection_limit == 0)
        member->weight = 0;
    member->enabled = from->resource.admin_state_up;
    uint64_t hash = bytes_hash(member->id.bytes, sizeof(member->id.bytes), SLOT_MEMBER);
    hash = mix_endpoint(hash, &member->endpoint);
    member->incarnation = fold(mix_endpoint(hash, &member->monitor_endpoint));
    member->slot = slot_map_take(build->slots, SLOT_MEMBER, &member->id, member->incarnation);
    return member->slot != SNAPSHOT_NONE &&
           snapshot_image_add_string(&build->image, from->resource.name, &member->name);
}

/* A schedule is made of the members that are backups or not, as `backup` says. */
struct schedule_part {
    const struct snapshot_pool *pool;
    bool backup;
    uint32_t length; /* of the result */
};

static bool takes_part(const struct snapshot_member *member, const struct schedule_part *part)
{
    return member->enabled && member->weight > 0 && (member->backup != 0) == part->backup;
}

static const struct snapshot_member *members_of(const struct build *build,
                                                const struct snapshot_pool *pool)
{
    return (const struct snapshot_member *)(void *)build->image.arrays[ARRAY_MEMBERS].data +
           pool->first_member;
}

static bool add_turns(struct build *build, struct schedule_part *part)
{
    struct schedule_member *turns = calloc(part->pool->member_count + 1, sizeof(*turns));
    const struct snapshot_member *members = members_of(build, part->pool);
    size_t count = 0;
    if (!turns)
        return false;
    for (uint32_t i = 0; i < part->pool->member_count; i++) {
        if (takes_part(&members[i], part))
            turns[count++] = (struct schedule_member){(uint16_t)i, members[i].weight};
    }
    part->length = (uint32_t)schedule_prepare(turns, count);
    bool done = part->length == 0;
    if (!done) {
        uint16_t *schedule = snapshot_image_add(&build->image, ARRAY_SCHEDULE, part->length);
        done = schedule && schedule_fill(turns, count, schedule);
    }
    free(turns);
    return done;
}

/* The length counts who could take part, so that draining a member moves its own clients
 * alone. */
static bool add_table(struct build *build, struct schedule_part *part)
{
    struct maglev_member *chosen = calloc(part->pool->member_count + 1, sizeof(*chosen));
    const struct snapshot_member *members = members_of(build, part->pool);
    size_t count = 0, possible = 0;
    if (!chosen)
        return false;
    for (uint32_t i = 0; i < part->pool->member_count; i++) {
        possible += (members[i].backup != 0) == part->backup;
        if (takes_part(&members[i], part))
            chosen[count++] = (struct maglev_member){
                .id = members[i].id, .number = (uint16_t)i, .weight = members[i].weight};
    }
    bool done = count == 0;
    if (!done) {
        size_t length = maglev_length(possible);
        uint16_t *table = snapshot_image_add(&build->image, ARRAY_SCHEDULE, length);
        done = table != NULL;
        if (table)
            maglev_fill(chosen, count, &part->pool->id, table, length);
        part->length = (uint32_t)length;
    }
    free(chosen);
    return done;
}

static bool add_schedule(struct build *build,
                         const struct snapshot_pool *pool,
                         bool backup,
                         uint32_t *out_offset,
                         uint32_t *out_length)
{
    struct schedule_part part = {.pool = pool, .backup = backup};
    bool by_source =
        pool->algorithm == SNAPSHOT_SOURCE_IP || pool->algorithm == SNAPSHOT_SOURCE_IP_PORT;
    *out_offset = (uint32_t)build->image.arrays[ARRAY_SCHEDULE].count;
    bool done = by_source ? add_table(build, &part) : add_turns(build, &part);
    *out_length = part.length;
    return done;
}

static struct uuid group_of(const struct build *build, const struct pool *pool)
{
    const struct effective *owner =
        configuration_find(build->configuration, &pool->resource.owner);
    const struct vrrp_group *group = NULL;
    if (owner && owner->resource->type == RESOURCE_LOAD_BALANCER)
        group = configuration_group_of(build->configuration,
                                       (const struct load_balancer *)owner->resource);
    return group ? group->resource.id : (struct uuid){0};
}

static bool add_pool(struct build *build, const struct pool *from)
{
    static const uint8_t algorithms[] = {
        [ALGORITHM_ROUND_ROBIN] = SNAPSHOT_ROUND_ROBIN,
        [ALGORITHM_LEAST_CONNECTIONS] = SNAPSHOT_LEAST_CONNECTIONS,
        [ALGORITHM_SOURCE_IP] = SNAPSHOT_SOURCE_IP,
        [ALGORITHM_SOURCE_IP_PORT] = SNAPSHOT_SOURCE_IP_PORT,
    };
    static const uint8_t reuses[] = {
        [REUSE_NEVER] = SNAPSHOT_REUSE_NEVER,
        [REUSE_SAFE] = SNAPSHOT_REUSE_SAFE,
        [REUSE_SAFE_PLUS] = SNAPSHOT_REUSE_SAFE_PLUS,
        [REUSE_ALWAYS] = SNAPSHOT_REUSE_ALWAYS,
    };
    static const uint8_t passive_checks[] = {
        [PASSIVE_OFF] = SNAPSHOT_PASSIVE_OFF,
        [PASSIVE_FAILURES] = SNAPSHOT_PASSIVE_FAILURES,
        [PASSIVE_FAILURES_AND_5XX] = SNAPSHOT_PASSIVE_FAILURES_AND_5XX,
    };
    static const uint8_t on_downs[] = {
        [ON_DOWN_KEEP] = SNAPSHOT_ON_DOWN_KEEP,
        [ON_DOWN_DRAIN] = SNAPSHOT_ON_DOWN_DRAIN,
        [ON_DOWN_RESET] = SNAPSHOT_ON_DOWN_RESET,
    };
    uint32_t index = (uint32_t)build->image.arrays[ARRAY_POOLS].count;
    struct snapshot_pool pool = {
        .id = from->resource.id,
        .protocol = protocols[from->protocol],
        .algorithm = algorithms[from->lb_algorithm],
        .enabled = from->resource.admin_state_up,
        .first_member = (uint32_t)build->image.arrays[ARRAY_MEMBERS].count,
        .slow_start_ms = (uint32_t)from->slow_start * 1000,
        .queue_limit = (uint32_t)from->queue_limit,
        .queue_timeout_ms = (uint32_t)from->queue_timeout,
        .reuse = reuses[from->connection_reuse],
        .initial_state = from->initial_state == INITIAL_ONLINE ? SNAPSHOT_INITIAL_ONLINE
                                                               : SNAPSHOT_INITIAL_OFFLINE,
        .group = group_of(build, from),
        .passive_check = passive_checks[from->passive_check],
        .on_down = on_downs[from->on_down],
        .fail_open_percent = (uint8_t)from->fail_open_percent,
    };
    pool.incarnation = fold(bytes_hash(pool.id.bytes, sizeof(pool.id.bytes), SLOT_POOL));
    pool.slot = slot_map_take(build->slots, SLOT_POOL, &pool.id, pool.incarnation);
    const struct resource *member;
    for (size_t i = 0; (member = next_member(build->configuration, &pool.id, &i));) {
        if (!add_member(build, (const struct member *)member, index))
            return false;
        pool.member_count++;
        pool.is_limited |= ((const struct member *)member)->connection_limit > 0;
    }
    if (pool.slot == SNAPSHOT_NONE || !add_monitor(build, &pool, index) ||
        !add_schedule(build, &pool, false, &pool.schedule_offset, &pool.schedule_length) ||
        !add_schedule(build, &pool, true, &pool.backup_schedule_offset,
                      &pool.backup_schedule_length) ||
        !snapshot_image_add_string(&build->image, from->resource.name, &pool.name))
        return false;
    struct snapshot_pool *place = snapshot_image_add(&build->image, ARRAY_POOLS, 1);
    if (!place)
        return false;
    *place = pool;
    return uuid_map_set(&build->pool_numbers, &pool.id, (void *)((uintptr_t)index + 1));
}

/* ---- listeners ------------------------------------------------------------------------------
 */

static uint64_t timeout_ms(int64_t value)
{
    return value > 0 ? (uint64_t)value : TIMEOUT_MAXIMUM_MS;
}

static uint32_t insert_headers_of(const struct listener *listener)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } headers[] = {
        {"X-Forwarded-For", SNAPSHOT_INSERT_FORWARDED_FOR},
        {"X-Forwarded-Port", SNAPSHOT_INSERT_FORWARDED_PORT},
        {"X-Forwarded-Proto", SNAPSHOT_INSERT_FORWARDED_PROTO},
    };
    uint32_t flags = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        const char *value = text_list_value(&listener->insert_headers, headers[i].name);
        if (value && strcmp(value, "true") == 0)
            flags |= headers[i].flag;
    }
    return flags;
}

/* The pool that serves LISTENER. A disabled pool is as good as none, and so is one that is
 * gone or of the wrong protocol (P6). */
static uint32_t pool_number(const struct build *build, const struct listener *listener)
{
    uintptr_t number =
        (uintptr_t)uuid_map_get(&build->pool_numbers, &listener->default_pool_id);
    const struct effective *pool =
        number ? configuration_find(build->configuration, &listener->default_pool_id) : NULL;
    if (!pool || !pool->resource->admin_state_up ||
        !uuid_equal(&pool->resource->owner, &listener->resource.owner) ||
        !protocols_are_compatible(listener->protocol,
                                  ((const struct pool *)pool->resource)->protocol))
        return SNAPSHOT_NONE;
    return (uint32_t)(number - 1);
}

static bool
add_cidrs(struct build *build, const struct listener *from, struct snapshot_listener *listener)
{
    listener->first_cidr = (uint32_t)build->image.arrays[ARRAY_CIDRS].count;
    for (size_t i = 0; i < from->allowed_cidrs.count; i++) {
        struct ip_prefix *prefix = snapshot_image_add(&build->image, ARRAY_CIDRS, 1);
        if (!prefix || !ip_prefix_parse(from->allowed_cidrs.items[i], prefix))
            return false;
        listener->cidr_count++;
    }
    return true;
}

static bool add_endpoint(struct build *build,
                         const struct ip_address *address,
                         const struct snapshot_listener *listener,
                         uint32_t index)
{
    if (address->family == 0)
        return true;
    struct snapshot_endpoint *endpoint = snapshot_image_add(&build->image, ARRAY_ENDPOINTS, 1);
    if (!endpoint)
        return false;
    endpoint->endpoint.address = *address;
    endpoint->endpoint.port = listener->port;
    endpoint->listener = index;
    return true;
}

static bool add_endpoints(struct build *build,
                          const struct load_balancer *load_balancer,
                          const struct snapshot_listener *listener,
                          uint32_t index)
{
    if (!add_endpoint(build, &load_balancer->vip_address, listener, index))
        return false;
    for (size_t i = 0; i < load_balancer->additional_vips.count; i++) {
        struct ip_address address;
        if (ip_address_parse(load_balancer->additional_vips.items[i], &address) &&
            !add_endpoint(build, &address, listener, index))
            return false;
    }
    return true;
}

static bool add_listener(struct build *build, const struct listener *from)
{
    const struct resource *owner =
        configuration_find(build->configuration, &from->resource.owner)->resource;
    uint32_t index = (uint32_t)build->image.arrays[ARRAY_LISTENERS].count;
    struct snapshot_listener listener = {
        .id = from->resource.id,
        .protocol = protocols[from->protocol],
        .enabled = from->resource.admin_state_up && owner->admin_state_up,
        .port = (uint16_t)from->protocol_port,
        .insert_headers = insert_headers_of(from),
        .pool = pool_number(build, from),
        .connection_limit = from->connection_limit,
        .source_limit =
            from->source_connection_limit > 0 ? (uint32_t)from->source_connection_limit : 0,
        .timeout_client_data_ms = timeout_ms(from->timeout_client_data),
        .timeout_member_connect_ms = timeout_ms(from->timeout_member_connect),
        .timeout_member_data_ms = timeout_ms(from->timeout_member_data),
    };
    uint64_t hash = bytes_hash(listener.id.bytes, sizeof(listener.id.bytes), SLOT_LISTENER);
    listener.incarnation = fold(mix_number(mix_number(hash, listener.protocol), listener.port));
    listener.slot =
        slot_map_take(build->slots, SLOT_LISTENER, &listener.id, listener.incarnation);
    if (listener.slot == SNAPSHOT_NONE || !add_cidrs(build, from, &listener) ||
        !snapshot_image_add_string(&build->image, from->resource.name, &listener.name))
        return false;
    struct snapshot_listener *place = snapshot_image_add(&build->image, ARRAY_LISTENERS, 1);
    if (!place)
        return false;
    *place = listener;
    return !listener.enabled ||
           add_endpoints(build, (const struct load_balancer *)owner, &listener, index);
}

static int compare_endpoints(const void *a, const void *b)
{
    const struct snapshot_endpoint *x = a, *y = b;
    int order = ip_address_compare(&x->endpoint.address, &y->endpoint.address);
    return order
               ? order
               : (x->endpoint.port > y->endpoint.port) - (x->endpoint.port < y->endpoint.port);
}

/* The projection leaves each address to one load balancer, and each port to one listener. */
static void sort_endpoints(struct build *build)
{
    struct image_array *array = &build->image.arrays[ARRAY_ENDPOINTS];
    if (array->count > 1)
        qsort(array->data, array->count, sizeof(struct snapshot_endpoint), compare_endpoints);
}

static bool fill(struct build *build)
{
    const struct resource *resource;
    for (size_t i = 0; (resource = next_usable(build->configuration, RESOURCE_POOL, &i));) {
        if (!add_pool(build, (const struct pool *)resource))
            return false;
    }
    for (size_t i = 0; (resource = next_usable(build->configuration, RESOURCE_LISTENER, &i));) {
        if (!add_listener(build, (const struct listener *)resource))
            return false;
    }
    sort_endpoints(build);
    return true;
}

int snapshot_build(const struct configuration *configuration,
                   struct slot_map *slots,
                   uint64_t generation,
                   struct error *error)
{
    struct build build = {.configuration = configuration, .slots = slots};
    int result = prepare_slots(&build, error);
    if (result == 0 && !fill(&build)) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        result = -ENOMEM;
    }
    if (result == 0)
        result = snapshot_image_seal(&build.image, generation, error);
    snapshot_image_free(&build.image);
    uuid_map_free(&build.pool_numbers);
    return result;
}
