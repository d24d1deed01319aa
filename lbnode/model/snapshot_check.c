/* The check of a whole snapshot image. Every rule here is one that readers rely on without
 * looking again. */
#include "lbnode/model/snapshot.h"

#include <string.h>

enum {
    ARRAY_ALIGNMENT = 8
};

static bool array_fits(const struct snapshot *s, struct snapshot_array array, size_t item_size)
{
    return array.offset % ARRAY_ALIGNMENT == 0 && array.offset >= sizeof(*s) &&
           array.offset <= s->size && array.count <= (s->size - array.offset) / item_size;
}

static bool header_is_valid(const struct snapshot *s, size_t size)
{
    return s->magic == SNAPSHOT_MAGIC && s->layout == SNAPSHOT_LAYOUT && s->size == size &&
           array_fits(s, s->endpoints, sizeof(struct snapshot_endpoint)) &&
           array_fits(s, s->listeners, sizeof(struct snapshot_listener)) &&
           array_fits(s, s->cidrs, sizeof(struct ip_prefix)) &&
           array_fits(s, s->pools, sizeof(struct snapshot_pool)) &&
           array_fits(s, s->members, sizeof(struct snapshot_member)) &&
           array_fits(s, s->monitors, sizeof(struct snapshot_monitor)) &&
           array_fits(s, s->schedule, sizeof(uint16_t)) && array_fits(s, s->strings, 1);
}

/* Every string ends inside the pool when the pool itself ends with a terminator. */
static bool strings_are_terminated(const struct snapshot *s)
{
    return s->strings.count == 0 ||
           snapshot_text(s, s->strings.offset)[s->strings.count - 1] == '\0';
}

static bool string_is_valid(const struct snapshot *s, snapshot_string string)
{
    return string == 0 ||
           (string >= s->strings.offset && string - s->strings.offset < s->strings.count);
}

static bool range_fits(uint32_t first, uint32_t count, uint32_t limit)
{
    return first <= limit && count <= limit - first;
}

static bool index_or_none(uint32_t index, uint32_t count)
{
    return index < count || index == SNAPSHOT_NONE;
}

static bool address_is_valid(const struct ip_address *address)
{
    static const uint8_t zeros[12];
    return address->family == 6 ||
           (address->family == 4 && memcmp(address->bytes + 4, zeros, sizeof(zeros)) == 0);
}

static bool endpoint_is_valid(const struct ip_endpoint *endpoint)
{
    return address_is_valid(&endpoint->address) && endpoint->port > 0;
}

/* False when SLOT is out of range or was taken before. */
static bool take_slot(uint64_t *taken, uint32_t slot, uint32_t limit)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if (slot >= limit || taken[slot / 64] & bit)
        return false;
    taken[slot / 64] |= bit;
    return true;
}

static bool endpoints_are_valid(const struct snapshot *s)
{
    const struct snapshot_endpoint *endpoints = snapshot_endpoints(s);
    for (uint32_t i = 0; i < s->endpoints.count; i++) {
        if (!endpoint_is_valid(&endpoints[i].endpoint) ||
            endpoints[i].listener >= s->listeners.count)
            return false;
        if (i == 0)
            continue;
        const struct ip_endpoint *before = &endpoints[i - 1].endpoint;
        int order = ip_address_compare(&before->address, &endpoints[i].endpoint.address);
        if (order > 0 || (order == 0 && before->port >= endpoints[i].endpoint.port))
            return false;
    }
    return true;
}

static bool listeners_are_valid(const struct snapshot *s)
{
    uint64_t taken[LISTENER_SLOTS / 64] = {0};
    for (uint32_t i = 0; i < s->listeners.count; i++) {
        const struct snapshot_listener *listener = &snapshot_listeners(s)[i];
        if (!take_slot(taken, listener->slot, LISTENER_SLOTS) || listener->incarnation == 0 ||
            (listener->protocol != SNAPSHOT_HTTP && listener->protocol != SNAPSHOT_TCP) ||
            listener->enabled > 1 || listener->port == 0 || listener->connection_limit < -1 ||
            !index_or_none(listener->pool, s->pools.count) ||
            !range_fits(listener->first_cidr, listener->cidr_count, s->cidrs.count) ||
            !string_is_valid(s, listener->name))
            return false;
    }
    return true;
}

static bool cidrs_are_valid(const struct snapshot *s)
{
    for (uint32_t i = 0; i < s->cidrs.count; i++) {
        const struct ip_prefix *prefix = &snapshot_cidrs(s)[i];
        if (!address_is_valid(&prefix->address) ||
            prefix->length > 8 * ip_address_size(&prefix->address))
            return false;
    }
    return true;
}

static bool
schedule_is_valid(const struct snapshot *s, uint32_t offset, uint32_t length, uint32_t members)
{
    if (!range_fits(offset, length, s->schedule.count))
        return false;
    for (uint32_t i = 0; i < length; i++) {
        if (snapshot_schedule(s)[offset + i] >= members)
            return false;
    }
    return true;
}

/* The pools' members follow each other without a gap: the sum of the lengths is bounded. */
static bool pools_are_valid(const struct snapshot *s)
{
    uint64_t taken[POOL_SLOTS / 64] = {0};
    uint32_t next_member = 0, next_schedule = 0;
    for (uint32_t i = 0; i < s->pools.count; i++) {
        const struct snapshot_pool *pool = &snapshot_pools(s)[i];
        if (!take_slot(taken, pool->slot, POOL_SLOTS) || pool->protocol < SNAPSHOT_HTTP ||
            pool->protocol > SNAPSHOT_UDP || pool->algorithm < SNAPSHOT_ROUND_ROBIN ||
            pool->algorithm > SNAPSHOT_SOURCE_IP_PORT || pool->enabled > 1 ||
            pool->is_limited > 1 || pool->reuse > SNAPSHOT_REUSE_ALWAYS ||
            pool->initial_state > SNAPSHOT_INITIAL_ONLINE ||
            pool->passive_check > SNAPSHOT_PASSIVE_FAILURES_AND_5XX ||
            pool->on_down > SNAPSHOT_ON_DOWN_RESET || pool->fail_open_percent > 100 ||
            pool->first_member != next_member || pool->member_count > POOL_MAXIMUM_MEMBERS ||
            !range_fits(pool->first_member, pool->member_count, s->members.count) ||
            !index_or_none(pool->monitor, s->monitors.count) ||
            pool->schedule_offset != next_schedule ||
            !schedule_is_valid(s, pool->schedule_offset, pool->schedule_length,
                               pool->member_count))
            return false;
        next_member += pool->member_count;
        next_schedule += pool->schedule_length;
        if (pool->backup_schedule_offset != next_schedule ||
            !schedule_is_valid(s, pool->backup_schedule_offset, pool->backup_schedule_length,
                               pool->member_count) ||
            !string_is_valid(s, pool->name))
            return false;
        next_schedule += pool->backup_schedule_length;
    }
    return next_member == s->members.count;
}

static bool members_are_valid(const struct snapshot *s)
{
    uint64_t taken[MEMBER_SLOTS / 64] = {0};
    for (uint32_t i = 0; i < s->members.count; i++) {
        const struct snapshot_member *member = &snapshot_members(s)[i];
        if (!take_slot(taken, member->slot, MEMBER_SLOTS) || member->incarnation == 0 ||
            !endpoint_is_valid(&member->endpoint) ||
            !endpoint_is_valid(&member->monitor_endpoint) || member->pool >= s->pools.count ||
            member->weight > 256 || member->backup > 1 || member->enabled > 1 ||
            !string_is_valid(s, member->name))
            return false;
        const struct snapshot_pool *pool = &snapshot_pools(s)[member->pool];
        if (i < pool->first_member || i - pool->first_member >= pool->member_count)
            return false;
    }
    return true;
}

static bool monitors_are_valid(const struct snapshot *s)
{
    for (uint32_t i = 0; i < s->monitors.count; i++) {
        const struct snapshot_monitor *monitor = &snapshot_monitors(s)[i];
        if (monitor->pool >= s->pools.count || snapshot_pools(s)[monitor->pool].monitor != i ||
            monitor->type < SNAPSHOT_MONITOR_HTTP ||
            monitor->type > SNAPSHOT_MONITOR_UDP_CONNECT || monitor->enabled > 1 ||
            monitor->max_retries == 0 || monitor->max_retries_down == 0 ||
            monitor->transition_delay_ms > monitor->delay_ms ||
            (monitor->http_version != 10 && monitor->http_version != 11) ||
            !string_is_valid(s, monitor->http_method) ||
            !string_is_valid(s, monitor->url_path) ||
            !string_is_valid(s, monitor->domain_name) ||
            !string_is_valid(s, monitor->expected_codes))
            return false;
    }
    return true;
}

bool snapshot_is_valid(const void *image, size_t size)
{
    const struct snapshot *s = image;
    return size >= sizeof(*s) && size <= SNAPSHOT_MAXIMUM_SIZE && header_is_valid(s, size) &&
           strings_are_terminated(s) && listeners_are_valid(s) && cidrs_are_valid(s) &&
           pools_are_valid(s) && members_are_valid(s) && monitors_are_valid(s) &&
           endpoints_are_valid(s);
}
