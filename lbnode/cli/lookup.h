/* Objects by name or id, as OpenStack's client finds them, and the paths of the API. */
#ifndef LBNODE_CLI_LOOKUP_H
#define LBNODE_CLI_LOOKUP_H

#include "lbnode/cli/client.h"
#include "lbnode/model/field_table.h"

enum {
    TARGET_SIZE = 1200
};

/* "/v2.0/lbaas/pools/OWNER_ID/members"; OWNER_ID is used by members only and may be NULL. */
void lookup_path(const struct resource_class *class,
                 const char *owner_id,
                 char out[TARGET_SIZE]);
/* The word for people and for commands: "pool", "vrrpgroup". */
const char *lookup_word(const struct resource_class *class);

/* A copy of the object as the list shows it; NULL with ERROR: none (with the nearest name), or
 * several of that name. */
struct json_value *lookup_object(const struct client *client,
                                 const struct resource_class *class,
                                 const char *owner_id,
                                 const char *name_or_id,
                                 struct error *error);
/* Its id alone, written to OUT. */
bool lookup_id(const struct client *client,
               const struct resource_class *class,
               const char *owner_id,
               const char *name_or_id,
               char out[UUID_TEXT_SIZE],
               struct error *error);

#endif
