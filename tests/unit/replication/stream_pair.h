/* Two ends of a stream that know each other, for tests: side 0 initiates. Virtual time; the
 * ephemeral keys are a sequence. */
#ifndef TESTS_UNIT_REPLICATION_STREAM_PAIR_H
#define TESTS_UNIT_REPLICATION_STREAM_PAIR_H

#include "replication/stream_session.h"

struct stream_pair {
    struct stream_session *sides[2];
    struct dh_key keys[2];
    uint8_t psk[NOISE_KEY_SIZE], mac_keys[2][HASH_KEY_SIZE]; /* by receiver */
    struct stream_terms terms[2];
    struct stream_init init; /* what side 0 says about itself */
    struct stream_gate gate; /* at side 1 */
    uint64_t now_us;
    uint8_t counter; /* of ephemeral keys */
};

struct stream_pair *stream_pair_new(void);
void stream_pair_free(struct stream_pair *pair);
/* A new stream of side 0 with the next number; the size of its INIT. */
size_t stream_pair_begin(struct stream_pair *pair, uint8_t out[STREAM_HANDSHAKE_MAXIMUM]);
/* What side 1 makes of a whole first frame, as a driver does: form, mac, gate, keys. */
enum stream_verdict stream_pair_answer(struct stream_pair *pair,
                                       struct bytes init,
                                       uint8_t out[STREAM_HANDSHAKE_MAXIMUM],
                                       size_t *out_size);
/* The whole handshake; PROOF has STREAM_OVERHEAD bytes: what side 1 still has to get. */
void stream_pair_shake(struct stream_pair *pair, uint8_t *proof);
/* And that too. */
void stream_pair_connect(struct stream_pair *pair);

#endif
