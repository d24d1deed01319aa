/* Work that has a time of its own but need not be punctual, pure. Waking up costs more than
 * most of it: what is nearly due is done when the election is awake anyway. */
#ifndef VRRP_CHORE_H
#define VRRP_CHORE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CHORE_SLACK_US = 25000, /* more than one interval of adverts */
};

/* True when the chore that is due at *DUE_US is to be done now; then *DUE_US becomes the next
 * time. On the average it is done each PERIOD_US, never later than asked for. */
bool chore_take(uint64_t *due_us, uint64_t period_us, uint64_t now_us);

#endif
