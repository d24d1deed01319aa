/* What the commands of single resource families share with the generic ones. */
#ifndef LBNODE_CLI_RESOURCE_COMMANDS_H
#define LBNODE_CLI_RESOURCE_COMMANDS_H

#include "lbnode/cli/command.h"

void cli_print_note(const struct context *context, const struct response *response);
/* The same for the object that RESPONSE shows, with its revision. */
void cli_print_answer(const struct context *context, const struct response *response);
void cli_print_object(const struct context *context, const struct json_value *object);
/* Of objects of context->class, with the columns of the class. */
void cli_print_list(const struct context *context, const struct json_value *list);
/* A list in whatever format was asked for. */
void cli_print_objects(const struct context *context, const struct json_value *list);
/* Sends {noun: BODY}, prints the object of the answer and the note. Takes BODY over. */
bool cli_send_object(struct context *context,
                     const char *method,
                     const char *target,
                     struct json_value *body,
                     struct error *error);
/* POSTs {ROOT: BODY} (taken over); on success RESPONSE has {ROOT: {...}}. */
bool cli_post(struct context *context,
              const char *target,
              const char *root,
              struct json_value *body,
              struct response *response,
              struct error *error);
/* The text member KEY, "-" when there is none. */
const char *cli_text_of(const struct json_value *object, const char *key);
/* Adds the given attributes to BODY (taken over), checks that none is missing, creates. */
bool cli_create(struct context *context, struct json_value *body, struct error *error);

#endif
