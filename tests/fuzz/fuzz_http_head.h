/* What holds for every parser of a head: any segmentation gives the same result, and every
 * offset stays inside. */
#ifndef TESTS_FUZZ_FUZZ_HTTP_HEAD_H
#define TESTS_FUZZ_FUZZ_HTTP_HEAD_H

#include "lbnode/http/http_head.h"

/* Aborts where PARSE breaks one of the rules with DATA. */
void fuzz_http_head(enum http_parse_result (*parse)(struct http_head *, const char *, size_t),
                    const uint8_t *data,
                    size_t size);

#endif
