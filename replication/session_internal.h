/* What the files of the session core share. session.c: peers, secrets, what is sent by itself;
 * session_receive.c: what comes in. All of it lies in guarded memory. */
#ifndef REPLICATION_SESSION_INTERNAL_H
#define REPLICATION_SESSION_INTERNAL_H

#include "replication/packet.h"
#include "replication/session.h"

struct session_keys {
    bool is_used, is_initiator; /* is_initiator: this side sent the INIT */
    struct noise_keys keys;
    uint32_t local, remote; /* indexes: of what comes in, of what goes out */
    uint64_t sent;          /* the next counter */
    uint64_t since_us;
    uint16_t protocol, secret_version;
    uint64_t incarnation; /* of the peer */
    struct replay_window seen;
};

/* An INIT that waits for its RESPONSE. */
struct session_attempt {
    bool is_used;
    struct noise_handshake handshake;
    uint32_t local;
    uint16_t secret_version;
    uint8_t init[SESSION_INIT_SIZE];
};

struct session_peer {
    bool is_used, is_suspect, is_passive;
    struct uuid id;
    uint8_t public_key[DH_KEY_SIZE];
    struct session_keys current, previous, waiting; /* previous: received on only */
    struct session_attempt attempt;
    bool has_series;                  /* it is being tried to reach it */
    uint64_t series_us, next_send_us; /* since when; when the next INIT goes out */
    uint64_t recalled_us;             /* when an INIT of an earlier life last had an effect */
    uint64_t incarnation, number;     /* its INITs up to here are old */
    uint8_t last_mac[SESSION_MAC_SIZE];
    uint8_t answer[SESSION_RESPONSE_SIZE];  /* to it */
    uint64_t answered_us, repeated_us;      /* at first; last */
    struct session_budget inits, responses; /* of it */
};

struct session_secret_keys {
    uint16_t version;
    uint8_t secret[SESSION_SECRET_SIZE], psk[NOISE_KEY_SIZE];
    uint8_t mac_key[HASH_KEY_SIZE]; /* of what this node receives */
};

struct sessions {
    struct sessions_settings settings;
    struct dh_key key;
    struct session_secret_keys secrets[SESSION_SECRETS];
    size_t secret_count;
    uint16_t use_version;
    struct session_peer peers[SESSION_PEERS];
    struct session_budget budget;
    uint64_t number; /* of the last INIT */
    uint64_t counts[SESSION_VERDICTS];
    struct noise_handshake answering; /* used within a call */
};

const struct session_secret_keys *session_secret_find(const struct sessions *sessions,
                                                      uint16_t version);
/* A fresh index for the peer at PLACE, which its low bits tell. */
uint32_t session_index(struct sessions *sessions, int place);
int session_index_place(uint32_t index);
/* Begins the Noise handshake that INIT_HEAD opens. */
void session_handshake_start(const struct sessions *sessions,
                             struct noise_handshake *handshake,
                             bool is_initiator,
                             const struct session_peer *peer,
                             const uint8_t psk[NOISE_KEY_SIZE],
                             const uint8_t init_head[SESSION_INIT_HEAD]);
/* Writes this side's Noise message, with an offer that names INDEX. */
bool session_handshake_write(struct sessions *sessions,
                             struct noise_handshake *handshake,
                             uint32_t index,
                             uint8_t *out);
void session_attempt_drop(struct session_peer *peer);
bool session_seal(struct session_keys *keys, struct bytes frames, uint8_t *out);
bool session_is_alive(const struct session_keys *keys, uint64_t now_us);

#endif
