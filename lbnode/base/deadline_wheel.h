/* A hierarchical timer wheel: pure, no clock. Moving a deadline into the future only stores it
 * (connections do that at every byte); the entry is queued again when its slot comes up. An
 * entry expires at most one tick after its deadline. */
#ifndef LBNODE_BASE_DEADLINE_WHEEL_H
#define LBNODE_BASE_DEADLINE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WHEEL_TICK_MS = 16,
    WHEEL_LEVELS = 3,
    WHEEL_SLOTS = 256
};

/* Embedded by its owner; zero before the first use. */
struct deadline {
    struct deadline *next, **link; /* link NULL: not queued */
    uint64_t when_ms;
    uint64_t queued_tick;
};

struct deadline_wheel {
    uint64_t tick; /* all earlier ones are done */
    uint64_t count;
    struct deadline *slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void deadline_wheel_init(struct deadline_wheel *wheel, uint64_t now_ms);
void deadline_set(struct deadline_wheel *wheel, struct deadline *deadline, uint64_t when_ms);
void deadline_clear(struct deadline_wheel *wheel, struct deadline *deadline);
/* Calls EXPIRED for every deadline that is not after NOW_MS; it is no longer queued then and
 * may be set again, and others may be cleared, from the call. */
void deadline_wheel_advance(struct deadline_wheel *wheel,
                            uint64_t now_ms,
                            void (*expired)(void *context, struct deadline *deadline),
                            void *context);
/* When to advance next (ms), UINT64_MAX if nothing is queued. */
uint64_t deadline_wheel_next_ms(const struct deadline_wheel *wheel);

#endif
