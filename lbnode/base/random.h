/* Random numbers: from the kernel for keys and ids, from a seed for tests and simulation. */
#ifndef LBNODE_BASE_RANDOM_H
#define LBNODE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Cryptographically strong; aborts if the kernel has none. */
void random_bytes(void *out, size_t size);
uint64_t random_u64(void);

/* Deterministic generator (xoshiro256**); same seed, same sequence on every machine. */
struct random_sequence {
    uint64_t state[4];
};

void random_sequence_init(struct random_sequence *sequence, uint64_t seed);
uint64_t random_sequence_next(struct random_sequence *sequence);
/* Uniform in [0, bound); bound > 0. */
uint64_t random_sequence_below(struct random_sequence *sequence, uint64_t bound);

#endif
