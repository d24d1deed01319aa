/* The order in which ROUND_ROBIN serves the members of a pool: smooth weighted interleaving,
 * computed once per snapshot, so that picking is one addition in the proxy. Pure. */
#ifndef LBNODE_MODEL_SCHEDULE_H
#define LBNODE_MODEL_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCHEDULE_MAXIMUM_LENGTH = 4096 /* longer only when a pool has more members */
};

struct schedule_member {
    uint16_t number; /* of the member in its pool */
    uint32_t weight; /* above 0 */
};

/* Length of the schedule of COUNT members; changes their weights to the turns of each in one
 * pass: weight / gcd, scaled down when the sum exceeds SCHEDULE_MAXIMUM_LENGTH. */
size_t schedule_prepare(struct schedule_member *members, size_t count);
/* Writes the schedule of prepared members, OUT has room for the length. Sorts MEMBERS. False
 * when out of memory. */
bool schedule_fill(struct schedule_member *members, size_t count, uint16_t *out);

#endif
