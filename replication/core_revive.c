/* Objects that come back: deleted ones, or such that were below one. Some nodes may have purged
 * them already, and what was below them, so the record that revives one says everything anew:
 * all nodes get the same object. A change waits for its turn, and meanwhile this node may purge
 * the object, or take a snapshot of a node that did; then it cannot say everything any more and
 * is refused. */
#include "replication/core_internal.h"

#include "replication/memory.h"

#include <stdlib.h>

enum {
    OWNER_DEPTH = 8
};

static bool is_alive(const struct object *object)
{
    const struct facet_entry *life = facet_winner(facet_of(object, FACET_LIFE));
    return life && life->value_size == 1 && life->value[0] != 0;
}

/* What the change says of one object. */
struct said {
    uint64_t facets; /* a bit each; the last one stands for all others */
    bool revived;
};

static unsigned facet_bit(uint16_t facet)
{
    const unsigned last = 63;
    return facet < last ? facet : last;
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

static bool is_below_revived(const struct core *core,
                             const struct object *object,
                             const struct uuid_map *said)
{
    for (int depth = 0; object && depth < OWNER_DEPTH; depth++) {
        const struct facet_entry *life = facet_winner(facet_of(object, FACET_LIFE));
        if (!life || uuid_is_zero(&life->owner))
            return false;
        const struct said *owner = uuid_map_get(said, &life->owner);
        if (owner && owner->revived)
            return true;
        object = facet_object(&core->facets, &life->owner);
    }
    return false;
}

static bool says(const struct change_set *changes,
                 const struct said *said,
                 const struct uuid *id,
                 uint16_t facet)
{
    bool may = said && said->facets >> facet_bit(facet) & 1;
    if (!may || facet_bit(facet) == facet)
        return may;
    for (size_t i = 0; i < changes->count; i++)
        if (changes->ops[i].facet == facet && uuid_equal(&changes->ops[i].object_id, id))
            return true;
    return false;
}

static bool
restate(const struct object *object, const struct said *said, struct change_set *changes)
{
    for (size_t f = 0; f < object->count; f++) {
        const struct facet_entry *winner = facet_seen(object, &object->facets[f]);
        if (winner && !says(changes, said, &object->id, object->facets[f].facet) &&
            !change_set_add(changes, &object->id, &winner->owner, winner->type,
                            object->facets[f].facet,
                            (struct bytes){winner->value, winner->value_size}))
            return false;
    }
    return true;
}

/* True when something is revived. */
static bool list_said(const struct core *core,
                      const struct change_set *changes,
                      struct said *items,
                      struct uuid_map *out)
{
    bool revives = false;
    for (size_t i = 0; i < changes->count; i++) {
        const struct change_op *op = &changes->ops[i];
        const struct object *object = facet_object(&core->facets, &op->object_id);
        struct said *said = uuid_map_get(out, &op->object_id);
        if (!said) {
            said = items++;
            if (!uuid_map_set(out, &op->object_id, said))
                abort();
        }
        said->facets |= 1ull << facet_bit(op->facet);
        said->revived |=
            says_alive(op) && object && !facet_object_counts(&core->facets, object);
        revives |= said->revived;
    }
    return revives;
}

/* One pass over all objects, however many are revived: there may be thousands of each. */
static bool complete(const struct core *core, struct change_set *changes)
{
    struct said *items = memory_new(changes->count * sizeof(*items));
    struct uuid_map all = {0};
    const struct object *object;
    bool fits = true, revives = list_said(core, changes, items, &all);
    for (size_t i = 0;
         revives && fits && (object = uuid_map_next(&core->facets.objects, &i));) {
        const struct said *said = uuid_map_get(&all, &object->id);
        if ((said && said->revived) ||
            (is_alive(object) && is_below_revived(core, object, &all)))
            fits = restate(object, said, changes);
    }
    uuid_map_free(&all);
    free(items);
    return fits;
}

/* Of what has no life here there may be more elsewhere: purged here, there not yet. It does not
 * count any more. */
static void mark_anew(const struct core *core, struct change_set *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct change_op *op = &changes->ops[i];
        const struct object *object = facet_object(&core->facets, &op->object_id);
        op->anew = says_alive(op) && (!object || !facet_winner(facet_of(object, FACET_LIFE)));
    }
}

bool core_complete_revivals(const struct core *core,
                            struct submission *submission,
                            struct error *error)
{
    if (!are_here(core, submission))
        return error_set(error, ERROR_CONFLICT,
                         "the deleted object was cleaned up in this moment; create it anew");
    if (!complete(core, &submission->changes))
        return error_set(error, ERROR_TOO_LARGE, "what is revived exceeds a change");
    mark_anew(core, &submission->changes);
    return true;
}
