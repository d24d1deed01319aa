/* What a worker's own traffic says about a member: after five failures in a row (connecting, or
 * a fresh connection closed without an answer) others come first for a second, and then one
 * request at a time finds out. So a silent member without a monitor costs a connect timeout
 * once in a while and not with each of its turns. Pure. */
#ifndef PROXY_MEMBER_STANDING_H
#define PROXY_MEMBER_STANDING_H

#include <stdbool.h>
#include <stdint.h>

enum {
    STANDING_FAILURES = 5,
    STANDING_AVOID_MS = 1000
};

struct member_standing {
    uint32_t incarnation; /* of the member that the rest is about */
    /* In a row: */
    uint16_t failures;
    uint8_t troubles;    /* those, and answers that did not come in time */
    uint8_t bad_answers; /* with a status of 500 or more; where these count */
    uint64_t avoid_until_ms;
};

/* When the member is avoided from now on, true. */
bool member_standing_failed(struct member_standing *standing,
                            uint32_t incarnation,
                            uint64_t now_ms);
/* An answer did not come in time. That may be the request's fault: it is avoided no more for
 * it.
 */
void member_standing_timed_out(struct member_standing *standing, uint32_t incarnation);
/* How many bad answers in a row this one makes; 0: it is a good one. */
uint32_t
member_standing_answered(struct member_standing *standing, uint32_t incarnation, bool is_bad);
void member_standing_succeeded(struct member_standing *standing, uint32_t incarnation);
/* A request goes to the member: if it is a suspect, the next one waits for what comes of it. */
void member_standing_chosen(struct member_standing *standing,
                            uint32_t incarnation,
                            uint64_t now_ms);
bool member_standing_is_avoided(const struct member_standing *standing,
                                uint32_t incarnation,
                                uint64_t now_ms);

#endif
