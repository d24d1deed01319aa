/* What traffic may hold against a member. The proxy notices it while it serves; a monitor then
 * probes the member at once, and the probe decides. */
#ifndef LBNODE_MODEL_SUSPICION_H
#define LBNODE_MODEL_SUSPICION_H

#include <stdint.h>

/* name, text, how often in a row on one worker, help; the metric is
 * lbnode_suspicions_total{kind="<text>"} */
#define SUSPICION_KINDS(ROW)                                                                   \
    ROW(CONNECT, "connect", 1, "a connection could not be opened")                             \
    ROW(CONNECT_TIMEOUT, "connect_timeout", 1, "a connection was not accepted in time")        \
    ROW(EMPTY, "empty", 2, "fresh connections were closed without a byte of an answer")        \
    ROW(TIMEOUT, "timeout", 2, "requests were not answered in time")                           \
    ROW(STATUS, "status", 3, "answers had a status of 500 or more")

enum suspicion_kind {
#define SUSPICION_NAME(name, text, in_a_row, help) SUSPICION_##name,
    SUSPICION_KINDS(SUSPICION_NAME)
#undef SUSPICION_NAME
    SUSPICION_KIND_COUNT
};

const char *suspicion_text(enum suspicion_kind kind); /* "connect", ... */
const char *suspicion_help(enum suspicion_kind kind); /* a sentence without its end */
/* How often in a row it has to happen. */
uint32_t suspicion_in_a_row(enum suspicion_kind kind);

#endif
