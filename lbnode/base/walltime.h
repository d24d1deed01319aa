/* Moments as people write them. */
#ifndef LBNODE_BASE_WALLTIME_H
#define LBNODE_BASE_WALLTIME_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 3339 (2026-01-31T12:34:56Z, with a fraction or an offset too; without a zone it is UTC,
 * as walltime_format writes it), an age before NOW_MS (90s, 10m, 2h, 7d), or "now".
 * Milliseconds since 1970. False for anything else, and for what is before 1970. */
bool walltime_parse(const char *text, uint64_t now_ms, uint64_t *out_ms);

#endif
