/* The state hash of a facet table (replication.md 7.2). An object that comes alive, dies or
 * moves may take others with it: those below a dead one. Objects know their owner, not what is
 * below them, so where that may matter the sum is made anew from all objects. */
#include "replication/facet.h"

#include <string.h>

/* SUM plus HASH, or minus it, mod 2^256; both big-endian. */
static void combine(uint8_t sum[HASH_SIZE], const uint8_t hash[HASH_SIZE], bool add)
{
    uint64_t carry = add ? 0 : 1; /* minus: plus the complement plus one */
    for (size_t i = HASH_SIZE; i > 0; i -= 8) {
        uint64_t right = load_be64(hash + i - 8);
        uint64_t partial = load_be64(sum + i - 8) + carry;
        right = add ? right : ~right;
        uint64_t total = partial + right;
        carry = (partial < carry) + (total < right);
        store_be64(sum + i - 8, total);
    }
}

static void combine_object(uint8_t sum[HASH_SIZE], const struct object *object, bool add)
{
    enum facet_realm realm = facet_object_realm(object);
    for (size_t f = 0; f < object->count; f++)
        for (size_t e = 0; e < object->facets[f].count; e++)
            if (facet_realm_of(object->facets[f].entries[e].type) == realm)
                combine(sum, object->facets[f].entries[e].hash, add);
}

/* Its life was written in more than one. */
static bool has_realms(const struct object *object)
{
    const struct facet_state *life = facet_of(object, FACET_LIFE);
    for (size_t i = 1; life && i < life->count; i++)
        if (facet_realm_of(life->entries[i].type) != facet_realm_of(life->entries[0].type))
            return true;
    return false;
}

static bool is_alive(const struct object *object)
{
    const struct facet_entry *life = facet_winner(facet_of(object, FACET_LIFE));
    return life && life->value_size == 1 && life->value[0] != 0;
}

void facet_sum_entry(struct facet_table *table,
                     const struct object *object,
                     const struct facet_entry *entry,
                     bool comes)
{
    if (table->sum.known && object->summed &&
        facet_realm_of(entry->type) == facet_object_realm(object))
        combine(table->sum.hash, entry->hash, comes);
}

void facet_sum_life(struct facet_table *table, struct object *object)
{
    struct facet_sum *sum = &table->sum;
    sum->known &= !has_realms(object);
    if (!sum->known)
        return;
    bool counts = facet_object_counts(table, object);
    sum->orphans |= !counts && is_alive(object);
    if (counts == object->summed)
        return;
    object->summed = counts;
    combine_object(sum->hash, object, counts);
    /* What is below a dead object no longer counts; what waited for this one now may. */
    if (!counts || sum->orphans)
        sum->known = false;
}

void facet_state_hash(const struct facet_table *table, uint8_t out[HASH_SIZE])
{
    const struct object *object;
    memset(out, 0, HASH_SIZE);
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));)
        if (facet_object_counts(table, object))
            combine_object(out, object, true);
}

static void make_anew(struct facet_table *table)
{
    struct facet_sum *sum = &table->sum;
    struct object *object;
    *sum = (struct facet_sum){.known = true};
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));) {
        object->summed = facet_object_counts(table, object);
        sum->orphans |= !object->summed && is_alive(object);
        if (object->summed)
            combine_object(sum->hash, object, true);
    }
}

void facet_kept_hash(struct facet_table *table, uint8_t out[HASH_SIZE])
{
    if (!table->sum.known)
        make_anew(table);
    memcpy(out, table->sum.hash, HASH_SIZE);
}
