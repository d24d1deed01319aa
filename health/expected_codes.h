/* The expected_codes of an HTTP monitor: "200", "200,202" or "200-204" (octavia-api.md 7). */
#ifndef HEALTH_EXPECTED_CODES_H
#define HEALTH_EXPECTED_CODES_H

#include <stdbool.h>

/* Is STATUS (100..599) among CODES? A malformed list matches nothing. */
bool expected_codes_match(const char *codes, int status);

#endif
