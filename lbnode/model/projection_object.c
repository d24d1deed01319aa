#include "lbnode/model/projection_internal.h"

#include "lbnode/model/field_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NO_FACET = 1 << 16,
    HLC_WALL_SHIFT = 16
};

void draft_free(struct draft *draft)
{
    while (draft) {
        struct draft *next = draft->next;
        resource_free(draft->resource);
        free(draft->invalid_text);
        free(draft);
        draft = next;
    }
}

struct draft *draft_new(const struct raw_facet *facet, enum withhold_level withheld)
{
    struct draft *draft = calloc(1, sizeof(*draft));
    if (!draft)
        return NULL;
    draft->resource = resource_new((enum resource_type)facet->type);
    if (!draft->resource) {
        free(draft);
        return NULL;
    }
    draft->resource->id = facet->object_id;
    draft->resource->owner = facet->owner;
    draft->invalid_facet = NO_FACET;
    draft->withheld = withheld;
    return draft;
}

bool draft_is_of(const struct draft *draft, const struct raw_facet *facet)
{
    return draft->resource->type == (enum resource_type)facet->type &&
           uuid_equal(&draft->resource->owner, &facet->owner);
}

static bool may_read(const struct draft *draft, uint16_t facet)
{
    switch (draft->withheld) {
    case WITHHOLD_NOTHING: return true;
    case WITHHOLD_RULES: return facet == FACET_META || facet == FACET_CREATION;
    case WITHHOLD_VALUES: return false;
    }
    return false;
}

static void read_value(struct draft *draft, const struct raw_facet *facet)
{
    struct error error = {0};
    if (facet->facet == FACET_LIFE) {
        draft->alive = facet->value.size == 1 && facet->value.data[0] == 1;
    } else if (may_read(draft, facet->facet) &&
               !resource_read_facet(draft->resource, facet->facet, facet->value, &error) &&
               facet->facet < draft->invalid_facet) {
        draft->invalid_facet = facet->facet;
        free(draft->invalid_text);
        draft->invalid_text = strdup(error.text);
    }
}

uint64_t raw_facet_revision(const struct raw_facet *facet)
{
    uint64_t parts[] = {facet->facet, facet->stream, facet->seq, facet->entry_count,
                        facet->entries_hash};
    uint8_t bytes[8 * ARRAY_LENGTH(parts)];
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        store_be64(bytes + 8 * i, parts[i]);
    return bytes_hash(bytes, sizeof(bytes), 0);
}

void draft_read(struct draft *draft, const struct raw_facet *facet)
{
    struct stamp stamp = {facet->hlc, facet->stream, facet->seq};
    read_value(draft, facet);
    if (facet->facet == FACET_LIFE)
        draft->life = stamp;
    if (facet->facet == FACET_CREATION) {
        draft->creation = stamp;
        draft->has_creation = true;
    }
    if (facet->hlc > draft->latest_hlc)
        draft->latest_hlc = facet->hlc;
    draft->open_conflicts += facet->entry_count > 1;
    draft->revision += raw_facet_revision(facet);
}

/* ---- which of several ----------------------------------------------------------------------
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

static const struct stamp *birth(const struct draft *draft)
{
    return draft->has_creation ? &draft->creation : &draft->life;
}

static int compare_drafts(const struct draft *x, const struct draft *y)
{
    const struct stamp *a = birth(x), *b = birth(y);
    int order = compare_numbers(rank_of(x->resource->type), rank_of(y->resource->type));
    if (order == 0)
        order = compare_numbers(a->hlc, b->hlc);
    if (order == 0)
        order = compare_numbers(a->stream, b->stream);
    if (order == 0)
        order = compare_numbers(a->seq, b->seq);
    return order != 0 ? order : uuid_compare(&x->resource->owner, &y->resource->owner);
}

struct draft *draft_choose(struct draft *first)
{
    struct draft *best = NULL;
    for (struct draft *at = first; at; at = at->next) {
        if (at->alive && (!best || compare_drafts(at, best) < 0))
            best = at;
    }
    return best;
}

/* ---- P3, P7: what is wrong with an object whatever stands around it
 * --------------------------
 */

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

static void refuse(struct object_verdict *own, enum ineffective_reason reason, const char *text)
{
    own->effective = false;
    own->reason = reason;
    own->text = strdup(text);
}

/* P7: probing must end before the next probe; a foreign version may have written otherwise. */
static void clamp_timeout(struct resource *resource, struct object_verdict *own)
{
    struct health_monitor *monitor = (struct health_monitor *)resource;
    if (resource->type != RESOURCE_HEALTH_MONITOR || monitor->timeout <= monitor->delay)
        return;
    long long delay = monitor->delay;
    own->reason = REASON_INVALID;
    if (asprintf(&own->text, "timeout %lld is longer than delay %lld; %lld is used for both.",
                 (long long)monitor->timeout, delay, delay) < 0)
        own->text = NULL;
    monitor->timeout = monitor->delay;
}

static void judge_alone(struct draft *draft, struct object_verdict *own)
{
    struct resource *resource = draft->resource;
    const struct field *missing = missing_field(resource);
    struct error error = {0};
    char text[128];
    *own = (struct object_verdict){.effective = true};
    if (draft->withheld != WITHHOLD_NOTHING) {
        refuse(own, REASON_WITHHELD,
               "This node's control process crashed while it took this over; the change that "
               "did it waits until the object is changed or deleted.");
    } else if (draft->invalid_facet != NO_FACET) {
        refuse(own, REASON_INVALID,
               draft->invalid_text ? draft->invalid_text : "A value is refused.");
    } else if (!draft->has_creation && class_has_creation(resource_class_of(resource->type))) {
        refuse(own, REASON_INVALID, "Its creation is missing.");
    } else if (missing) {
        snprintf(text, sizeof(text), "Its attribute %s is missing.", missing->name);
        refuse(own, REASON_INVALID, text);
    } else {
        clamp_timeout(resource, own);
        if (!resource_check(resource, &error)) {
            free(own->text);
            refuse(own, REASON_INVALID, error.text);
        }
    }
}

void draft_move(struct draft *draft, struct object *object)
{
    const struct stamp *created = birth(draft);
    free(object->own.text);
    judge_alone(draft, &object->own);
    object->effective.resource = draft->resource;
    object->effective.claim_hlc = created->hlc;
    object->effective.claim_stream = created->stream;
    object->effective.claim_seq = created->seq;
    object->effective.open_conflicts = draft->open_conflicts;
    object->effective.revision = draft->revision;
    draft->resource->created_wall_ms = created->hlc >> HLC_WALL_SHIFT;
    draft->resource->updated_wall_ms = draft->latest_hlc >> HLC_WALL_SHIFT;
    draft->resource = NULL;
}
