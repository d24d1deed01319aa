/* The messages of a join: 'L' 'J' version type, then a body; that of HELLO is made of fields,
 * what is inside the others is sealed (join_session.h). Pure. */
#ifndef REPLICATION_JOIN_MESSAGE_H
#define REPLICATION_JOIN_MESSAGE_H

#include "lbnode/base/ip_address.h"
#include "lbnode/base/text_list.h"
#include "lbnode/base/uuid.h"
#include "lbnode/base/wire.h"
#include "replication/token.h"

enum {
    JOIN_VERSION = 2,
    JOIN_HEAD_SIZE = 4,
    JOIN_NAME_MAXIMUM = 255,
    JOIN_VERSION_MAXIMUM = 64,
    JOIN_ADDRESSES = 4
};

/* What everybody on the wire can read. */
struct join_hello {
    uint8_t token_id[TOKEN_ID_SIZE];
    uint8_t public_key[SIGN_PUBLIC_KEY_SIZE];
    struct bytes handshake; /* a view into the message */
};

/* What the first message of the handshake carries. */
struct join_facts {
    struct uuid node_id;
    char name[JOIN_NAME_MAXIMUM + 1];
    struct text_list addresses; /* owned; canonical endpoints */
    struct ip_address vrrp_address;
    uint64_t protocol;                      /* the newest that the node speaks */
    char version[JOIN_VERSION_MAXIMUM + 1]; /* of its program; "": it does not say */
};

/* Starts a message of TYPE (enum frame_type, FRAME_JOIN_...). */
void join_message_begin(struct wire_writer *out, uint8_t type);
/* Splits a message; false when it is none of this version. */
bool join_message_parse(struct bytes message, uint8_t *out_type, struct bytes *out_body);

void join_hello_put(struct wire_writer *out, const struct join_hello *hello);
bool join_hello_parse(struct bytes body, struct join_hello *out);

void join_facts_put(struct wire_writer *out, const struct join_facts *facts);
bool join_facts_parse(struct bytes body, struct join_facts *out);
void join_facts_free(struct join_facts *facts);
/* The value of field NUMBER of a body; false when absent or the body is malformed. */
bool join_field(struct bytes body, uint32_t number, struct bytes *out);

#endif
