/* Deleted objects that come back. Some nodes may have purged them already, and what was below
 * them, so the record that revives one says everything anew: all nodes get the same object.
 * A change waits for its turn, and meanwhile this node may purge the object, or take a snapshot
 * of a node that did; then it cannot say everything any more and is refused. */
#include "replication/core_internal.h"

#include "replication/memory.h"

enum {
    OWNER_DEPTH = 8
};

static bool is_alive(const struct object *object)
{
    const struct facet_entry *life = facet_winner(facet_of(object, FACET_LIFE));
    return life && life->value_size == 1 && life->value[0] != 0;
}

static bool
is_below(const struct core *core, const struct object *object, const struct uuid *id)
{
    for (int depth = 0; object && depth < OWNER_DEPTH; depth++) {
        const struct facet_entry *life = facet_winner(facet_of(object, FACET_LIFE));
        if (!life || uuid_is_zero(&life->owner))
            return false;
        if (uuid_equal(&life->owner, id))
            return true;
        object = facet_object(&core->facets, &life->owner);
    }
    return false;
}

static bool says(const struct change_set *changes, const struct uuid *id, uint16_t facet)
{
    for (size_t i = 0; i < changes->count; i++)
        if (changes->ops[i].facet == facet && uuid_equal(&changes->ops[i].object_id, id))
            return true;
    return false;
}

static bool restate(const struct object *object, struct change_set *changes)
{
    for (size_t f = 0; f < object->count; f++) {
        const struct facet_entry *winner = facet_winner(&object->facets[f]);
        if (!says(changes, &object->id, object->facets[f].facet) &&
            !change_set_add(changes, &object->id, &winner->owner, winner->type,
                            object->facets[f].facet,
                            (struct bytes){winner->value, winner->value_size}))
            return false;
    }
    return true;
}

static bool
restate_below(const struct core *core, const struct uuid *id, struct change_set *out)
{
    const struct object *object;
    for (size_t i = 0; (object = uuid_map_next(&core->facets.objects, &i));)
        if (is_alive(object) && is_below(core, object, id) && !restate(object, out))
            return false;
    return true;
}

static bool says_alive(const struct change_op *op)
{
    return op->facet == FACET_LIFE && op->value_size == 1 && op->value[0] != 0;
}

void core_note_revivals(const struct core *core, struct submission *submission)
{
    for (size_t i = 0; i < submission->changes.count; i++) {
        const struct change_op *op = &submission->changes.ops[i];
        if (!says_alive(op) || !facet_object(&core->facets, &op->object_id))
            continue;
        submission->known =
            memory_grow(submission->known, submission->known_count, &submission->known_capacity,
                        sizeof(*submission->known));
        submission->known[submission->known_count++] = op->object_id;
    }
}

static bool are_here(const struct core *core, const struct submission *submission)
{
    for (size_t i = 0; i < submission->known_count; i++)
        if (!facet_object(&core->facets, &submission->known[i]))
            return false;
    return true;
}

static bool complete(const struct core *core, struct change_set *changes)
{
    size_t count = changes->count;
    for (size_t i = 0; i < count; i++) {
        struct uuid id = changes->ops[i].object_id;
        const struct object *object = facet_object(&core->facets, &id);
        if (!says_alive(&changes->ops[i]) || !object || is_alive(object))
            continue;
        if (!restate(object, changes) || !restate_below(core, &id, changes))
            return false;
    }
    return true;
}

bool core_complete_revivals(const struct core *core,
                            struct submission *submission,
                            struct error *error)
{
    if (!are_here(core, submission))
        return error_set(error, ERROR_CONFLICT,
                         "the deleted object was cleaned up in this moment; create it anew");
    return complete(core, &submission->changes) ||
           error_set(error, ERROR_TOO_LARGE, "what is revived exceeds a change");
}
