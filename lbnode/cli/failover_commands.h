/* Planned switches, as the commands failover and drill make them. */
#ifndef LBNODE_CLI_FAILOVER_COMMANDS_H
#define LBNODE_CLI_FAILOVER_COMMANDS_H

#include "lbnode/cli/command.h"

/* Asks for a switch of GROUP to TO (NULL: any). RESPONSE holds {"failover": {"moves": ...}} and
 * is the caller's to free, whatever comes of it. */
bool failover_ask(struct context *context,
                  const char *group,
                  const char *to,
                  struct response *response,
                  struct error *error);
/* Waits until the switches of ANSWER ({"moves": ...}) are made, seconds at most; false: nobody
 * took over. With SAY, tells who has the groups then. */
bool failover_wait(struct context *context,
                   const struct json_value *answer,
                   bool say,
                   struct error *error);

#endif
