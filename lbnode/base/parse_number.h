/* Strict decimal parsing: the whole text, no blanks, no sign but '-', bounds checked. */
#ifndef LBNODE_BASE_PARSE_NUMBER_H
#define LBNODE_BASE_PARSE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

bool parse_integer(const char *text, int64_t minimum, int64_t maximum, int64_t *out);

#endif
