/* From the options of a command line to the attributes of a request. */
#ifndef LBNODE_CLI_ATTRIBUTES_H
#define LBNODE_CLI_ATTRIBUTES_H

#include "lbnode/cli/command.h"

/* Adds each given attribute to BODY: numbers as numbers, names of other objects as their ids,
 * repeated options as lists. An empty value resets a nullable attribute. Existing lists of
 * BODY are extended. */
bool attributes_from_options(const struct context *context,
                             struct json_value *body,
                             struct error *error);
/* ERROR_USAGE naming the options that creation still needs. */
bool attributes_check_mandatory(const struct context *context,
                                const struct json_value *body,
                                struct error *error);

#endif
