#include "health/deadline_wheel.h"

#include <stdlib.h>

enum {
    WHEEL_TICKS = 2048 /* what is due later stays in its place for another turn */
};

#define NOBODY UINT32_MAX

struct entry {
    uint64_t deadline_ms;
    uint32_t next, previous; /* NOBODY at the ends */
};

struct deadline_wheel {
    uint64_t tick; /* all before it were looked at */
    uint32_t count;
    uint32_t first[WHEEL_TICKS];
    struct entry entries[];
};

/* The first tick at which DEADLINE_MS has passed, or the one that is looked at next. */
static uint64_t tick_of(const struct deadline_wheel *wheel, uint64_t deadline_ms)
{
    uint64_t tick = (deadline_ms + DEADLINE_TICK_MS - 1) / DEADLINE_TICK_MS;
    return tick > wheel->tick ? tick : wheel->tick;
}

struct deadline_wheel *deadline_wheel_new(uint32_t capacity, uint64_t now_ms)
{
    struct deadline_wheel *wheel = calloc(1, sizeof(*wheel) + capacity * sizeof(struct entry));
    if (!wheel)
        return NULL;
    wheel->tick = now_ms / DEADLINE_TICK_MS;
    for (unsigned i = 0; i < WHEEL_TICKS; i++)
        wheel->first[i] = NOBODY;
    return wheel;
}

void deadline_wheel_free(struct deadline_wheel *wheel)
{
    free(wheel);
}

void deadline_wheel_put(struct deadline_wheel *wheel, uint32_t number, uint64_t deadline_ms)
{
    uint64_t tick = tick_of(wheel, deadline_ms);
    uint32_t *first = &wheel->first[tick % WHEEL_TICKS];
    wheel->entries[number] =
        (struct entry){.deadline_ms = tick * DEADLINE_TICK_MS, *first, NOBODY};
    if (*first != NOBODY)
        wheel->entries[*first].previous = number;
    *first = number;
    wheel->count++;
}

void deadline_wheel_remove(struct deadline_wheel *wheel, uint32_t number)
{
    const struct entry *entry = &wheel->entries[number];
    if (entry->next != NOBODY)
        wheel->entries[entry->next].previous = entry->previous;
    if (entry->previous != NOBODY)
        wheel->entries[entry->previous].next = entry->next;
    else
        wheel->first[entry->deadline_ms / DEADLINE_TICK_MS % WHEEL_TICKS] = entry->next;
    wheel->count--;
}

/* After a long pause each place of the wheel is looked at once. */
bool deadline_wheel_take(struct deadline_wheel *wheel, uint64_t now_ms, uint32_t *out_number)
{
    uint64_t last = now_ms / DEADLINE_TICK_MS;
    if (wheel->count == 0)
        wheel->tick = last > wheel->tick ? last : wheel->tick;
    if (last > wheel->tick + WHEEL_TICKS)
        wheel->tick = last - WHEEL_TICKS;
    for (; wheel->tick <= last; wheel->tick++) {
        uint32_t number = wheel->first[wheel->tick % WHEEL_TICKS];
        while (number != NOBODY && wheel->entries[number].deadline_ms > now_ms)
            number = wheel->entries[number].next;
        if (number != NOBODY) {
            deadline_wheel_remove(wheel, number);
            *out_number = number;
            return true;
        }
        if (wheel->tick == last)
            break; /* it may still get company */
    }
    return false;
}

static bool has_due(const struct deadline_wheel *wheel, uint64_t tick)
{
    uint32_t number = wheel->first[tick % WHEEL_TICKS];
    while (number != NOBODY && wheel->entries[number].deadline_ms > tick * DEADLINE_TICK_MS)
        number = wheel->entries[number].next;
    return number != NOBODY;
}

uint64_t deadline_wheel_next_ms(const struct deadline_wheel *wheel)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    uint64_t tick = wheel->tick, last = wheel->tick + WHEEL_TICKS - 1;
    while (tick < last && !has_due(wheel, tick))
        tick++;
    return tick * DEADLINE_TICK_MS;
}
