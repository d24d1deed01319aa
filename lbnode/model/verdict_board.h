/* Shared memory written by health, read by proxy and control: one verdict per member slot.
 * Fixed size; a slot counts only while its incarnation is the one in the snapshot. */
#ifndef LBNODE_MODEL_VERDICT_BOARD_H
#define LBNODE_MODEL_VERDICT_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    MEMBER_SLOTS = 16384
};

enum verdict_state {
    VERDICT_UNKNOWN, /* no result yet: OFFLINE in the API, not used while a monitor exists */
    VERDICT_ONLINE,
    VERDICT_ERROR,
};

/* Why the last probe failed: name, words. The numbers go over the wire: new ones at the end. */
#define VERDICT_REASONS(ROW)                                                                   \
    ROW(NONE, "")                                                                              \
    ROW(CONNECT_REFUSED, "connection refused")                                                 \
    ROW(CONNECT_TIMEOUT, "connect timeout")                                                    \
    ROW(UNREACHABLE, "host unreachable")                                                       \
    ROW(RESET, "connection reset before an answer")                                            \
    ROW(TIMEOUT, "no answer in time")                                                          \
    ROW(STATUS, "unexpected HTTP status")                                                      \
    ROW(MALFORMED, "malformed answer")                                                         \
    ROW(LOCAL, "this node has no socket or memory left for the probe")                         \
    ROW(NO_ROUTE, "no route to the network")                                                   \
    ROW(FORBIDDEN, "forbidden by this node's packet filter")                                   \
    ROW(PORT_UNREACHABLE, "port unreachable")                                                  \
    ROW(NO_ECHO, "no echo reply in time")                                                      \
    ROW(CLOSED, "connection closed without an answer")                                         \
    ROW(CLOSED_IN_ANSWER, "connection closed within the answer")                               \
    ROW(RESET_IN_ANSWER, "connection reset within the answer")                                 \
    ROW(REQUEST_NOT_READ, "request not read in time")                                          \
    ROW(ANSWER_SLOW, "answer not complete in time")                                            \
    ROW(ONLY_INTERIM, "interim answers without end")                                           \
    ROW(NOT_HTTP, "answer is not HTTP")                                                        \
    ROW(SPEAKS_SSH, "an SSH server answers")                                                   \
    ROW(SPEAKS_HTTP2, "answer is HTTP/2")                                                      \
    ROW(SPEAKS_TLS, "TLS on the port, plain HTTP asked")                                       \
    ROW(HTTP_VERSION, "HTTP version is neither 1.0 nor 1.1")                                   \
    ROW(STATUS_LINE, "malformed status line")                                                  \
    ROW(STATUS_RANGE, "status outside 100 to 599")                                             \
    ROW(SWITCHED, "switches protocols unasked")                                                \
    ROW(HEAD_NUL, "zero byte in the header")                                                   \
    ROW(HEAD_LINE_END, "header line does not end with CR LF")                                  \
    ROW(HEAD_FOLDED, "folded header line")                                                     \
    ROW(HEAD_NAME, "malformed header name")                                                    \
    ROW(HEAD_VALUE, "malformed header value")                                                  \
    ROW(HEAD_FIELDS, "too many header fields")                                                 \
    ROW(HEAD_SIZE, "header too large")                                                         \
    ROW(CONTENT_LENGTH, "malformed or conflicting Content-Length")                             \
    ROW(SPEAKS_PLAIN, "plain HTTP on the port, TLS asked")                                     \
    ROW(NOT_TLS, "answer is not TLS")                                                          \
    ROW(TLS_SLOW, "TLS handshake not complete in time")                                        \
    ROW(TLS_ALERT, "refused by a TLS alert")                                                   \
    ROW(TLS_CLOSED, "connection closed within the TLS handshake")                              \
    ROW(TLS_RESET, "connection reset within the TLS handshake")                                \
    ROW(TLS_FAILED, "TLS handshake failed")                                                    \
    ROW(TLS_BROKEN, "TLS record broken within the answer")                                     \
    ROW(NO_ICMP_SOCKET, "no ICMP socket")

enum verdict_reason {
#define REASON(name, text) VERDICT_REASON_##name,
    VERDICT_REASONS(REASON)
#undef REASON
    VERDICT_REASON_COUNT
};

struct verdict_slot {
    _Atomic uint64_t word; /* verdict_word_*: incarnation 32, own state, flags, state */
    _Atomic uint64_t since_wall_ms; /* of the state */
    _Atomic uint64_t probed_wall_ms;
    _Atomic uint64_t history; /* one bit per own probe, newest lowest, 1 = success */
    _Atomic uint32_t round_trip_us;
    _Atomic uint32_t probes, failures; /* own ones of the incarnation; they may wrap */
    _Atomic uint16_t reason;           /* enum verdict_reason of the last failure */
    _Atomic uint16_t last_status; /* HTTP status of the last answer, or number of a TLS alert */
};

struct verdict_board {
    uint64_t magic;
    _Atomic uint64_t changes; /* bumped at each state change */
    struct verdict_slot slots[MEMBER_SLOTS];
};

/* IMPORTED: STATE is a peer's, and OWN, which this node found itself, is UNKNOWN or older. */
static inline uint64_t verdict_word_with_own(uint32_t incarnation,
                                             enum verdict_state state,
                                             unsigned imported,
                                             enum verdict_state own,
                                             unsigned rare)
{
    return (uint64_t)incarnation << 32 | (uint64_t)own << 16 | (uint64_t)(rare != 0) << 9 |
           (uint64_t)(imported != 0) << 8 | (uint64_t)state;
}

static inline uint64_t
verdict_word_make(uint32_t incarnation, enum verdict_state state, unsigned imported)
{
    return verdict_word_with_own(incarnation, state, imported,
                                 imported ? VERDICT_UNKNOWN : state, 0);
}

static inline enum verdict_state verdict_word_state(uint64_t word)
{
    return (enum verdict_state)(word & 0xff);
}

static inline enum verdict_state verdict_word_own(uint64_t word)
{
    return (enum verdict_state)(word >> 16 & 0xff);
}

static inline bool verdict_word_is_imported(uint64_t word)
{
    return word >> 8 & 1;
}

/* This node probes the member at a lower rate than the monitor's delay. */
static inline bool verdict_word_is_rare(uint64_t word)
{
    return word >> 9 & 1;
}

/* The state of SLOT as seen with the snapshot's INCARNATION; UNKNOWN when they differ. */
static inline enum verdict_state
verdict_board_state(const struct verdict_board *board, uint32_t slot, uint32_t incarnation)
{
    uint64_t word = atomic_load_explicit(&board->slots[slot].word, memory_order_relaxed);
    return (uint32_t)(word >> 32) == incarnation ? verdict_word_state(word) : VERDICT_UNKNOWN;
}

/* Makes the shared memory: returns the mapping (inherited by children) or NULL with errno. */
struct verdict_board *verdict_board_create(void);

#endif
