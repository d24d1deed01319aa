/* From raw facets to the effective configuration: the rules P1 to P7 of the architecture page,
 * applied to objects in an order that does not depend on how the facets arrived. */
#include "lbnode/model/configuration_internal.h"

#include "lbnode/model/field_value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stamp {
    uint64_t hlc, stream, seq;
};

/* An object as its facets come in. */
struct pending {
    struct resource *resource;
    struct pending *next; /* the same id with another type or owner: only a forger writes it */
    struct stamp life, creation;
    bool alive, has_creation;
    unsigned open_conflicts;
    uint64_t latest_hlc;
    unsigned invalid_facet; /* the lowest one that was refused, NO_FACET for none */
    char *invalid_text;
};

struct configuration_builder {
    struct uuid_map by_id; /* struct pending, first of its chain */
    size_t count;
};

enum {
    NO_FACET = 1 << 16,
    HLC_WALL_SHIFT = 16
};

struct configuration_builder *configuration_builder_new(void)
{
    return calloc(1, sizeof(struct configuration_builder));
}

static void pending_free(struct pending *pending)
{
    resource_free(pending->resource);
    free(pending->invalid_text);
    free(pending);
}

static void builder_free(struct configuration_builder *builder)
{
    struct pending *at;
    for (size_t i = 0; (at = uuid_map_next(&builder->by_id, &i));) {
        while (at) {
            struct pending *next = at->next;
            pending_free(at);
            at = next;
        }
    }
    uuid_map_free(&builder->by_id);
    free(builder);
}

static struct pending *pending_new(const struct raw_facet *facet)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    if (!pending)
        return NULL;
    pending->resource = resource_new((enum resource_type)facet->type);
    if (!pending->resource) {
        free(pending);
        return NULL;
    }
    pending->resource->id = facet->object_id;
    pending->resource->owner = facet->owner;
    pending->invalid_facet = NO_FACET;
    return pending;
}

static struct pending *pending_of(struct configuration_builder *builder,
                                  const struct raw_facet *facet)
{
    struct pending *first = uuid_map_get(&builder->by_id, &facet->object_id), *at = first;
    while (at && (at->resource->type != (enum resource_type)facet->type ||
                  !uuid_equal(&at->resource->owner, &facet->owner)))
        at = at->next;
    if (at)
        return at;
    at = pending_new(facet);
    if (!at)
        return NULL;
    at->next = first;
    if (!uuid_map_set(&builder->by_id, &facet->object_id, at)) {
        pending_free(at);
        return NULL;
    }
    builder->count++;
    return at;
}

static void read_facet(struct pending *pending, const struct raw_facet *facet)
{
    struct error error = {0};
    if (facet->facet == FACET_LIFE) {
        pending->alive = facet->value.size == 1 && facet->value.data[0] == 1;
    } else if (!resource_read_facet(pending->resource, facet->facet, facet->value, &error) &&
               facet->facet < pending->invalid_facet) {
        pending->invalid_facet = facet->facet;
        free(pending->invalid_text);
        pending->invalid_text = strdup(error.text);
    }
}

bool configuration_builder_add(struct configuration_builder *builder,
                               const struct raw_facet *facet)
{
    struct stamp stamp = {facet->hlc, facet->stream, facet->seq};
    if (!resource_class_of((enum resource_type)facet->type))
        return true; /* a newer version knows this type */
    struct pending *pending = pending_of(builder, facet);
    if (!pending)
        return false;
    read_facet(pending, facet);
    if (facet->facet == FACET_LIFE)
        pending->life = stamp;
    if (facet->facet == FACET_CREATION) {
        pending->creation = stamp;
        pending->has_creation = true;
    }
    if (facet->hlc > pending->latest_hlc)
        pending->latest_hlc = facet->hlc;
    pending->open_conflicts += facet->entry_count > 1;
    return true;
}

/* ---- order ----------------------------------------------------------------------------------
 */

/* Position in the walk of classes: owners come before what they own. */
static size_t rank_of(enum resource_type type)
{
    const struct resource_class *class;
    size_t rank = 0;
    while ((class = resource_class_at(rank)) && class->type != type)
        rank++;
    return rank;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_pending(const void *a, const void *b)
{
    const struct pending *x = *(struct pending *const *)a, *y = *(struct pending *const *)b;
    int order = compare_numbers(rank_of(x->resource->type), rank_of(y->resource->type));
    if (order == 0)
        order = compare_numbers(x->creation.hlc, y->creation.hlc);
    if (order == 0)
        order = compare_numbers(x->creation.stream, y->creation.stream);
    if (order == 0)
        order = compare_numbers(x->creation.seq, y->creation.seq);
    if (order == 0)
        order = uuid_compare(&x->resource->id, &y->resource->id);
    return order != 0 ? order : uuid_compare(&x->resource->owner, &y->resource->owner);
}

/* P1: what is not alive is left out. NULL when out of memory. */
static struct pending **sort_living(struct configuration_builder *builder, size_t *out_count)
{
    struct pending **living = calloc(builder->count + 1, sizeof(struct pending *)), *at;
    size_t count = 0;
    for (size_t i = 0; living && (at = uuid_map_next(&builder->by_id, &i));) {
        for (; at; at = at->next) {
            if (!at->has_creation)
                at->creation = at->life;
            if (at->alive)
                living[count++] = at;
        }
    }
    if (living)
        qsort(living, count, sizeof(struct pending *), compare_pending);
    *out_count = count;
    return living;
}

/* ---- rules of one object --------------------------------------------------------------------
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

static bool class_has_creation(const struct resource_class *class)
{
    for (size_t i = 0; i < class->field_count; i++) {
        if (class->fields[i].facet == FACET_CREATION && !(class->fields[i].flags & FIELD_OWNER))
            return true;
    }
    return false;
}

/* A record may leave out what has no default: the snapshot must never see such an object. */
static const struct field *missing_field(const struct resource *resource)
{
    const struct resource_class *class = resource_class_of(resource->type);
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (!(field->flags & FIELD_REQUIRED) || field->flags & FIELD_OWNER)
            continue;
        bool is_number = field->type == FIELD_INTEGER;
        if (is_number ? field_number(field, resource) < field->minimum
                      : field->type != FIELD_ENUM && field_is_unset(field, resource))
            return field;
    }
    return NULL;
}

/* P7: probing must end before the next probe; a foreign version may have written otherwise. */
static void clamp_timeout(struct effective *object)
{
    struct health_monitor *monitor = (struct health_monitor *)object->resource;
    if (object->resource->type != RESOURCE_HEALTH_MONITOR || monitor->timeout <= monitor->delay)
        return;
    explain(object, REASON_INVALID, true,
            "timeout %lld is longer than delay %lld; %lld is used for both.",
            (long long)monitor->timeout, (long long)monitor->delay, (long long)monitor->delay);
    monitor->timeout = monitor->delay;
}

/* P3 */
static void apply_value_rule(const struct pending *pending, struct effective *object)
{
    struct error error = {0};
    const struct field *missing = missing_field(object->resource);
    if (pending->invalid_facet != NO_FACET) {
        explain(object, REASON_INVALID, false, "%s",
                pending->invalid_text ? pending->invalid_text : "A value is refused.");
    } else if (!pending->has_creation &&
               class_has_creation(resource_class_of(object->resource->type))) {
        explain(object, REASON_INVALID, false, "Its creation is missing.");
    } else if (missing) {
        explain(object, REASON_INVALID, false, "Its attribute %s is missing.", missing->name);
    } else {
        clamp_timeout(object);
        if (!resource_check(object->resource, &error))
            explain(object, REASON_INVALID, false, "%s", error.text);
    }
}

/* P4: objects come in order of their claims, so whoever stands in the index is older. */
static void apply_claim_rule(const struct configuration *configuration,
                             struct effective *object)
{
    const struct object *winner = configuration_claimants(configuration, object->resource);
    if (!winner || !object->effective)
        return;
    const struct resource *other = winner->effective.resource;
    char id[UUID_TEXT_SIZE];
    uuid_format(&other->id, id);
    explain(object, REASON_CONFLICT, false, "%s %s%s%s, which is older, has the same %s.",
            resource_title(other->type), id, *other->name ? " " : "", other->name,
            other->type == RESOURCE_VRRP_GROUP      ? "vrid"
            : other->type == RESOURCE_LOAD_BALANCER ? "vip_address"
            : other->type == RESOURCE_LISTENER      ? "protocol_port"
            : other->type == RESOURCE_MEMBER        ? "address and protocol_port"
                                                    : "pool");
}

/* Address NUMBER of LOAD_BALANCER, the vip_address first; false behind the last. */
static bool
address_at(const struct load_balancer *load_balancer, size_t number, struct ip_address *out)
{
    *out = load_balancer->vip_address;
    return number == 0 ||
           (number <= load_balancer->additional_vips.count &&
            ip_address_parse(load_balancer->additional_vips.items[number - 1], out));
}

/* P4 for all addresses of a load balancer: also the additional ones must be nobody else's, or
 * two groups would fight for one. ADDRESSES maps them to the load balancers that have them. */
static bool apply_address_rule(struct uuid_map *addresses, struct effective *object)
{
    static const struct uuid name_space = {{RESOURCE_LOAD_BALANCER}};
    const struct load_balancer *self = (const struct load_balancer *)object->resource;
    char text[IP_ADDRESS_TEXT_SIZE], id[UUID_TEXT_SIZE];
    struct ip_address address;
    if (object->resource->type != RESOURCE_LOAD_BALANCER || !object->effective)
        return true;
    for (size_t i = 0; address_at(self, i, &address); i++) {
        ip_address_format(&address, text);
        struct uuid key = uuid_derived(&name_space, text);
        const struct resource *other = uuid_map_get(addresses, &key);
        if (!other)
            continue;
        uuid_format(&other->id, id);
        explain(object, REASON_CONFLICT, false,
                "Load Balancer %s, which is older, has the same address %s.", id, text);
        return true;
    }
    for (size_t i = 0; address_at(self, i, &address); i++) {
        ip_address_format(&address, text);
        struct uuid key = uuid_derived(&name_space, text);
        if (!uuid_map_set(addresses, &key, object->resource))
            return false;
    }
    return true;
}

static bool project_object(struct configuration *configuration,
                           struct uuid_map *addresses,
                           struct pending *pending)
{
    if (configuration_find(configuration, &pending->resource->id))
        return true; /* a forged second object with this id */
    struct object *object = calloc(1, sizeof(*object));
    if (!object)
        return false;
    object->effective = (struct effective){
        .resource = pending->resource,
        .effective = true,
        .claim_hlc = pending->creation.hlc,
        .claim_stream = pending->creation.stream,
        .claim_seq = pending->creation.seq,
        .open_conflicts = pending->open_conflicts,
    };
    pending->resource->created_wall_ms = pending->creation.hlc >> HLC_WALL_SHIFT;
    pending->resource->updated_wall_ms = pending->latest_hlc >> HLC_WALL_SHIFT;
    apply_owner_rule(configuration, &object->effective);
    if (object->effective.effective)
        apply_value_rule(pending, &object->effective);
    apply_claim_rule(configuration, &object->effective);
    pending->resource = NULL;
    bool ruled = apply_address_rule(addresses, &object->effective);
    return configuration_insert(configuration, object) && ruled;
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

static void check_references(struct configuration *configuration)
{
    struct object_list *listeners = &configuration->by_type[RESOURCE_LISTENER];
    struct object_list *balancers = &configuration->by_type[RESOURCE_LOAD_BALANCER];
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->items[i]->effective.reason == REASON_NONE)
            check_default_pool(configuration, &listeners->items[i]->effective);
    }
    for (size_t i = 0; i < balancers->count; i++) {
        if (balancers->items[i]->effective.reason == REASON_NONE)
            check_group(configuration, &balancers->items[i]->effective);
    }
}

struct configuration *configuration_builder_finish(struct configuration_builder *builder)
{
    size_t count = 0;
    struct uuid_map addresses = {0};
    struct configuration *configuration = configuration_new();
    struct pending **living = sort_living(builder, &count);
    bool complete = configuration && living;
    for (size_t i = 0; complete && i < count; i++)
        complete = project_object(configuration, &addresses, living[i]);
    if (complete)
        check_references(configuration);
    uuid_map_free(&addresses);
    free(living);
    builder_free(builder);
    if (!complete) {
        configuration_free(configuration);
        return NULL;
    }
    return configuration;
}
