#include "lbnode/base/random.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *out, size_t size)
{
    char *next = out;
    while (size > 0) {
        ssize_t n = getrandom(next, size, 0);
        if (n <= 0)
            abort(); /* without randomness no key or id may be made */
        next += n;
        size -= (size_t)n;
    }
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

static uint64_t splitmix64(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

void random_sequence_init(struct random_sequence *sequence, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        sequence->state[i] = splitmix64(&seed);
}

uint64_t random_sequence_next(struct random_sequence *sequence)
{
    uint64_t *s = sequence->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t random_sequence_below(struct random_sequence *sequence, uint64_t bound)
{
    assert(bound > 0);
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)random_sequence_next(sequence) * bound) >> 64);
}
