/* What changes did, in words. */
#ifndef LBNODE_CLI_HISTORY_TEXT_H
#define LBNODE_CLI_HISTORY_TEXT_H

#include "lbnode/base/json_value.h"
#include "lbnode/base/text.h"

/* "update member w1: weight 1 -> 5" of an object in the answers about the past. */
void history_write_object(const struct json_value *object, struct text *out);
/* A line for each object of the list. */
void history_print_objects(const struct json_value *objects);

#endif
