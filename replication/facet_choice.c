/* Which of the values of a facet counts (replication.md 3.3). */
#include "replication/facet.h"

/* Greatest (hlc, stream, seq, op_index). */
static int compare_stamps(const struct facet_entry *a, const struct facet_entry *b)
{
    const uint64_t left[] = {a->hlc, a->dot.stream, a->dot.seq, a->op_index};
    const uint64_t right[] = {b->hlc, b->dot.stream, b->dot.seq, b->op_index};
    for (size_t i = 0; i < ARRAY_LENGTH(left); i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

/* The more restrictive, the greater. A value that says nothing is the default: up. */
static uint64_t admin_restriction(struct bytes value)
{
    struct wire_reader reader = wire_reader_of(value);
    struct wire_field field;
    if (wire_next(&reader, &field) && field.number == 1 && field.type == WIRE_VARINT)
        return UINT64_MAX - field.integer;
    return UINT64_MAX - 1;
}

uint64_t facet_safety_rank(uint16_t facet, struct bytes value)
{
    if (facet == FACET_LIFE)
        return value.size == 1 && value.data[0] == 0;
    return facet == FACET_ADMIN ? admin_restriction(value) : 0;
}

static uint64_t rank_of(uint16_t facet, const struct facet_entry *entry)
{
    return facet_safety_rank(facet, (struct bytes){entry->value, entry->value_size});
}

enum facet_realm facet_realm_of(uint8_t type)
{
    return type == RESOURCE_NODE        ? REALM_NODES
           : type == RESOURCE_KEY_GRANT ? REALM_GRANTS
                                        : REALM_THINGS;
}

const struct facet_entry *facet_winner_in(const struct facet_state *state,
                                          enum facet_realm realm)
{
    const struct facet_entry *winner = NULL;
    for (size_t i = 0; state && i < state->count; i++) {
        const struct facet_entry *entry = &state->entries[i];
        if (facet_realm_of(entry->type) != realm)
            continue;
        if (!winner) {
            winner = entry;
            continue;
        }
        uint64_t rank = rank_of(state->facet, entry);
        uint64_t best = rank_of(state->facet, winner);
        if (rank > best || (rank == best && compare_stamps(entry, winner) > 0))
            winner = entry;
    }
    return winner;
}

static bool is_alive_in(const struct facet_state *life, enum facet_realm realm)
{
    const struct facet_entry *winner = facet_winner_in(life, realm);
    return winner && winner->value_size == 1 && winner->value[0] != 0;
}

/* The highest in which there is a value. But what is deleted is gone from some nodes and not
 * from others, so a life that says so hides nothing that is alive in a lower one. */
static enum facet_realm realm_seen(const struct facet_state *state)
{
    enum facet_realm highest = REALM_THINGS, alive = REALM_THINGS;
    bool is_life = state && state->facet == FACET_LIFE, any_alive = false;
    for (size_t i = 0; state && i < state->count; i++) {
        enum facet_realm realm = facet_realm_of(state->entries[i].type);
        highest = realm > highest ? realm : highest;
        if (is_life && (!any_alive || realm > alive) && is_alive_in(state, realm)) {
            alive = realm;
            any_alive = true;
        }
    }
    return any_alive ? alive : highest;
}

enum facet_realm facet_object_realm(const struct object *object)
{
    return realm_seen(facet_of(object, FACET_LIFE));
}

const struct facet_entry *facet_winner(const struct facet_state *state)
{
    return facet_winner_in(state, realm_seen(state));
}

const struct facet_entry *facet_seen(const struct object *object,
                                     const struct facet_state *state)
{
    return facet_winner_in(state, facet_object_realm(object));
}

size_t facet_seen_count(const struct object *object, const struct facet_state *state)
{
    enum facet_realm realm = facet_object_realm(object);
    size_t count = 0;
    for (size_t i = 0; i < state->count; i++)
        count += facet_realm_of(state->entries[i].type) == realm;
    return count;
}
