/* YAML in and out as JSON values: the only wrapper of libyaml. One document, no anchors,
 * aliases or tags; plain scalars are typed as in YAML 1.2 core (true/false, null, decimal
 * integers). */
#ifndef LBNODE_BASE_YAML_VALUE_H
#define LBNODE_BASE_YAML_VALUE_H

#include "lbnode/base/json_value.h"

/* NULL with ERROR set (line and column) when malformed, nested deeper than 32, or a key
 * repeats. An empty document is an empty object. */
struct json_value *yaml_value_parse(const char *data, size_t size, struct error *error);
/* malloc'd block-style text. */
char *yaml_value_print(const struct json_value *value);

#endif
