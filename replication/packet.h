/* Gossip packets: what travels in one datagram, or as one message of a stream. Signed as a
 * whole; each packet has a counter of its own, so that a replayed one is noticed. Layout
 * (big-endian): docs/protocol.md, "Packets". */
#ifndef REPLICATION_PACKET_H
#define REPLICATION_PACKET_H

#include "lbnode/base/uuid.h"
#include "lbnode/base/wire.h"
#include "lbnode/crypto/crypto.h"

enum {
    PACKET_VERSION = 1,
    PACKET_FIRST_BYTE = 'L', /* messages of sessions begin otherwise */
    PACKET_HEADER_SIZE = 44,
    PACKET_OVERHEAD = PACKET_HEADER_SIZE + SIGNATURE_SIZE,
    DATAGRAM_MAXIMUM = 1232, /* IPv6 minimum MTU without headers */
    REPLAY_WINDOW_BITS = 2048
};

enum packet_channel {
    PACKET_DATAGRAM = 0,
    PACKET_STREAM = 1
};

struct packet {
    enum packet_channel channel;
    uint8_t cluster[8], sender[8], receiver[8]; /* first bytes of the ids */
    uint64_t incarnation, counter;
    struct bytes frames;
    struct bytes signed_part; /* in a parsed packet */
    const uint8_t *signature;
};

/* Appends the signed packet to OUT. */
void packet_seal(const struct packet *packet,
                 const struct sign_key *key,
                 struct wire_writer *out);
/* Form only; OUT points into IN. */
bool packet_parse(struct bytes in, struct packet *out);
bool packet_verify(const struct packet *packet, const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE]);

/* Frames inside a packet: type varint, length varint, body. */
void frame_append(struct wire_writer *out, uint32_t type, struct bytes body);
/* The next frame of a cursor over packet.frames; false at the end or when malformed. */
bool frame_next(struct wire_reader *frames, uint32_t *out_type, struct bytes *out_body);

/* Which counters of one sender were seen (on one channel). */
struct replay_window {
    uint64_t incarnation, highest;
    uint64_t seen[REPLAY_WINDOW_BITS / 64];
};

/* True once for each counter that is not older than the window; a higher incarnation starts
 * anew, a lower one is refused. Ask only about verified packets. */
bool replay_accept(struct replay_window *window, uint64_t incarnation, uint64_t counter);

#endif
