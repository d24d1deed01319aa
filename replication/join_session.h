/* The cryptography of a join, as a pure core: Noise_KKpsk0 (lbnode/crypto/noise.h) between the
 * joiner's key, which HELLO names, and that of the inviter, which the token names, under the
 * token's secret; then messages that are sealed one after the other (docs/protocol.md,
 * "Joining"). Who does not have the secret reads nothing but the token's id and the joiner's
 * public key, and is not understood.
 *
 * No clock, no socket, no random source. A session is a secret: keep it in memory of
 * secret_allocate. */
#ifndef REPLICATION_JOIN_SESSION_H
#define REPLICATION_JOIN_SESSION_H

#include "lbnode/crypto/noise.h"
#include "replication/fingerprint.h"
#include "replication/join_message.h"

enum {
    JOIN_CHUNK = 16384 /* bytes of a message that are sealed together */
};

struct join_session {
    struct noise_handshake handshake;
    struct noise_keys keys;
    uint64_t sent, received; /* chunks */
    uint8_t fingerprint[FINGERPRINT_SIZE];
    bool established;
};

struct join_parties {
    struct uuid cluster_id;
    uint8_t token_id[TOKEN_ID_SIZE];
    uint8_t joiner_key[SIGN_PUBLIC_KEY_SIZE], inviter_key[SIGN_PUBLIC_KEY_SIZE];
};

/* False when the other side's key is none. OWN is the key of this side. */
bool join_session_start(struct join_session *session,
                        bool is_joiner,
                        const struct sign_key *own,
                        const struct join_parties *parties,
                        const uint8_t psk[TOKEN_PSK_SIZE]);

/* A message of the handshake with PAYLOAD, appended to OUT; EPHEMERAL_SECRET is 32 fresh random
 * bytes. False when the key agreement failed. */
bool join_session_write(struct join_session *session,
                        const struct join_parties *parties,
                        const uint8_t ephemeral_secret[DH_KEY_SIZE],
                        struct bytes payload,
                        struct wire_writer *out);
/* The other side's; its payload is appended to OUT. False: it is not genuine, or the keys or
 * the secrets differ. */
bool join_session_read(struct join_session *session,
                       const struct join_parties *parties,
                       struct bytes message,
                       struct wire_writer *out);

/* After the handshake: the message of TYPE with BODY, sealed, appended to OUT. */
void join_session_seal(struct join_session *session,
                       uint8_t type,
                       struct bytes body,
                       struct wire_writer *out);
/* The inverse; the body is appended to OUT. False: forged, cut, or out of order. The session is
 * over then. */
bool join_session_open(struct join_session *session,
                       struct bytes message,
                       uint8_t *out_type,
                       struct wire_writer *out);

#endif
