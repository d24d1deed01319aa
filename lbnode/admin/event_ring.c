#include "lbnode/admin/event_ring.h"

#include <stdio.h>
#include <stdlib.h>

struct event_ring {
    struct event_record records[EVENT_RING_SIZE]; /* number n lives at n mod size */
    uint64_t last;
    uint64_t counts[EVENT_CODE_COUNT];
    void (*added)(void *context);
    void *context;
};

struct event_ring *event_ring_new(void)
{
    return calloc(1, sizeof(struct event_ring));
}

void event_ring_add(struct event_ring *ring,
                    enum event_code code,
                    enum process_role role,
                    uint64_t wall_ms,
                    const char *text)
{
    uint64_t number = ++ring->last;
    struct event_record *record = &ring->records[number % EVENT_RING_SIZE];
    *record =
        (struct event_record){.number = number, .wall_ms = wall_ms, .code = code, .role = role};
    snprintf(record->text, sizeof(record->text), "%s", text);
    if ((unsigned)code < EVENT_CODE_COUNT)
        ring->counts[code]++;
    if (ring->added)
        ring->added(ring->context);
}

uint64_t event_ring_last_number(const struct event_ring *ring)
{
    return ring->last;
}

const struct event_record *event_ring_after(const struct event_ring *ring, uint64_t after)
{
    uint64_t oldest = ring->last > EVENT_RING_SIZE ? ring->last - EVENT_RING_SIZE + 1 : 1;
    if (after >= ring->last)
        return NULL;
    uint64_t number = after + 1 < oldest ? oldest : after + 1;
    return &ring->records[number % EVENT_RING_SIZE];
}

uint64_t event_ring_count_of(const struct event_ring *ring, enum event_code code)
{
    return (unsigned)code < EVENT_CODE_COUNT ? ring->counts[code] : 0;
}

void event_ring_listen(struct event_ring *ring, void (*added)(void *context), void *context)
{
    ring->added = added;
    ring->context = context;
}

void event_ring_free(struct event_ring *ring)
{
    free(ring);
}
