/* The messages of a join: 'L' 'J' version type, then a body of fields. Pure. */
#ifndef REPLICATION_JOIN_MESSAGE_H
#define REPLICATION_JOIN_MESSAGE_H

#include "lbnode/base/ip_address.h"
#include "lbnode/base/text_list.h"
#include "lbnode/base/uuid.h"
#include "lbnode/base/wire.h"
#include "replication/token.h"

enum {
    JOIN_VERSION = 1,
    JOIN_NONCE_SIZE = 32,
    JOIN_NAME_MAXIMUM = 255,
    JOIN_ADDRESSES = 4
};

struct join_hello {
    uint8_t token_id[TOKEN_ID_SIZE];
    struct uuid node_id;
    uint8_t public_key[SIGN_PUBLIC_KEY_SIZE];
    char name[JOIN_NAME_MAXIMUM + 1];
    struct text_list addresses; /* owned; canonical endpoints */
    struct ip_address vrrp_address;
    uint8_t nonce[JOIN_NONCE_SIZE];
};

/* Starts a message of TYPE (enum frame_type, FRAME_JOIN_...). */
void join_message_begin(struct wire_writer *out, uint8_t type);
/* Splits a message; false when it is none of this version. */
bool join_message_parse(struct bytes message, uint8_t *out_type, struct bytes *out_body);

void join_hello_put(struct wire_writer *out, const struct join_hello *hello);
bool join_hello_parse(struct bytes body, struct join_hello *out);
void join_hello_free(struct join_hello *hello);
/* The value of field NUMBER of a body; false when absent or the body is malformed. */
bool join_field(struct bytes body, uint32_t number, struct bytes *out);

#endif
