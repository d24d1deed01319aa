/* A carrier that comes back counts only after it has stayed for a while, a lost one at once; so
 * a link that flaps moves the addresses away once and not to and fro. Pure. */
#ifndef VRRP_LINK_DEBOUNCE_H
#define VRRP_LINK_DEBOUNCE_H

#include "vrrp/interface_table.h"

enum {
    LINK_HOLD_US = 1000000, /* doubled by each further loss within the memory */
    LINK_HOLD_MAXIMUM_US = 8000000,
    LINK_MEMORY_US = 60000000,
};

struct link_state {
    unsigned index;
    bool up;
    unsigned losses;  /* lately */
    uint64_t lost_us; /* the last time */
    uint64_t back_us; /* when it came back; 0: it counts */
};

struct link_debounce {
    /* Nobody else could have the addresses meanwhile: a link that is back counts at once. */
    bool is_off;
    struct link_state *links; /* owned */
    size_t count;
};

void link_debounce_free(struct link_debounce *debounce); /* leaves it empty */
/* TABLE as just loaded: what is up but does not count yet is shown as down and settling. An
 * interface that is seen for the first time counts as it is. When to look again; UINT64_MAX:
 * no need. */
uint64_t link_debounce_apply(struct link_debounce *debounce,
                             struct interface_table *table,
                             uint64_t now_us);

#endif
