/* The answer to an HTTP probe, fed in pieces; pure. The head decides: its status is judged as
 * soon as it is complete, a body is never read. Interim answers are skipped (RFC 9110 15.2), a
 * bounded number of them. What is not a head of HTTP/1.x fails as soon as that is certain, with
 * a reason of its own.
 *
 * Bytes are read to a scratch buffer that all probes share; only a head that came incomplete is
 * kept, in as much memory as it needs. */
#ifndef HEALTH_PROBE_ANSWER_H
#define HEALTH_PROBE_ANSWER_H

#include "lbnode/http/http_head.h"
#include "lbnode/model/verdict_board.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    PROBE_ANSWER_SIZE = 16384, /* a larger head is a failure */
    PROBE_MAXIMUM_INTERIMS = 8
};

struct probe_scratch {
    struct http_head head;
    char bytes[PROBE_ANSWER_SIZE];
};

/* Zero before the first byte. */
struct probe_answer {
    char *kept;
    uint16_t kept_size;
    uint8_t interims;
};

struct probe_judgement {
    enum verdict_reason reason; /* NONE: success */
    uint16_t status;            /* 0 without */
};

/* Where the next bytes of ANSWER have to be put; there is room for at least one. */
char *probe_answer_room(const struct probe_answer *answer,
                        struct probe_scratch *scratch,
                        size_t *out_size);
/* SIZE bytes were put there, at least one. True: OUT is the judgement; false: more is needed.
 * METHOD: of the request. CODES: the statuses of success. */
bool probe_answer_take(struct probe_answer *answer,
                       struct probe_scratch *scratch,
                       size_t size,
                       const char *method,
                       const char *codes,
                       struct probe_judgement *out);
/* Frees what was kept; idempotent. */
void probe_answer_reset(struct probe_answer *answer);

#endif
