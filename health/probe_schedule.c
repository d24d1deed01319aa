#include "health/probe_schedule.h"

#include "lbnode/base/siphash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHEEL_TICKS = 2048, /* what is due later stays in its place for another turn */
    NEIGHBOURS = 9,     /* ticks on each side whose company counts, below 100 ms in all */
    PHASES_OFFERED = 6,
    LATE_SHARE = 12, /* missed beats are made up for at so small a part of the usual rate */
    NOBODY = -1
};

/* By each tick, however few members there are: 20 missed beats a second. */
#define LATE_MINIMUM ((1ull << 32) / 10)

enum queue_name {
    QUEUE_NONE,
    QUEUE_READY, /* their beat is now */
    QUEUE_FRESH, /* out of turn */
    QUEUE_LATE,  /* their beat was missed */
    QUEUE_COUNT
};

struct place { /* in a circular list without a head of its own */
    int32_t next, previous;
};

struct entry {
    struct place wheel, queue;
    uint64_t due_ms;
    uint32_t delay_ms, phase_ms;
    enum queue_name queued;
    bool used;
};

struct probe_schedule {
    uint32_t capacity;
    uint64_t tick;           /* the last one that was looked at */
    uint64_t per_tick_share; /* the usual rate: sum of 2^32 * PROBE_TICK_MS / delay */
    uint64_t late_credit;    /* in the same unit, divided by LATE_SHARE */
    unsigned fresh_taken;    /* in this tick */
    int32_t wheel[WHEEL_TICKS], queues[QUEUE_COUNT];
    uint16_t company[WHEEL_TICKS];
    struct entry entries[];
};

/* ---- lists ---------------------------------------------------------------------------------
 */

static struct place *place_of(struct probe_schedule *schedule, int32_t slot, bool in_wheel)
{
    struct entry *entry = &schedule->entries[slot];
    return in_wheel ? &entry->wheel : &entry->queue;
}

static void append(struct probe_schedule *schedule, int32_t *first, int32_t slot, bool in_wheel)
{
    struct place *place = place_of(schedule, slot, in_wheel);
    if (*first == NOBODY) {
        *place = (struct place){slot, slot};
        *first = slot;
        return;
    }
    struct place *head = place_of(schedule, *first, in_wheel);
    *place = (struct place){.next = *first, .previous = head->previous};
    place_of(schedule, head->previous, in_wheel)->next = slot;
    head->previous = slot;
}

static void
take_out(struct probe_schedule *schedule, int32_t *first, int32_t slot, bool in_wheel)
{
    struct place *place = place_of(schedule, slot, in_wheel);
    place_of(schedule, place->next, in_wheel)->previous = place->previous;
    place_of(schedule, place->previous, in_wheel)->next = place->next;
    if (*first == slot)
        *first = place->next == slot ? NOBODY : place->next;
}

static void queue_leave(struct probe_schedule *schedule, int32_t slot)
{
    struct entry *entry = &schedule->entries[slot];
    if (entry->queued != QUEUE_NONE)
        take_out(schedule, &schedule->queues[entry->queued], slot, false);
    entry->queued = QUEUE_NONE;
}

static void queue_enter(struct probe_schedule *schedule, int32_t slot, enum queue_name name)
{
    queue_leave(schedule, slot);
    append(schedule, &schedule->queues[name], slot, false);
    schedule->entries[slot].queued = name;
}

/* Of the first tick that is not before it. */
static uint32_t wheel_position(uint64_t due_ms)
{
    return (uint32_t)((due_ms + PROBE_TICK_MS - 1) / PROBE_TICK_MS % WHEEL_TICKS);
}

static void wheel_leave(struct probe_schedule *schedule, int32_t slot)
{
    uint32_t position = wheel_position(schedule->entries[slot].due_ms);
    take_out(schedule, &schedule->wheel[position], slot, true);
    schedule->company[position]--;
}

static void wheel_enter(struct probe_schedule *schedule, int32_t slot, uint64_t due_ms)
{
    uint32_t position = wheel_position(due_ms);
    schedule->entries[slot].due_ms = due_ms;
    append(schedule, &schedule->wheel[position], slot, true);
    schedule->company[position]++;
}

/* ---- beats ---------------------------------------------------------------------------------
 */

/* The first beat after NOW_MS of a member with this delay and phase. */
static uint64_t beat_after(uint64_t now_ms, uint32_t delay_ms, uint32_t phase_ms)
{
    uint64_t beat = now_ms / delay_ms * delay_ms + phase_ms;
    return beat > now_ms ? beat : beat + delay_ms;
}

static uint32_t offered_phase(uint64_t key, unsigned number, uint32_t delay_ms)
{
    static const uint8_t no_key[SIPHASH_KEY_SIZE];
    const uint64_t said[2] = {key, number};
    return (uint32_t)(siphash(no_key, said, sizeof(said)) % delay_ms);
}

/* How many others have about this phase; the nearer, the more they count (evenly weighted ones
 * would let members gather in waves). */
static uint32_t company_at(const struct probe_schedule *schedule,
                           uint64_t now_ms,
                           uint32_t delay_ms,
                           uint32_t phase_ms)
{
    uint32_t company = 0, span_ms = NEIGHBOURS * PROBE_TICK_MS;
    for (uint32_t i = 0; i <= 2 * NEIGHBOURS; i++) {
        uint32_t near_ms = (phase_ms + delay_ms + i * PROBE_TICK_MS - span_ms) % delay_ms;
        uint32_t count =
            schedule->company[wheel_position(beat_after(now_ms, delay_ms, near_ms))];
        company += count * (i < NEIGHBOURS ? i + 1 : 2 * NEIGHBOURS + 1 - i);
    }
    return company;
}

static uint32_t choose_phase(const struct probe_schedule *schedule,
                             uint64_t key,
                             uint32_t delay_ms,
                             uint64_t now_ms)
{
    uint32_t best = 0, best_company = UINT32_MAX;
    for (unsigned i = 0; i < PHASES_OFFERED; i++) {
        uint32_t phase = offered_phase(key, i, delay_ms);
        uint32_t company = company_at(schedule, now_ms, delay_ms, phase);
        if (company < best_company) {
            best_company = company;
            best = phase;
        }
    }
    return best;
}

static uint64_t rate_of(uint32_t delay_ms)
{
    return ((uint64_t)PROBE_TICK_MS << 32) / delay_ms;
}

/* ---- members -------------------------------------------------------------------------------
 */

struct probe_schedule *probe_schedule_new(uint32_t capacity, uint64_t now_ms)
{
    struct probe_schedule *schedule =
        calloc(1, sizeof(*schedule) + capacity * sizeof(struct entry));
    if (!schedule)
        return NULL;
    schedule->capacity = capacity;
    schedule->tick = now_ms / PROBE_TICK_MS;
    for (unsigned i = 0; i < WHEEL_TICKS; i++)
        schedule->wheel[i] = NOBODY;
    for (unsigned i = 0; i < QUEUE_COUNT; i++)
        schedule->queues[i] = NOBODY;
    return schedule;
}

void probe_schedule_free(struct probe_schedule *schedule)
{
    free(schedule);
}

void probe_schedule_put(struct probe_schedule *schedule,
                        uint32_t slot,
                        uint64_t key,
                        uint32_t delay_ms,
                        uint64_t now_ms)
{
    assert(slot < schedule->capacity);
    struct entry *entry = &schedule->entries[slot];
    if (delay_ms < PROBE_MINIMUM_DELAY_MS)
        delay_ms = PROBE_MINIMUM_DELAY_MS;
    if (entry->used && entry->delay_ms == delay_ms)
        return;
    bool waits = !entry->used || entry->queued == QUEUE_FRESH;
    probe_schedule_remove(schedule, slot);
    *entry = (struct entry){.used = true, .delay_ms = delay_ms};
    entry->phase_ms = choose_phase(schedule, key, delay_ms, now_ms);
    schedule->per_tick_share += rate_of(delay_ms);
    wheel_enter(schedule, (int32_t)slot, beat_after(now_ms, delay_ms, entry->phase_ms));
    if (waits)
        queue_enter(schedule, (int32_t)slot, QUEUE_FRESH);
}

bool probe_schedule_pace(struct probe_schedule *schedule,
                         uint32_t slot,
                         uint32_t delay_ms,
                         uint64_t first_ms)
{
    assert(slot < schedule->capacity);
    struct entry *entry = &schedule->entries[slot];
    if (delay_ms < PROBE_MINIMUM_DELAY_MS)
        delay_ms = PROBE_MINIMUM_DELAY_MS;
    if (!entry->used || entry->delay_ms == delay_ms)
        return false;
    bool waits = entry->queued == QUEUE_FRESH;
    probe_schedule_remove(schedule, slot);
    *entry = (struct entry){
        .used = true, .delay_ms = delay_ms, .phase_ms = (uint32_t)(first_ms % delay_ms)};
    schedule->per_tick_share += rate_of(delay_ms);
    wheel_enter(schedule, (int32_t)slot, first_ms);
    if (waits)
        queue_enter(schedule, (int32_t)slot, QUEUE_FRESH);
    return true;
}

void probe_schedule_remove(struct probe_schedule *schedule, uint32_t slot)
{
    struct entry *entry = &schedule->entries[slot];
    if (!entry->used)
        return;
    queue_leave(schedule, (int32_t)slot);
    wheel_leave(schedule, (int32_t)slot);
    schedule->per_tick_share -= rate_of(entry->delay_ms);
    entry->used = false;
}

void probe_schedule_hurry(struct probe_schedule *schedule, uint32_t slot)
{
    const struct entry *entry = &schedule->entries[slot];
    if (entry->used && entry->queued != QUEUE_READY)
        queue_enter(schedule, (int32_t)slot, QUEUE_FRESH);
}

/* ---- taking --------------------------------------------------------------------------------
 */

/* A beat that is here now makes up for a missed one. */
static void beat(struct probe_schedule *schedule, int32_t slot, uint64_t now_ms)
{
    struct entry *entry = &schedule->entries[slot];
    bool missed = now_ms - entry->due_ms > PROBE_LATE_MS;
    uint64_t next_ms = beat_after(now_ms, entry->delay_ms, entry->phase_ms);
    wheel_leave(schedule, slot);
    wheel_enter(schedule, slot, next_ms);
    if (!missed)
        queue_enter(schedule, slot, QUEUE_READY);
    else if (entry->queued == QUEUE_NONE)
        queue_enter(schedule, slot, QUEUE_LATE);
}

static void look_at(struct probe_schedule *schedule, uint32_t position, uint64_t now_ms)
{
    unsigned count = schedule->company[position];
    for (int32_t slot = schedule->wheel[position]; count > 0; count--) {
        int32_t next = schedule->entries[slot].wheel.next;
        if (schedule->entries[slot].due_ms <= now_ms)
            beat(schedule, slot, now_ms);
        slot = next;
    }
}

/* All ticks up to NOW_MS; after a long pause each place of the wheel once. */
static void go_on(struct probe_schedule *schedule, uint64_t now_ms)
{
    uint64_t tick = now_ms / PROBE_TICK_MS;
    if (tick <= schedule->tick)
        return;
    uint64_t ticks = tick - schedule->tick;
    schedule->fresh_taken = 0;
    uint64_t share = schedule->per_tick_share / LATE_SHARE;
    uint64_t credit = schedule->late_credit + (share > LATE_MINIMUM ? share : LATE_MINIMUM);
    schedule->late_credit = credit < 1ull << 33 ? credit : 1ull << 33;
    uint64_t first = ticks > WHEEL_TICKS ? tick - WHEEL_TICKS + 1 : schedule->tick + 1;
    for (uint64_t at = first; at <= tick; at++)
        look_at(schedule, (uint32_t)(at % WHEEL_TICKS), now_ms);
    schedule->tick = tick;
}

static bool pop(struct probe_schedule *schedule, enum queue_name name, uint32_t *out_slot)
{
    int32_t slot = schedule->queues[name];
    if (slot == NOBODY)
        return false;
    queue_leave(schedule, slot);
    *out_slot = (uint32_t)slot;
    return true;
}

bool probe_schedule_take(struct probe_schedule *schedule, uint64_t now_ms, uint32_t *out_slot)
{
    go_on(schedule, now_ms);
    if (pop(schedule, QUEUE_READY, out_slot))
        return true;
    if (schedule->fresh_taken < PROBE_FRESH_PER_TICK && pop(schedule, QUEUE_FRESH, out_slot)) {
        schedule->fresh_taken++;
        return true;
    }
    if (schedule->late_credit < 1ull << 32 || !pop(schedule, QUEUE_LATE, out_slot))
        return false;
    schedule->late_credit -= 1ull << 32;
    return true;
}

uint64_t probe_schedule_next_ms(const struct probe_schedule *schedule, uint64_t now_ms)
{
    bool ready = schedule->queues[QUEUE_READY] != NOBODY;
    bool fresh = schedule->queues[QUEUE_FRESH] != NOBODY;
    if (ready || (fresh && schedule->fresh_taken < PROBE_FRESH_PER_TICK))
        return now_ms;
    if (fresh || schedule->queues[QUEUE_LATE] != NOBODY)
        return (schedule->tick + 1) * PROBE_TICK_MS;
    for (uint64_t tick = schedule->tick + 1; tick <= schedule->tick + WHEEL_TICKS; tick++) {
        if (schedule->company[tick % WHEEL_TICKS] > 0)
            return tick * PROBE_TICK_MS;
    }
    return UINT64_MAX;
}
