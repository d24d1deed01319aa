#include "lbnode/base/deadline_wheel.h"

#include <string.h>

enum {
    SLOT_BITS = 8
};

void deadline_wheel_init(struct deadline_wheel *wheel, uint64_t now_ms)
{
    memset(wheel, 0, sizeof(*wheel));
    wheel->tick = now_ms / WHEEL_TICK_MS;
}

static void unlink_deadline(struct deadline_wheel *wheel, struct deadline *deadline)
{
    if (!deadline->link)
        return;
    *deadline->link = deadline->next;
    if (deadline->next)
        deadline->next->link = deadline->link;
    deadline->link = NULL;
    wheel->count--;
}

/* Into the slot for its tick, never earlier than the wheel stands; a deadline beyond the
 * wheel's reach waits in the farthest slot and is queued again from there. */
static void queue(struct deadline_wheel *wheel, struct deadline *deadline)
{
    uint64_t tick = (deadline->when_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
    uint64_t farthest = wheel->tick +
                        ((uint64_t)WHEEL_SLOTS << (SLOT_BITS * (WHEEL_LEVELS - 1))) -
                        ((uint64_t)1 << (SLOT_BITS * (WHEEL_LEVELS - 1)));
    if (tick < wheel->tick)
        tick = wheel->tick;
    if (tick > farthest)
        tick = farthest;
    unsigned level = 0;
    while (level < WHEEL_LEVELS - 1 && tick - wheel->tick >= (uint64_t)WHEEL_SLOTS
                                                                 << (SLOT_BITS * level))
        level++;
    /* A coarse slot comes up at its first tick, so one revolution must not wrap onto the
     * current slot. */
    if (level > 0 &&
        (tick >> (SLOT_BITS * level)) - (wheel->tick >> (SLOT_BITS * level)) >= WHEEL_SLOTS)
        tick -= (uint64_t)1 << (SLOT_BITS * level);
    struct deadline **slot =
        &wheel->slots[level][(tick >> (SLOT_BITS * level)) & (WHEEL_SLOTS - 1)];
    deadline->queued_tick = tick;
    deadline->next = *slot;
    deadline->link = slot;
    if (deadline->next)
        deadline->next->link = &deadline->next;
    *slot = deadline;
    wheel->count++;
}

void deadline_set(struct deadline_wheel *wheel, struct deadline *deadline, uint64_t when_ms)
{
    deadline->when_ms = when_ms;
    if (deadline->link && when_ms / WHEEL_TICK_MS >= deadline->queued_tick)
        return;
    unlink_deadline(wheel, deadline);
    queue(wheel, deadline);
}

void deadline_clear(struct deadline_wheel *wheel, struct deadline *deadline)
{
    unlink_deadline(wheel, deadline);
}

/* Queues the entries of a coarse slot again, now in finer ones. */
static void cascade(struct deadline_wheel *wheel, unsigned level)
{
    struct deadline **slot =
        &wheel->slots[level][(wheel->tick >> (SLOT_BITS * level)) & (WHEEL_SLOTS - 1)];
    struct deadline *list = *slot;
    *slot = NULL;
    while (list) {
        struct deadline *deadline = list;
        list = deadline->next;
        deadline->link = NULL;
        wheel->count--;
        queue(wheel, deadline);
    }
}

static void expire_slot(struct deadline_wheel *wheel,
                        uint64_t now_ms,
                        void (*expired)(void *, struct deadline *),
                        void *context)
{
    struct deadline *due = wheel->slots[0][wheel->tick & (WHEEL_SLOTS - 1)];
    wheel->slots[0][wheel->tick & (WHEEL_SLOTS - 1)] = NULL;
    if (due)
        due->link = &due;
    wheel->tick++; /* what is set from here on belongs to later slots */
    while (due) {
        struct deadline *deadline = due;
        unlink_deadline(wheel, deadline);
        if (deadline->when_ms > now_ms)
            queue(wheel, deadline);
        else
            expired(context, deadline);
    }
}

void deadline_wheel_advance(struct deadline_wheel *wheel,
                            uint64_t now_ms,
                            void (*expired)(void *, struct deadline *),
                            void *context)
{
    uint64_t target = now_ms / WHEEL_TICK_MS;
    if (wheel->count == 0 && wheel->tick < target) {
        wheel->tick = target;
        return;
    }
    while (wheel->tick <= target) {
        for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
            if ((wheel->tick & (((uint64_t)1 << (SLOT_BITS * level)) - 1)) == 0)
                cascade(wheel, level);
        }
        expire_slot(wheel, now_ms, expired, context);
    }
}

uint64_t deadline_wheel_next_ms(const struct deadline_wheel *wheel)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    uint64_t tick = wheel->tick;
    /* A revolution begins with a cascade: never sleep past it. */
    while ((tick & (WHEEL_SLOTS - 1)) && !wheel->slots[0][tick & (WHEEL_SLOTS - 1)])
        tick++;
    return tick * WHEEL_TICK_MS;
}
