/* A blocking client of the daemon's API over its Unix socket: one request per connection, with
 * a deadline for the whole of it, and for reads a shorter one for the daemon's silence. */
#ifndef LBNODE_CLI_CLIENT_H
#define LBNODE_CLI_CLIENT_H

#include "lbnode/base/error.h"
#include "lbnode/base/json_value.h"
#include "lbnode/base/text.h"

enum {
    CLIENT_DEADLINE_MS = 30000,
    CLIENT_READ_SILENCE_MS = 5000, /* a read that gets no byte for so long has failed */
    CLIENT_MAXIMUM_BODY = 64 << 20,
    CLIENT_NOTE_SIZE = 512
};

struct client {
    const char *socket_path;
    bool require_replica;  /* ask for a change to be on another node too */
    const char *revision;  /* ask for a change only if the object has it still; or NULL */
    bool needs_reader;     /* give up when nobody reads standard output any more */
    unsigned long_poll_ms; /* the daemon may hold a read back for so long on purpose */
};

struct response {
    int status;
    struct json_value *json; /* NULL when the body is no JSON */
    struct text body;
    char note[CLIENT_NOTE_SIZE]; /* X-Lbnode-Note, "" if none */
    char revision[32];           /* X-Lbnode-Revision of the object shown, "" if none */
};

/* TARGET is path and query; BODY may be NULL. False sets ERROR: nobody answers, or the answer
 * is a refusal (then with the daemon's sentence and kind). RESPONSE is initialised in any case;
 * response_free it. */
bool client_request(const struct client *client,
                    const char *method,
                    const char *target,
                    const struct json_value *body,
                    struct response *response,
                    struct error *error);
/* Can nothing be written any more, since the reader of standard output is gone? */
bool client_output_is_gone(void);
void response_free(struct response *response);

#endif
