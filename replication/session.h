/* Sessions between the nodes of a cluster, as a pure core: it takes a datagram or the time and
 * says what to send; no clock, no socket, no log. The keys of a session come from a Noise
 * handshake (lbnode/crypto/noise.h) between the keys of the roster, under the cluster's secret.
 *
 * Who is no node, or does not have the secret, gets no answer at all. What is received costs,
 * in this order, and stops at the first that fails: form; one keyed hash over a handshake
 * message (its mac), or a look-up for data; the numbers of an INIT, which must rise for each
 * peer, so that a replayed one ends here; the budgets; the key agreements. An answer is shorter
 * than what it answers. All of that only from an address of the peer it names.
 *
 * A node initiates whenever it has no session to a peer, its session is due to be replaced, or
 * its driver says that the peer is silent. An INIT is repeated as it is, every 250 ms for 5 s;
 * then a new one each second, ±20 %. Who answers has a session that waits: it sends on it only
 * when the peer has, which proves that the peer is there now and not a recording. So a replayed
 * INIT, even to a node that was just started and remembers nothing, leaves what is in use as it
 * is. When both initiate at once, the node with the smaller id does not answer, for a second;
 * it sends its own INIT again instead.
 *
 * An INIT of an earlier life than the peer's last one is not answered, it may be a recording.
 * But the peer is asked, at most once a second: it may have gone back in time, or run twice.
 *
 * The driver: performs what sessions_tick returns, until it returns false, no later than
 * sessions_next_us; sends INITs to every address of the peer; hands in only what comes from an
 * address of the roster, with what is kept about that address, and sends a reply back to it.
 *
 * All memory is one block of guarded memory, which sessions_free wipes. Times are of one
 * monotonic clock, in µs. */
#ifndef REPLICATION_SESSION_H
#define REPLICATION_SESSION_H

#include "lbnode/base/uuid.h"
#include "replication/session_wire.h"

enum {
    SESSION_PEERS = 64,
    SESSION_SECRETS = 3,
    SESSION_RETRY_US = 250000,
    SESSION_FAST_US = 5000000, /* how long an INIT is repeated */
    SESSION_SLOW_US = 1000000, /* ±20 %, between INITs after that */
    SESSION_CROSSING_US = 1000000,
    SESSION_RECALL_US = 1000000, /* between questions because of INITs of an earlier life */
    SESSION_REKEY_US = 120000000,
    SESSION_ANSWERER_US = 10000000, /* who did not initiate gives the other so much more */
    SESSION_END_US = 180000000,     /* keys are neither used nor accepted any more */
    SESSION_PEER_RATE = 20,         /* answers per second to a peer, and to an address */
    SESSION_PEER_BURST = 50,
    SESSION_TOTAL_RATE = 500 /* answers per second; as many at once */
};

#define SESSION_REKEY_COUNT (1ull << 32) /* datagrams under one key */
#define SESSION_COUNTER_END (1ull << 60) /* no counter reaches it */

struct sessions;

struct sessions_settings {
    struct uuid node_id, cluster_id;
    const struct dh_key *key; /* copied */
    uint64_t incarnation;     /* higher than in any life before */
    uint64_t number; /* sessions_number of those before in this life; 0: the first ones */
    uint16_t minimum_protocol, maximum_protocol;
    uint64_t features;
    void (*random)(void *context, void *out, size_t size); /* cryptographically strong */
    void *random_context;
};

struct session_secret {
    uint16_t version;
    uint8_t secret[SESSION_SECRET_SIZE];
};

/* Of the last INIT. */
uint64_t sessions_number(const struct sessions *sessions);
struct sessions *sessions_new(const struct sessions_settings *settings);
void sessions_free(struct sessions *sessions); /* NULL-safe */

/* The secrets that are accepted, at most SESSION_SECRETS, copied; handshakes begin with that of
 * USE_VERSION, and not at all if it is none of them. Established sessions stay. */
void sessions_set_secrets(struct sessions *sessions,
                          const struct session_secret *secrets,
                          size_t count,
                          uint16_t use_version);
/* The place of the peer, below SESSION_PEERS; -1 when all are taken. A peer that is there with
 * another key loses its sessions. */
int sessions_add_peer(struct sessions *sessions,
                      const struct uuid *id,
                      const uint8_t public_key[DH_KEY_SIZE]);
/* Its sessions end at once. */
void sessions_remove_peer(struct sessions *sessions, const struct uuid *id);
int sessions_find_peer(const struct sessions *sessions, const struct uuid *id); /* or -1 */

/* IS_PASSIVE: the peer is not initiated to, only answered. */
void sessions_set_passive(struct sessions *sessions, int place, bool is_passive);

/* The peer was not heard for too long: a new handshake, beside the session there is. Over when
 * anything genuine comes from it. */
void sessions_suspect(struct sessions *sessions, int place);

struct session_action { /* send BYTES to all addresses of the peer */
    int place;
    uint8_t bytes[SESSION_INIT_SIZE];
    size_t size;
};

/* The next handshake message to send; false: nothing more at this time. */
bool sessions_tick(struct sessions *sessions, uint64_t now_us, struct session_action *out);
/* When to tick next at the latest; UINT64_MAX: not before something else happens. */
uint64_t sessions_next_us(const struct sessions *sessions, uint64_t now_us);

enum session_verdict {
    SESSION_MALFORMED,
    SESSION_FOREIGN,      /* wrong mac, secret, sender, index; or not from there */
    SESSION_REPLAYED,     /* seen, or older than what was seen */
    SESSION_CROSSED,      /* this node's own handshake goes first */
    SESSION_EXHAUSTED,    /* over the budget */
    SESSION_FORGED,       /* does not open */
    SESSION_INCOMPATIBLE, /* no protocol in common */
    SESSION_ENDED,        /* under keys that are too old, or a counter out of range */
    SESSION_ANSWERED,     /* REPLY is the answer to an INIT */
    SESSION_ESTABLISHED,  /* by a RESPONSE; REPLY tells the peer */
    SESSION_OPENED,       /* PLAIN are the frames; perhaps none */
    SESSION_VERDICTS      /* how many there are */
};

/* Messages that may cost a key agreement: GRANTED of them at SINCE_US, more as time passes. */
struct session_budget {
    uint64_t since_us;
    double granted;
};

/* What the driver keeps about an address. */
struct session_source {
    uint64_t places; /* bit i: the peer at place i sends from there */
    struct session_budget budget;
};

/* With the full budget, and without peers. */
struct session_source session_source_new(void);

struct session_received {
    enum session_verdict verdict;
    int place;            /* the peer, from ANSWERED on; else -1 */
    bool is_new;          /* ESTABLISHED, OPENED: a session comes into use by this */
    uint64_t incarnation; /* OPENED: of the peer */
    struct bytes plain;
    uint8_t reply[SESSION_RESPONSE_SIZE];
    size_t reply_size; /* 0: none */
};

/* A datagram from SOURCE. PLAIN goes to ROOM, which has as many bytes as DATAGRAM. */
void sessions_receive(struct sessions *sessions,
                      uint64_t now_us,
                      struct session_source *source,
                      struct bytes datagram,
                      uint8_t *room,
                      struct session_received *out);

/* Seals FRAMES for the peer: FRAMES.size + SESSION_DATA_OVERHEAD bytes to OUT. False: there is
 * no session to send on. */
bool sessions_seal(
    struct sessions *sessions, uint64_t now_us, int place, struct bytes frames, uint8_t *out);
bool sessions_ready(const struct sessions *sessions, uint64_t now_us, int place);
/* The session that is in use with a peer. */
struct session_view {
    uint64_t since_us;
    uint16_t protocol; /* that both sides speak, the highest in common */
    uint16_t secret_version;
};

/* False: there is none. */
bool sessions_view(const struct sessions *sessions,
                   uint64_t now_us,
                   int place,
                   struct session_view *out);
/* How often each verdict was reached. */
uint64_t sessions_count(const struct sessions *sessions, enum session_verdict verdict);

#endif
