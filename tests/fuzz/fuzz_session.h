/* Two nodes for the fuzz targets of sessions. */
#ifndef TESTS_FUZZ_FUZZ_SESSION_H
#define TESTS_FUZZ_FUZZ_SESSION_H

#include "replication/session_internal.h"

struct fuzz_pair {
    struct sessions *nodes[2];
    uint8_t counter; /* of the random bytes, which are not */
};

enum {
    FUZZ_NOW_US = 1000000
};

/* Each is peer 0 of the other. */
void fuzz_pair_start(struct fuzz_pair *pair);
/* A session that node 0 initiated, in use by both. */
void fuzz_pair_connect(struct fuzz_pair *pair);
void fuzz_pair_end(struct fuzz_pair *pair);
/* Puts the mac in its place at the end of a handshake message for RECEIVER. */
void fuzz_mac(const struct fuzz_pair *pair, int receiver, uint8_t *message, size_t size);
struct session_received fuzz_receive(struct fuzz_pair *pair, int receiver, struct bytes bytes);

#endif
