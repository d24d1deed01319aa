/* Why a probe failed, in words for people: events, status and the command line say the same. */
#ifndef LBNODE_MODEL_HEALTH_REASON_H
#define LBNODE_MODEL_HEALTH_REASON_H

#include "lbnode/model/resource.h"
#include "lbnode/model/verdict_board.h"

enum {
    HEALTH_REASON_TEXT_SIZE = 128
};

/* The words of the table, without figures: "connection refused"; "" for NONE. A number that
 * this version does not know (of a newer peer) is "unknown reason". */
const char *verdict_reason_text(enum verdict_reason reason);

/* A sentence with the figures that belong to it: "timeout after 5 s", "status 503, expected
 * 200", "refused by a TLS alert (40, handshake failure)". STATUS: of the HTTP answer or the
 * alert, 0 without. MONITOR: whose limits were missed; NULL: unknown, no figures of it. */
void health_reason_text(char out[HEALTH_REASON_TEXT_SIZE],
                        enum verdict_reason reason,
                        uint16_t status,
                        const struct health_monitor *monitor);

#endif
