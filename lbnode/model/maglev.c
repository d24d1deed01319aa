#include "lbnode/model/maglev.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/siphash.h"

#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES_PER_MEMBER = 100,
    EMPTY = UINT16_MAX /* no pool has as many members */
};

size_t maglev_length(size_t count)
{
    static const size_t primes[] = {251, 1021, 4093, 16381, 65537};
    for (size_t i = 0; i < ARRAY_LENGTH(primes); i++) {
        if (primes[i] >= ENTRIES_PER_MEMBER * count)
            return primes[i];
    }
    return primes[ARRAY_LENGTH(primes) - 1];
}

static int compare_ids(const void *a, const void *b)
{
    const struct maglev_member *x = a, *y = b;
    return memcmp(x->id.bytes, y->id.bytes, sizeof(x->id.bytes));
}

/* Every member walks the table in an order of its own: a start and a stride from its id. */
static void prepare(struct maglev_member *member, const struct uuid *key, size_t length)
{
    uint64_t hash = siphash(key->bytes, member->id.bytes, sizeof(member->id.bytes));
    member->next = (uint32_t)((hash >> 32) % length);
    member->step = (uint32_t)(hash & UINT32_MAX) % (uint32_t)(length - 1) + 1;
}

/* The next entry of MEMBER's walk that nobody has taken. */
static void take_entry(struct maglev_member *member, uint16_t *out, size_t length)
{
    while (out[member->next] != EMPTY)
        member->next = (uint32_t)((member->next + (uint64_t)member->step) % length);
    out[member->next] = member->number;
}

void maglev_fill(struct maglev_member *members,
                 size_t count,
                 const struct uuid *key,
                 uint16_t *out,
                 size_t length)
{
    uint32_t heaviest = 0;
    qsort(members, count, sizeof(*members), compare_ids);
    for (size_t i = 0; i < count; i++) {
        prepare(&members[i], key, length);
        members[i].due = 0;
        heaviest = members[i].weight > heaviest ? members[i].weight : heaviest;
    }
    for (size_t i = 0; i < length; i++)
        out[i] = EMPTY;
    /* The heaviest takes an entry in every round, a member of a third of its weight in every
     * third one. */
    size_t taken = 0;
    for (uint64_t round = 1; taken < length; round++) {
        for (size_t i = 0; i < count && taken < length; i++) {
            if (round * members[i].weight <= members[i].due)
                continue;
            members[i].due += heaviest;
            take_entry(&members[i], out, length);
            taken++;
        }
    }
}
