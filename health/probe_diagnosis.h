/* What an answer is that is no good answer of HTTP/1.x, in a reason of its own; pure. The
 * parser of lbnode/http decides what is good; here it only gets a name. */
#ifndef HEALTH_PROBE_DIAGNOSIS_H
#define HEALTH_PROBE_DIAGNOSIS_H

#include "lbnode/http/http_head.h"
#include "lbnode/model/verdict_board.h"

enum probe_first_bytes {
    FIRST_BYTES_HTTP,  /* or may still become it: for the parser */
    FIRST_BYTES_OPEN,  /* something else, what is not yet clear */
    FIRST_BYTES_OTHER, /* something else */
};

/* Looks at how an answer begins. OUT_REASON is set with OTHER. The end of the bytes changes
 * nothing: each beginning of an answer that gives OTHER gives the same reason. */
enum probe_first_bytes
probe_first_bytes(const char *bytes, size_t size, enum verdict_reason *out_reason);

/* The reason why HEAD, parsed from BYTES, is bad. */
enum verdict_reason probe_head_diagnosis(const struct http_head *head, const char *bytes);

#endif
