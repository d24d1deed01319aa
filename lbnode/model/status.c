#include "lbnode/model/status.h"

#include "lbnode/base/bytes.h"

static const char *const status_names[] = {
    [OPERATING_ONLINE] = "ONLINE",   [OPERATING_DRAINING] = "DRAINING",
    [OPERATING_OFFLINE] = "OFFLINE", [OPERATING_DEGRADED] = "DEGRADED",
    [OPERATING_ERROR] = "ERROR",     [OPERATING_NO_MONITOR] = "NO_MONITOR",
};

const char *operating_status_name(enum operating_status status)
{
    return (size_t)status < ARRAY_LENGTH(status_names) ? status_names[status] : "UNKNOWN";
}

static enum operating_status switched(const struct resource *resource)
{
    return resource->admin_state_up ? OPERATING_ONLINE : OPERATING_OFFLINE;
}

/* As HAProxy reports it to Octavia: a member that fails is ERROR even when it is drained, and
 * one that nobody probes is NO_MONITOR whatever its weight. */
static enum operating_status member_status(const struct member *member,
                                           const struct health_monitor *monitor,
                                           const struct status_source *source)
{
    if (!member->resource.admin_state_up)
        return OPERATING_OFFLINE;
    if (!monitor || !monitor->resource.admin_state_up)
        return OPERATING_NO_MONITOR;
    enum verdict_state verdict = source->verdict(source->context, &member->resource.id);
    if (verdict == VERDICT_ERROR)
        return OPERATING_ERROR;
    if (member->weight == 0)
        return OPERATING_DRAINING;
    return verdict == VERDICT_ONLINE ? OPERATING_ONLINE : OPERATING_OFFLINE;
}

static bool owner_is_enabled(const struct configuration *configuration,
                             const struct resource *resource)
{
    const struct effective *owner = configuration_find(configuration, &resource->owner);
    return owner && owner->effective && owner->resource->admin_state_up;
}

/* Is the pool the default of an enabled listener? Only then does a proxy use it. */
static bool pool_is_attached(const struct configuration *configuration,
                             const struct resource *pool)
{
    const struct effective *at;
    if (!owner_is_enabled(configuration, pool))
        return false;
    for (size_t i = 0;
         (at = configuration_child(configuration, &pool->owner, RESOURCE_LISTENER, i)); i++) {
        const struct listener *listener = (const struct listener *)at->resource;
        if (at->effective && at->resource->admin_state_up &&
            uuid_equal(&listener->default_pool_id, &pool->id))
            return true;
    }
    return false;
}

struct member_tally {
    unsigned total, usable, failed, unreported;
};

static struct member_tally tally_members(const struct configuration *configuration,
                                         const struct resource *pool,
                                         const struct status_source *source)
{
    struct member_tally tally = {0};
    const struct health_monitor *monitor = configuration_monitor_of(configuration, &pool->id);
    const struct effective *at;
    for (size_t i = 0; (at = configuration_child(configuration, &pool->id, RESOURCE_MEMBER, i));
         i++) {
        if (!at->effective)
            continue; /* as if it were not there */
        const struct member *member = (const struct member *)at->resource;
        enum operating_status status = member_status(member, monitor, source);
        bool answers = status == OPERATING_ONLINE || status == OPERATING_NO_MONITOR;
        tally.total++;
        tally.usable += answers && member->weight > 0;
        tally.failed += status == OPERATING_ERROR;
        tally.unreported += status == OPERATING_OFFLINE && member->resource.admin_state_up;
    }
    return tally;
}

/* A pool with members of which none takes traffic is in ERROR, whoever wanted it so: that is
 * what its clients get. While some have no verdict and none failed it is not reported yet. */
static enum operating_status pool_status(const struct configuration *configuration,
                                         const struct resource *pool,
                                         const struct status_source *source)
{
    if (!pool->admin_state_up || !pool_is_attached(configuration, pool))
        return OPERATING_OFFLINE;
    struct member_tally tally = tally_members(configuration, pool, source);
    if (tally.total == 0)
        return OPERATING_ONLINE;
    if (tally.usable > 0)
        return tally.failed > 0 ? OPERATING_DEGRADED : OPERATING_ONLINE;
    bool waits = tally.failed == 0 && tally.unreported > 0;
    return waits ? OPERATING_OFFLINE : OPERATING_ERROR;
}

static enum operating_status listener_status(const struct configuration *configuration,
                                             const struct resource *listener,
                                             const struct status_source *source)
{
    const struct effective *self = configuration_find(configuration, &listener->id);
    if (!listener->admin_state_up || !owner_is_enabled(configuration, listener))
        return OPERATING_OFFLINE;
    if (!self || !self->effective || !source->listener_running(source->context, &listener->id))
        return OPERATING_ERROR;
    return source->listener_full(source->context, &listener->id) ? OPERATING_DEGRADED
                                                                 : OPERATING_ONLINE;
}

static enum operating_status load_balancer_status(const struct configuration *configuration,
                                                  const struct resource *load_balancer,
                                                  const struct status_source *source)
{
    const struct effective *at = configuration_find(configuration, &load_balancer->id);
    enum operating_status worst = OPERATING_ONLINE;
    if (!load_balancer->admin_state_up)
        return OPERATING_OFFLINE;
    if (!at || !at->effective)
        return OPERATING_ERROR;
    for (size_t i = 0;
         (at = configuration_child(configuration, &load_balancer->id, RESOURCE_POOL, i)); i++) {
        if (!at->effective)
            continue;
        enum operating_status status = pool_status(configuration, at->resource, source);
        if (status == OPERATING_ERROR)
            return OPERATING_ERROR;
        if (status == OPERATING_DEGRADED)
            worst = OPERATING_DEGRADED;
    }
    for (size_t i = 0;
         (at = configuration_child(configuration, &load_balancer->id, RESOURCE_LISTENER, i));
         i++) {
        if (listener_status(configuration, at->resource, source) == OPERATING_DEGRADED)
            worst = OPERATING_DEGRADED;
    }
    return worst;
}

enum operating_status status_of(const struct configuration *configuration,
                                const struct resource *resource,
                                const struct status_source *source)
{
    switch (resource->type) {
    case RESOURCE_LOAD_BALANCER: return load_balancer_status(configuration, resource, source);
    case RESOURCE_LISTENER: return listener_status(configuration, resource, source);
    case RESOURCE_POOL: return pool_status(configuration, resource, source);
    case RESOURCE_MEMBER:
        return member_status((const struct member *)resource,
                             configuration_monitor_of(configuration, &resource->owner), source);
    default: return switched(resource);
    }
}
