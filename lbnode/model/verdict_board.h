/* Shared memory written by health, read by proxy and control: one verdict per member slot.
 * Fixed size; a slot counts only while its incarnation is the one in the snapshot. */
#ifndef LBNODE_MODEL_VERDICT_BOARD_H
#define LBNODE_MODEL_VERDICT_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    MEMBER_SLOTS = 16384
};

enum verdict_state {
    VERDICT_UNKNOWN, /* no result yet: OFFLINE in the API, not used while a monitor exists */
    VERDICT_ONLINE,
    VERDICT_ERROR,
};

enum verdict_reason {
    VERDICT_REASON_NONE,
    VERDICT_REASON_CONNECT_REFUSED,
    VERDICT_REASON_CONNECT_TIMEOUT,
    VERDICT_REASON_UNREACHABLE,
    VERDICT_REASON_RESET,
    VERDICT_REASON_TIMEOUT, /* connected, no answer in time */
    VERDICT_REASON_STATUS,  /* an HTTP status outside expected_codes, see last_status */
    VERDICT_REASON_MALFORMED,
    VERDICT_REASON_COUNT
};

const char *verdict_reason_text(enum verdict_reason reason); /* "connection refused", ... */

struct verdict_slot {
    _Atomic uint64_t word;          /* verdict_word_*: incarnation 32, imported 1, state 8 */
    _Atomic uint64_t since_wall_ms; /* of the state */
    _Atomic uint64_t probed_wall_ms;
    _Atomic uint64_t history; /* one bit per own probe, newest lowest, 1 = success */
    _Atomic uint32_t round_trip_us;
    _Atomic uint16_t reason;      /* enum verdict_reason of the last failure */
    _Atomic uint16_t last_status; /* HTTP status of the last answer */
};

struct verdict_board {
    uint64_t magic;
    _Atomic uint64_t changes; /* bumped at each state change */
    struct verdict_slot slots[MEMBER_SLOTS];
};

static inline uint64_t
verdict_word_make(uint32_t incarnation, enum verdict_state state, unsigned imported)
{
    return (uint64_t)incarnation << 32 | (uint64_t)(imported != 0) << 8 | (uint64_t)state;
}

/* The state of SLOT as seen with the snapshot's INCARNATION; UNKNOWN when they differ. */
static inline enum verdict_state
verdict_board_state(const struct verdict_board *board, uint32_t slot, uint32_t incarnation)
{
    uint64_t word = atomic_load_explicit(&board->slots[slot].word, memory_order_relaxed);
    return (uint32_t)(word >> 32) == incarnation ? (enum verdict_state)(word & 0xff)
                                                 : VERDICT_UNKNOWN;
}

/* Makes the shared memory: returns the mapping (inherited by children) or NULL with errno. */
struct verdict_board *verdict_board_create(void);

#endif
