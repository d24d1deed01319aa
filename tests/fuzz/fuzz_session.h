/* Two nodes for the fuzz targets of sessions. */
#ifndef TESTS_FUZZ_FUZZ_SESSION_H
#define TESTS_FUZZ_FUZZ_SESSION_H

#include "replication/session_internal.h"

struct fuzz_pair {
    struct sessions *nodes[2];
    struct sessions *starts[2]; /* what they were */
    uint8_t counter;            /* of the random bytes, which are not */
};

enum {
    FUZZ_NOW_US = 1000000
};

/* The same pair each time, as it was at the start: each node is peer 0 of the other.
 * IS_CONNECTED: with a session that node 0 initiated, in use by both. */
struct fuzz_pair *fuzz_pair_get(bool is_connected);
/* Puts the mac in its place at the end of a handshake message for RECEIVER. */
void fuzz_mac(const struct fuzz_pair *pair, int receiver, uint8_t *message, size_t size);
struct session_received fuzz_receive(struct fuzz_pair *pair, int receiver, struct bytes bytes);
/* The address of the other one. */
struct session_source fuzz_source(void);

#endif
