/* The lookup table of a pool that balances by the client's address (Maglev, NSDI 2016): a
 * client's hash modulo the table's length names its member. Computed from the members' ids,
 * their weights and the pool's id alone, so that every node has the same table, and nearly all
 * clients keep their member when another one comes or goes. Pure. */
#ifndef LBNODE_MODEL_MAGLEV_H
#define LBNODE_MODEL_MAGLEV_H

#include "lbnode/base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maglev_member {
    struct uuid id;
    uint16_t number; /* of the member in its pool */
    uint32_t weight; /* above 0 */
    uint32_t next;   /* used while the table is filled: position, */
    uint32_t step;   /* stride, */
    uint64_t due;    /* and the credit at which its next turn comes */
};

/* Length of the table of a pool with COUNT members, those included that take no part now: the
 * smallest listed prime that is at least 100 times as much, or the largest. Listed primes are
 * far apart, because another length sends nearly every client elsewhere. */
size_t maglev_length(size_t count);
/* Fills OUT, of LENGTH from maglev_length, with the members' numbers in proportion to their
 * weights. KEY is the pool's id. COUNT is above 0. Sorts MEMBERS. */
void maglev_fill(struct maglev_member *members,
                 size_t count,
                 const struct uuid *key,
                 uint16_t *out,
                 size_t length);

#endif
