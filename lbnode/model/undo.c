#include "lbnode/model/undo.h"

#include "lbnode/crypto/crypto.h"
#include "lbnode/model/field_table.h"
#include "lbnode/model/field_value.h"
#include "lbnode/model/sensitive.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOBODY = -1
};

struct work {
    struct undo_plan *plan;
    const struct undo_object *object;
    const struct resource_class *class; /* NULL: this version does not know the type */
    enum undo_mode mode;
    bool failed;
};

/* ---- results ---------------------------------------------------------------------------- */

static void leave(struct work *work,
                  enum undo_obstacle obstacle,
                  uint16_t facet,
                  const char *attribute,
                  size_t by)
{
    struct undo_plan *plan = work->plan;
    if (plan->left_count == plan->left_capacity) {
        size_t capacity = plan->left_capacity ? 2 * plan->left_capacity : 16;
        struct undo_left *left = realloc(plan->left, capacity * sizeof(*left));
        if (!left) {
            work->failed = true;
            return;
        }
        plan->left = left;
        plan->left_capacity = capacity;
    }
    plan->left[plan->left_count++] = (struct undo_left){
        obstacle, work->object->id, work->object->type, facet, attribute, by};
}

static void list_deletion(struct work *work)
{
    struct undo_plan *plan = work->plan;
    if (plan->deleted_count == plan->deleted_capacity) {
        size_t capacity = plan->deleted_capacity ? 2 * plan->deleted_capacity : 16;
        struct uuid *deleted = realloc(plan->deleted, capacity * sizeof(*deleted));
        if (!deleted) {
            work->failed = true;
            return;
        }
        plan->deleted = deleted;
        plan->deleted_capacity = capacity;
    }
    plan->deleted[plan->deleted_count++] = work->object->id;
}

static void put(struct work *work, uint16_t facet, struct bytes value)
{
    const struct undo_object *object = work->object;
    work->failed |= !change_set_add(&work->plan->changes, &object->id, &object->owner,
                                    object->type, facet, value);
}

/* ---- the past of one facet -------------------------------------------------------------- */

static const struct undo_value *current_of(const struct undo_object *object, uint16_t facet)
{
    for (size_t i = 0; i < object->current_count; i++)
        if (object->current[i].facet == facet)
            return &object->current[i];
    return NULL;
}

/* The first write of the facet that is undone; write_count: none is. */
static size_t first_undone(const struct undo_object *object, uint16_t facet)
{
    size_t i = 0;
    while (i < object->write_count &&
           (!object->writes[i].undone || object->writes[i].facet != facet))
        i++;
    return i;
}

/* The last write of the facet before UPTO; NULL: it is not known. */
static const struct undo_write *
last_before(const struct undo_object *object, uint16_t facet, size_t upto)
{
    for (size_t i = upto; i-- > 0;)
        if (object->writes[i].facet == facet)
            return &object->writes[i];
    return NULL;
}

/* ---- attributes ------------------------------------------------------------------------- */

static bool lists_are_equal(const struct text_list *a, const struct text_list *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = strcmp(a->items[i], b->items[i]) == 0;
    return equal;
}

static bool
is_equal(const struct field *field, const struct resource *a, const struct resource *b)
{
    switch (field->type) {
    case FIELD_BOOL: return field_truth(field, a) == field_truth(field, b);
    case FIELD_INTEGER:
    case FIELD_ENUM: return field_number(field, a) == field_number(field, b);
    case FIELD_TEXT: return strcmp(field_text(field, a), field_text(field, b)) == 0;
    case FIELD_ID: return uuid_equal(field_id(field, a), field_id(field, b));
    case FIELD_ADDRESS:
        return ip_address_compare(field_address(field, a), field_address(field, b)) == 0;
    case FIELD_TEXT_LIST:
    case FIELD_TEXT_MAP: return lists_are_equal(field_list(field, a), field_list(field, b));
    case FIELD_SEALED:
        return sealed_value_equal(field_sealed(field, a), field_sealed(field, b));
    }
    return true;
}

static struct resource *read_state(const struct work *work, uint16_t facet, struct bytes value)
{
    struct resource *resource = work->class ? resource_new(work->class->type) : NULL;
    if (resource && resource_read_facet(resource, facet, value, NULL)) {
        resource->id = work->object->id;
        resource->owner = work->object->owner;
        return resource;
    }
    resource_free(resource);
    return NULL;
}

/* A value sealed anew is the same as before, though its bytes differ: the states before the
 * write number AT get the new bytes, as far as they had the old ones. */
static bool
follow_resealing(const struct work *work, uint16_t facet, struct resource **states, size_t at)
{
    bool good = true;
    for (size_t f = 0; f < work->class->field_count; f++) {
        const struct field *field = &work->class->fields[f];
        if (field->facet != facet || field->type != FIELD_SEALED)
            continue;
        for (size_t i = 0; i + 1 < at; i++)
            if (is_equal(field, states[i], states[at - 1]))
                good &= field_copy(field, states[at], states[i]);
        good &= field_copy(field, states[at], states[at - 1]);
    }
    return good;
}

/* Later ones first, so that what was sealed anew twice ends as it is now. */
static bool follow_resealings(const struct work *work,
                              uint16_t facet,
                              size_t first,
                              struct resource **states,
                              size_t count)
{
    bool good = true;
    size_t at = count - 1; /* what is in force, behind the last write */
    for (size_t i = work->object->write_count; i-- > first;) {
        const struct undo_write *write = &work->object->writes[i];
        if (write->facet == facet && --at > 0 && write->resealed)
            good &= follow_resealing(work, facet, states, at);
    }
    return good;
}

/* Nobody is served by a value that nobody can open. */
static bool
is_readable(const struct work *work, const struct field *field, const struct resource *state)
{
    size_t size;
    if (!work->plan->keys || field->type != FIELD_SEALED || field_is_unset(field, state))
        return true;
    uint8_t *plain = sensitive_open(state, field, work->plan->keys, &size, NULL);
    secret_free(plain);
    return plain;
}

struct touched {
    bool mine; /* by a write that is undone */
    long by;   /* the last foreign write, or NOBODY */
};

/* What became of FIELD from the write FIRST on. */
static struct touched follow(const struct work *work,
                             const struct field *field,
                             size_t first,
                             struct resource *const *states)
{
    const struct undo_object *object = work->object;
    struct touched touched = {false, NOBODY};
    const struct resource *previous = states[0];
    size_t at = 1;
    for (size_t i = first; i < object->write_count; i++) {
        if (object->writes[i].facet != field->facet)
            continue;
        const struct resource *next = states[at++];
        if (is_equal(field, previous, next))
            continue;
        touched.mine |= object->writes[i].undone;
        if (object->writes[i].foreign)
            touched.by = (long)i;
        previous = next;
    }
    return touched;
}

/* The states of the facet: BEFORE, then after each write from FIRST on, then what is in force.
 * NULL: one of them cannot be read. */
static struct resource **read_states(const struct work *work,
                                     const struct undo_write *before,
                                     size_t first,
                                     size_t *count)
{
    const struct undo_object *object = work->object;
    const struct undo_value *current = current_of(object, before->facet);
    struct resource **states = calloc(object->write_count + 2, sizeof(*states));
    bool good = states && (states[0] = read_state(work, before->facet, before->value));
    *count = 1;
    for (size_t i = first; good && i < object->write_count; i++) {
        if (object->writes[i].facet != before->facet)
            continue;
        states[*count] = read_state(work, before->facet, object->writes[i].value);
        good = states[(*count)++];
    }
    if (good) {
        const struct bytes now = current ? current->value : before->value;
        states[*count] = read_state(work, before->facet, now);
        good = states[(*count)++];
    }
    if (good && follow_resealings(work, before->facet, first, states, *count))
        return states;
    for (size_t i = 0; states && i < *count; i++)
        resource_free(states[i]);
    free(states);
    return NULL;
}

/* A facet that this version cannot read is one attribute. */
static void undo_bytes(struct work *work, const struct undo_write *before, size_t first)
{
    const struct undo_object *object = work->object;
    const struct undo_value *current = current_of(object, before->facet);
    long by = NOBODY;
    for (size_t i = first; i < object->write_count; i++)
        if (object->writes[i].facet == before->facet && object->writes[i].foreign)
            by = (long)i;
    if (current && bytes_equal(current->value, before->value))
        return;
    if (by != NOBODY && work->mode != UNDO_FORCED)
        leave(work, UNDO_CHANGED_LATER, before->facet, NULL, (size_t)by);
    else
        put(work, before->facet, before->value);
}

static void undo_attributes(struct work *work, const struct undo_write *before, size_t first)
{
    size_t count;
    bool changed = false;
    struct resource **states = read_states(work, before, first, &count);
    if (!states) {
        undo_bytes(work, before, first);
        return;
    }
    struct resource *now = states[count - 1];
    for (size_t i = 0; i < work->class->field_count; i++) {
        const struct field *field = &work->class->fields[i];
        if (field->facet != before->facet || field->flags & FIELD_OWNER)
            continue;
        struct touched touched = follow(work, field, first, states);
        if (!touched.mine || is_equal(field, states[0], now))
            continue;
        if (touched.by != NOBODY && work->mode != UNDO_FORCED) {
            leave(work, UNDO_CHANGED_LATER, field->facet, field->name, (size_t)touched.by);
            continue;
        }
        if (!is_readable(work, field, states[0])) {
            leave(work, UNDO_UNREADABLE, field->facet, field->name, 0);
            continue;
        }
        work->failed |= !field_copy(field, states[0], now);
        changed = true;
    }
    if (changed || !current_of(work->object, before->facet))
        work->failed |= !change_set_add_facet(&work->plan->changes, now, before->facet);
    for (size_t i = 0; i < count; i++)
        resource_free(states[i]);
    free(states);
}

static void undo_facet(struct work *work, uint16_t facet)
{
    const struct undo_object *object = work->object;
    size_t first = first_undone(object, facet);
    const struct undo_write *before = last_before(object, facet, first);
    bool is_here = current_of(object, facet);
    if (first == object->write_count && is_here)
        return;
    if (!before || before->unsure)
        leave(work, UNDO_GONE, facet, NULL, 0);
    else
        undo_attributes(work, before, first);
}

/* Each facet that anything is known of, once. */
static void undo_facets(struct work *work)
{
    const struct undo_object *object = work->object;
    for (size_t i = 0; i < object->write_count; i++) {
        uint16_t facet = object->writes[i].facet;
        if (facet != FACET_LIFE && !last_before(object, facet, i))
            undo_facet(work, facet);
    }
}

/* ---- life ------------------------------------------------------------------------------- */

static bool is_alive(struct bytes value)
{
    return value.size > 0 && value.data[0] != 0;
}

static bool is_alive_now(const struct undo_object *object)
{
    const struct undo_value *life = current_of(object, FACET_LIFE);
    return life && is_alive(life->value);
}

/* The last write by somebody else from FIRST on, of its life or of anything; or NOBODY. */
static long foreign_since(const struct undo_object *object, size_t first, bool life_alone)
{
    for (size_t i = object->write_count; i-- > first;)
        if (object->writes[i].foreign && (!life_alone || object->writes[i].facet == FACET_LIFE))
            return (long)i;
    return NOBODY;
}

/* Before the first undone write. Whoever makes an object found none, whoever deletes one did.
 */
static bool was_alive(const struct undo_object *object, size_t first)
{
    const struct undo_write *before = last_before(object, FACET_LIFE, first);
    return before ? is_alive(before->value) : !is_alive(object->writes[first].value);
}

static void undo_creation(struct work *work, size_t first)
{
    long by = foreign_since(work->object, first, false);
    if (by != NOBODY && work->mode != UNDO_FORCED)
        leave(work, UNDO_CHANGED_LATER, FACET_LIFE, NULL, (size_t)by);
    else
        list_deletion(work);
}

static bool class_has_all(const struct work *work)
{
    const struct resource_class *class = work->class;
    bool all = class;
    for (size_t i = 0; all && i < class->field_count; i++)
        all = class->fields[i].flags & FIELD_OWNER ||
              last_before(work->object, class->fields[i].facet, work->object->write_count);
    return all;
}

/* What of the object did not change is said again: some nodes may have forgotten it already. */
static void restate(struct work *work, size_t from)
{
    const struct undo_object *object = work->object;
    for (size_t i = 0; i < object->current_count; i++) {
        bool said = object->current[i].facet == FACET_LIFE;
        for (size_t o = from; !said && o < work->plan->changes.count; o++)
            said = work->plan->changes.ops[o].facet == object->current[i].facet;
        if (!said)
            put(work, object->current[i].facet, object->current[i].value);
    }
}

static void undo_deletion(struct work *work, size_t first)
{
    size_t from = work->plan->changes.count;
    static const uint8_t alive = 1;
    long by = foreign_since(work->object, first, true);
    if (by != NOBODY && work->mode != UNDO_FORCED) {
        leave(work, UNDO_CHANGED_LATER, FACET_LIFE, NULL, (size_t)by);
    } else if (work->object->current_count == 0 && !class_has_all(work)) {
        leave(work, UNDO_GONE, FACET_LIFE, NULL, 0);
    } else {
        put(work, FACET_LIFE, (struct bytes){&alive, 1});
        undo_facets(work);
        restate(work, from);
    }
}

bool undo_add_object(struct undo_plan *plan,
                     const struct undo_object *object,
                     enum undo_mode mode)
{
    struct work work = {plan, object, resource_class_of((enum resource_type)object->type), mode,
                        false};
    size_t first = first_undone(object, FACET_LIFE);
    bool now = is_alive_now(object);
    bool before = first < object->write_count ? was_alive(object, first) : now;
    if (before && now)
        undo_facets(&work);
    else if (now)
        undo_creation(&work, first);
    else if (before)
        undo_deletion(&work, first);
    return !work.failed;
}

void undo_plan_free(struct undo_plan *plan)
{
    change_set_free(&plan->changes);
    free(plan->deleted);
    free(plan->left);
    *plan = (struct undo_plan){0};
}
