#include "lbnode/model/projection_internal.h"

#include "lbnode/model/field_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- who must be judged again --------------------------------------------------------------
 */

void projection_mark(struct projection *projection, struct object *object)
{
    if (object->turn > 0)
        return;
    if (projection->queue_count == projection->queue_capacity) {
        size_t capacity = projection->queue_capacity ? 2 * projection->queue_capacity : 64;
        struct object **queue = realloc(projection->queue, capacity * sizeof(struct object *));
        if (!queue) {
            projection->failed = true;
            return;
        }
        projection->queue = queue;
        projection->queue_capacity = capacity;
    }
    projection->queue[projection->queue_count++] = object;
    object->turn = projection->queue_count;
}

void projection_mark_references(struct projection *projection, const struct uuid *id)
{
    struct object *at = configuration_linked(projection->configuration, INDEX_REFERENCE, id);
    for (; at; at = at->next[INDEX_REFERENCE])
        projection_mark(projection, at);
}

static void mark_children(struct projection *projection, struct object *object)
{
    for (int kind = 0; kind < OBJECT_CHILD_KINDS; kind++) {
        for (size_t i = 0; i < object->children[kind].count; i++)
            projection_mark(projection, object->children[kind].items[i]);
    }
}

static void mark_claimants(struct projection *projection, const struct object *object)
{
    const struct object *at =
        configuration_claimants(projection->configuration, object->effective.resource);
    for (; at; at = at->next[INDEX_CLAIM]) {
        if (at != object)
            projection_mark(projection, (struct object *)(uintptr_t)at);
    }
}

/* ---- addresses of load balancers -----------------------------------------------------------
 */

/* Address NUMBER of LOAD_BALANCER, the vip_address first; false behind the last. */
static bool
address_at(const struct load_balancer *load_balancer, size_t number, struct ip_address *out)
{
    *out = load_balancer->vip_address;
    return number == 0 ||
           (number <= load_balancer->additional_vips.count &&
            ip_address_parse(load_balancer->additional_vips.items[number - 1], out));
}

static struct uuid address_key(const struct ip_address *address)
{
    static const struct uuid name_space = {{RESOURCE_LOAD_BALANCER}};
    char text[IP_ADDRESS_TEXT_SIZE];
    ip_address_format(address, text);
    return uuid_derived(&name_space, text);
}

static const struct load_balancer *as_load_balancer(const struct object *object)
{
    const struct resource *resource = object->effective.resource;
    return resource->type == RESOURCE_LOAD_BALANCER ? (const struct load_balancer *)resource
                                                    : NULL;
}

static void mark_sharers(struct projection *projection, const struct object *object)
{
    const struct load_balancer *self = as_load_balancer(object);
    struct ip_address address;
    for (size_t i = 0; self && address_at(self, i, &address); i++) {
        struct uuid key = address_key(&address);
        struct address_claim *at = uuid_map_get(&projection->addresses, &key);
        for (; at; at = at->next) {
            if (at->object != object)
                projection_mark(projection, at->object);
        }
    }
}

static void add_address(struct projection *projection,
                        struct object *object,
                        const struct ip_address *address)
{
    struct address_claim *claim = calloc(1, sizeof(*claim));
    if (!claim) {
        projection->failed = true;
        return;
    }
    claim->key = address_key(address);
    claim->object = object;
    claim->next = uuid_map_get(&projection->addresses, &claim->key);
    if (!uuid_map_set(&projection->addresses, &claim->key, claim)) {
        free(claim);
        projection->failed = true;
    }
}

static void remove_address(struct projection *projection,
                           const struct object *object,
                           const struct ip_address *address)
{
    struct uuid key = address_key(address);
    struct address_claim *first = uuid_map_get(&projection->addresses, &key);
    struct address_claim **at = &first;
    while (*at && (*at)->object != object)
        at = &(*at)->next;
    struct address_claim *found = *at;
    if (!found)
        return;
    *at = found->next;
    if (!first)
        uuid_map_remove(&projection->addresses, &key);
    else
        uuid_map_set(&projection->addresses, &key, first); /* the key is there: no memory */
    free(found);
}

static void claim_addresses(struct projection *projection, struct object *object, bool claims)
{
    const struct load_balancer *self = as_load_balancer(object);
    struct ip_address address;
    for (size_t i = 0; self && address_at(self, i, &address); i++) {
        if (claims)
            add_address(projection, object, &address);
        else
            remove_address(projection, object, &address);
    }
}

/* An older load balancer that uses one of the addresses of OBJECT. */
static const struct object *find_sharer(const struct projection *projection,
                                        const struct object *object,
                                        struct ip_address *out_address)
{
    const struct load_balancer *self = as_load_balancer(object);
    for (size_t i = 0; address_at(self, i, out_address); i++) {
        struct uuid key = address_key(out_address);
        const struct address_claim *at = uuid_map_get(&projection->addresses, &key);
        for (; at; at = at->next) {
            if (at->object != object && at->object->effective.effective &&
                object_compare(at->object, object) < 0)
                return at->object;
        }
    }
    return NULL;
}

/* ---- claims --------------------------------------------------------------------------------
 */

static void take_claims(struct projection *projection, struct object *object)
{
    object->claiming = true;
    if (!object_link(projection->configuration, object, INDEX_CLAIM))
        projection->failed = true;
    claim_addresses(projection, object, true);
    mark_claimants(projection, object);
    mark_sharers(projection, object);
}

void projection_release_claims(struct projection *projection, struct object *object)
{
    if (!object->claiming)
        return;
    object->claiming = false;
    mark_claimants(projection, object);
    mark_sharers(projection, object);
    object_unlink(projection->configuration, object, INDEX_CLAIM);
    claim_addresses(projection, object, false);
}

/* ---- the rules -----------------------------------------------------------------------------
 */

static void explain(struct effective *object,
                    enum ineffective_reason reason,
                    bool effective,
                    const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

static void explain(struct effective *object,
                    enum ineffective_reason reason,
                    bool effective,
                    const char *format,
                    ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    free(object->reason_text);
    object->reason_text = text;
    object->reason = reason;
    object->effective = effective;
}

/* P2: an orphan's children are orphans too. */
static void apply_owner_rule(const struct configuration *configuration,
                             struct effective *object)
{
    const struct resource *resource = object->resource;
    const struct resource_class *class = resource_class_of(resource->type);
    if (class->owner_type == RESOURCE_NONE)
        return;
    const struct effective *owner = configuration_find(configuration, &resource->owner);
    char id[UUID_TEXT_SIZE];
    uuid_format(&resource->owner, id);
    if (!owner || owner->resource->type != class->owner_type)
        explain(object, REASON_ORPHAN, false, "%s %s, which it belongs to, was deleted.",
                resource_title(class->owner_type), id);
    else if (owner->reason == REASON_ORPHAN)
        explain(object, REASON_ORPHAN, false, "%s %s, which it belongs to, is an orphan.",
                resource_title(class->owner_type), id);
}

static void apply_own_verdict(struct object *object)
{
    if (object->own.reason != REASON_NONE)
        explain(&object->effective, object->own.reason, object->own.effective, "%s",
                object->own.text ? object->own.text : "A value is refused.");
}

static const char *claim_name(enum resource_type type)
{
    switch (type) {
    case RESOURCE_VRRP_GROUP: return "vrid";
    case RESOURCE_LOAD_BALANCER: return "vip_address";
    case RESOURCE_LISTENER: return "protocol_port";
    case RESOURCE_MEMBER: return "address and protocol_port";
    default: return "pool";
    }
}

static void lose_to(struct effective *object, const struct resource *other)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&other->id, id);
    explain(object, REASON_CONFLICT, false, "%s %s%s%s, which is older, has the same %s.",
            resource_title(other->type), id, *other->name ? " " : "", other->name,
            claim_name(other->type));
}

/* P4 for all addresses of a load balancer: also the additional ones must be nobody else's, or
 * two groups would fight for one. */
static void apply_address_rule(const struct projection *projection, struct object *object)
{
    struct ip_address address;
    char text[IP_ADDRESS_TEXT_SIZE], id[UUID_TEXT_SIZE];
    const struct object *other = find_sharer(projection, object, &address);
    if (!other)
        return;
    if (ip_address_equal(&as_load_balancer(other)->vip_address,
                         &as_load_balancer(object)->vip_address)) {
        lose_to(&object->effective, other->effective.resource);
        return;
    }
    ip_address_format(&address, text);
    uuid_format(&other->effective.resource->id, id);
    explain(&object->effective, REASON_CONFLICT, false,
            "Load Balancer %s, which is older, has the same address %s.", id, text);
}

/* P4: the oldest claim wins. */
static void apply_claim_rule(const struct projection *projection, struct object *object)
{
    if (as_load_balancer(object)) {
        apply_address_rule(projection, object);
        return;
    }
    const struct object *winner =
        configuration_claimants(projection->configuration, object->effective.resource);
    if (winner && winner != object)
        lose_to(&object->effective, winner->effective.resource);
}

/* ---- P6: references -------------------------------------------------------------------------
 */

static void check_default_pool(const struct configuration *configuration,
                               struct effective *object)
{
    const struct listener *listener = (const struct listener *)object->resource;
    if (uuid_is_zero(&listener->default_pool_id))
        return;
    const struct effective *found =
        configuration_find(configuration, &listener->default_pool_id);
    char id[UUID_TEXT_SIZE];
    uuid_format(&listener->default_pool_id, id);
    if (!found || found->resource->type != RESOURCE_POOL)
        explain(object, REASON_DANGLING, true,
                "Its default pool %s was deleted; it answers without a pool.", id);
    else if (!uuid_equal(&found->resource->owner, &object->resource->owner) ||
             !protocols_are_compatible(listener->protocol,
                                       ((const struct pool *)found->resource)->protocol))
        explain(object, REASON_DANGLING, true,
                "Its default pool %s cannot serve it; it answers without a pool.", id);
}

static void check_group(const struct configuration *configuration, struct effective *object)
{
    const struct load_balancer *load_balancer = (const struct load_balancer *)object->resource;
    char id[UUID_TEXT_SIZE];
    uuid_format(&load_balancer->vrrp_group_id, id);
    if (!uuid_is_zero(&load_balancer->vrrp_group_id) &&
        !configuration_group_of(configuration, load_balancer))
        explain(object, REASON_DANGLING, true,
                "Its VRRP group %s was deleted; no node takes its addresses.", id);
}

static void apply_reference_rule(const struct configuration *configuration,
                                 struct effective *object)
{
    if (object->resource->type == RESOURCE_LISTENER)
        check_default_pool(configuration, object);
    else if (object->resource->type == RESOURCE_LOAD_BALANCER)
        check_group(configuration, object);
}

/* ---- one object ----------------------------------------------------------------------------
 */

static void clear(struct effective *effective)
{
    free(effective->reason_text);
    effective->reason_text = NULL;
    effective->reason = REASON_NONE;
    effective->effective = true;
}

#ifdef LBNODE_POISON
static void crash_on_poison(const struct object *object)
{
    const struct resource *resource = object->effective.resource;
    if (object->own.reason != REASON_WITHHELD && resource->type == RESOURCE_MEMBER &&
        strcmp(resource->name, "poison-control") == 0)
        abort();
}
#endif

static void judge(struct projection *projection, struct object *object)
{
    struct effective *effective = &object->effective;
    bool was_orphan = effective->reason == REASON_ORPHAN, was_effective = effective->effective;
#ifdef LBNODE_POISON
    crash_on_poison(object);
#endif
    clear(effective);
    if (object->own.reason != REASON_WITHHELD)
        apply_owner_rule(projection->configuration, effective);
    if (effective->effective)
        apply_own_verdict(object);
    if (effective->effective && !object->claiming)
        take_claims(projection, object);
    else if (!effective->effective)
        projection_release_claims(projection, object);
    if (effective->effective)
        apply_claim_rule(projection, object);
    if (effective->reason == REASON_NONE)
        apply_reference_rule(projection->configuration, effective);
    if (was_orphan != (effective->reason == REASON_ORPHAN))
        mark_children(projection, object);
    if (was_effective != effective->effective)
        mark_sharers(projection, object);
    projection->changed_types |= 1u << effective->resource->type;
}

void projection_judge(struct projection *projection)
{
    for (size_t i = 0; i < projection->queue_count && !projection->failed; i++) {
        struct object *object = projection->queue[i];
        if (!object)
            continue;
        object->turn = 0;
        judge(projection, object);
    }
    projection->queue_count = 0;
}
