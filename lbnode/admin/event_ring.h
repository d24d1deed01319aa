/* The node's last events: a bounded ring with stable codes and ever-growing numbers. */
#ifndef LBNODE_ADMIN_EVENT_RING_H
#define LBNODE_ADMIN_EVENT_RING_H

#include "lbnode/base/event_codes.h"
#include "lbnode/model/message.h"

enum {
    EVENT_RING_SIZE = 4096,
    EVENT_TEXT_SIZE = 240
};

struct event_record {
    uint64_t number; /* from 1, no gaps within one start of the process */
    uint64_t wall_ms;
    enum event_code code;
    enum process_role role;
    char text[EVENT_TEXT_SIZE];
};

struct event_ring;

struct event_ring *event_ring_new(void);
void event_ring_add(struct event_ring *ring,
                    enum event_code code,
                    enum process_role role,
                    uint64_t wall_ms,
                    const char *text);
uint64_t event_ring_last_number(const struct event_ring *ring); /* 0: empty */
/* The first kept event with a number > AFTER, or NULL. */
const struct event_record *event_ring_after(const struct event_ring *ring, uint64_t after);
uint64_t event_ring_count_of(const struct event_ring *ring, enum event_code code); /* ever */
/* Called after each add, for followers; one listener. */
void event_ring_listen(struct event_ring *ring, void (*added)(void *context), void *context);
void event_ring_free(struct event_ring *ring);

#endif
