/* Time that a test can make pass in the proxy: the monotonic clocks of what it forks run ahead
 * by as much as the test says. For waits that are too long to sit through.
 * Whoever links this waits no longer than 10 ms at a time, and then looks at the clock again.
 */
#ifndef TESTS_UNIT_PROXY_LEAP_H
#define TESTS_UNIT_PROXY_LEAP_H

#include <stdint.h>

/* Before anything is forked. */
void leap_prepare(void);
/* MS pass at once, for all children. */
void leap(uint64_t ms);

#endif
