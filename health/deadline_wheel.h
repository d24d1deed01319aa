/* Deadlines of many things at once, each known by a number: a pure timer wheel, so that a ping
 * costs no timer of its own. All times are monotonic ms. */
#ifndef HEALTH_DEADLINE_WHEEL_H
#define HEALTH_DEADLINE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DEADLINE_TICK_MS = 5 /* so late at most it is said that one has passed */
};

struct deadline_wheel;

/* For numbers below CAPACITY. NULL: no memory. */
struct deadline_wheel *deadline_wheel_new(uint32_t capacity, uint64_t now_ms);
void deadline_wheel_free(struct deadline_wheel *wheel); /* NULL-safe */

/* NUMBER has no deadline before; one that has passed counts from the next take. */
void deadline_wheel_put(struct deadline_wheel *wheel, uint32_t number, uint64_t deadline_ms);
/* NUMBER has a deadline. */
void deadline_wheel_remove(struct deadline_wheel *wheel, uint32_t number);
/* Takes one out whose deadline has passed at NOW_MS; false: there is none. */
bool deadline_wheel_take(struct deadline_wheel *wheel, uint64_t now_ms, uint32_t *out_number);
/* When to take again: not after the first deadline, but for a tick; UINT64_MAX: there is none.
 */
uint64_t deadline_wheel_next_ms(const struct deadline_wheel *wheel);

#endif
