/* Secrets on the command line: payloads come from files, never from arguments, which every user
 * of the host can read in the list of processes. */
#ifndef LBNODE_CLI_SECRET_COMMANDS_H
#define LBNODE_CLI_SECRET_COMMANDS_H

#include "lbnode/cli/command.h"

/* Sets the attribute FIELD in BODY to what the file PATH ("-": standard input) holds; what is
 * no text goes as base64. */
bool secret_read_file(const struct field *field,
                      const char *path,
                      struct json_value *body,
                      struct error *error);

#endif
