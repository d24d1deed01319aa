/* One end of an encrypted TCP stream, as a pure core: it takes bytes and gives bytes and a
 * verdict; no socket, no clock, no random source. Each frame follows its length (u16,
 * big-endian):
 *
 *   INIT      type 5, version, secret version u16, 0 u32, sender's node key 8, its incarnation
 *             u64, number u64 | Noise message 1 | mac 16
 *   RESPONSE  type 6, version, 0 u16 | Noise message 2 | mac 16
 *   after that: a Noise transport message of at most 16 KiB of plain text: kind u8, then bytes
 *   of kind DATA. REKEY: this direction goes on with the next key. END: it is over; who does
 *   not see it was cut off.
 *
 * The payload of both Noise messages is an offer and the macs are those of session_wire.h. The
 * prologue is "lbnode/1/stream", the cluster's id, and the head of the INIT: neither a
 * handshake for datagrams nor one in the other direction fits. Nonces count from 0 in each
 * direction, so nothing can be left out, come twice, or change its place.
 *
 * A recorded INIT proves nothing about now. So who initiates sends an empty DATA first (REPLY
 * of ESTABLISHED), and who answers takes nothing else before it and seals nothing. Who gives
 * connections to this core asks the peer's stream_gate before it spends a key agreement.
 *
 * What a verdict below STREAM_PARTIAL says is final: the connection is to be closed, without a
 * word. */
#ifndef REPLICATION_STREAM_SESSION_H
#define REPLICATION_STREAM_SESSION_H

#include "lbnode/base/uuid.h"
#include "replication/session_wire.h"

enum stream_type {
    STREAM_INIT = 5,
    STREAM_RESPONSE = 6
};

enum stream_kind {
    STREAM_KIND_DATA = 0,
    STREAM_KIND_REKEY = 1,
    STREAM_KIND_END = 2
};

enum {
    STREAM_LENGTH_SIZE = 2,
    STREAM_RESPONSE_HEAD = 4,
    STREAM_HANDSHAKE_MAXIMUM = STREAM_LENGTH_SIZE + SESSION_INIT_MAXIMUM, /* a whole frame */
    STREAM_PLAIN_MAXIMUM = 16 << 10,
    STREAM_DATA_MAXIMUM = STREAM_PLAIN_MAXIMUM - 1,
    STREAM_OVERHEAD = STREAM_LENGTH_SIZE + 1 + NOISE_TAG_SIZE,
    STREAM_FRAME_MAXIMUM = STREAM_OVERHEAD + STREAM_DATA_MAXIMUM,
    STREAM_SEAL_MORE = 2 * STREAM_OVERHEAD, /* at most, of what is sealed: the key may change */
    STREAM_REKEY_BYTES = 256 << 20,
    STREAM_REKEY_US = 120000000,
    STREAM_GATE_RATE = 4, /* handshakes per second and peer */
    STREAM_GATE_BURST = 16
};

#define STREAM_COUNTER_END (1ull << 60) /* no counter reaches it */

enum stream_verdict {
    STREAM_MALFORMED,
    STREAM_FOREIGN,      /* wrong mac */
    STREAM_REPLAYED,     /* seen, or older than what was seen */
    STREAM_EXHAUSTED,    /* over the budget */
    STREAM_FORGED,       /* does not open */
    STREAM_INCOMPATIBLE, /* no protocol in common */
    STREAM_PARTIAL,      /* more bytes are needed */
    STREAM_ANSWERED,     /* OUT is the answer to an INIT */
    STREAM_ESTABLISHED,  /* by a RESPONSE; REPLY proves that this end is there */
    STREAM_PROVED,       /* the one who initiated is there: this end may send */
    STREAM_OPENED,       /* DATA; perhaps none */
    STREAM_ENDED,        /* the peer sends nothing any more */
    STREAM_VERDICTS
};

/* ---- the first frame of a connection ------------------------------------------------------
 */

/* What somebody begins with. Views point into what was parsed. */
struct stream_init {
    uint16_t secret_version;
    uint8_t sender[8];
    uint64_t incarnation, number;     /* rise with each one of a sender */
    struct bytes head, body, covered; /* body: the Noise message */
    const uint8_t *mac;
    size_t frame_size; /* of all, the length before it included */
};

/* Form only. PARTIAL, MALFORMED, or ANSWERED for a complete one. */
enum stream_verdict stream_init_parse(struct bytes in, struct stream_init *out);
bool stream_init_mac_is_right(const struct stream_init *init,
                              const uint8_t mac_key[HASH_KEY_SIZE]);
void stream_init_head(const struct stream_init *init, uint8_t out[SESSION_INIT_HEAD]);

/* What is remembered of a peer's INITs. All zeros at the start. */
struct stream_gate {
    uint64_t incarnation, number; /* INITs up to here are old */
    uint64_t since_us;
    double spent;
};

/* Whether an INIT with the right mac may cost key agreements: ANSWERED, REPLAYED, EXHAUSTED. */
enum stream_verdict
stream_gate_ask(struct stream_gate *gate, const struct stream_init *init, uint64_t now_us);
/* The INIT was genuine: it, and older ones, are not taken again. */
void stream_gate_close(struct stream_gate *gate, const struct stream_init *init);

/* ---- a stream -----------------------------------------------------------------------------
 */

/* What both ends know beforehand; all of it is copied. */
struct stream_terms {
    struct uuid cluster_id;
    const struct dh_key *key;
    const uint8_t *peer; /* its public key */
    const uint8_t *psk;
    const uint8_t *mac_key, *peer_mac_key; /* of what this end gets; of what the peer gets */
    uint16_t minimum_protocol, maximum_protocol;
    uint64_t features;
};

struct stream_session;

struct stream_session *stream_session_new(void);          /* in guarded memory */
void stream_session_free(struct stream_session *session); /* NULL-safe; wipes */

/* Begins with HEAD (stream_init_head). The frame to send goes to OUT; its size, or 0 when the
 * peer's key is unusable. EPHEMERAL: 32 fresh random bytes. */
size_t stream_session_initiate(struct stream_session *session,
                               const struct stream_terms *terms,
                               const uint8_t head[SESSION_INIT_HEAD],
                               const uint8_t ephemeral[DH_KEY_SIZE],
                               uint64_t now_us,
                               uint8_t out[STREAM_HANDSHAKE_MAXIMUM]);
/* Answers INIT, whose mac is right. ANSWERED: send OUT_SIZE bytes of OUT. */
enum stream_verdict stream_session_answer(struct stream_session *session,
                                          const struct stream_terms *terms,
                                          const struct stream_init *init,
                                          const uint8_t ephemeral[DH_KEY_SIZE],
                                          uint64_t now_us,
                                          uint8_t out[STREAM_HANDSHAKE_MAXIMUM],
                                          size_t *out_size);

struct stream_received {
    enum stream_verdict verdict;
    size_t used;        /* bytes of IN that were taken */
    struct bytes plain; /* of OPENED, in ROOM */
    uint8_t reply[STREAM_OVERHEAD];
    size_t reply_size; /* 0: none */
};

/* The frame that IN begins with. */
void stream_session_receive(struct stream_session *session,
                            struct bytes in,
                            uint8_t room[STREAM_PLAIN_MAXIMUM],
                            struct stream_received *out);
/* How many bytes there have to be before the next frame can be taken, given those of IN; never
 * more than this end is willing to keep at this time. */
size_t stream_session_wants(const struct stream_session *session, struct bytes in);

/* Sealing is possible: after ESTABLISHED or PROVED, before this end's END. */
bool stream_session_is_open(const struct stream_session *session);
/* One message of at most STREAM_DATA_MAXIMUM bytes to OUT, which has room for STREAM_SEAL_MORE
 * more; how many bytes to send. 0: not possible. */
size_t stream_session_seal(struct stream_session *session,
                           uint64_t now_us,
                           struct bytes data,
                           uint8_t *out);
/* The end of what this side sends: at most STREAM_OVERHEAD bytes; 0: not possible. */
size_t stream_session_end(struct stream_session *session, uint8_t out[STREAM_OVERHEAD]);
/* The peer's END was received: nothing is missing. */
bool stream_session_has_ended(const struct stream_session *session);
/* The highest protocol in common; 0 before the handshake is through. */
uint16_t stream_session_protocol(const struct stream_session *session);

#endif
