/* What is known of one request (HTTP) or connection (TCP) when it is over: where it went, how
 * long each phase took, how it ended. It becomes counters and histograms of the board, and is
 * what a line of an access log is made of. Times come from the clock of the loop's turn. */
#ifndef PROXY_REQUEST_RECORD_H
#define PROXY_REQUEST_RECORD_H

#include "lbnode/model/counter_board.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

#define REQUEST_NOT_REACHED UINT32_MAX

struct request_record {
    uint64_t begun_us; /* the first byte of the request, or the connection (TCP) */
    uint64_t mark_us;  /* the end of the last phase that is over */
    /* Phases; REQUEST_NOT_REACHED when it did not come to that. */
    uint32_t client_wait_us, queue_us;
    uint32_t connect_us; /* not reached either when a kept connection served */
    uint32_t first_byte_us, total_us;
    uint32_t listener_slot, listener_incarnation;
    uint32_t pool_slot, pool_incarnation;
    uint32_t member_slot, member_incarnation;
    bool has_pool, has_member, is_ended;
    bool is_decided;     /* the termination is known */
    uint8_t termination; /* enum termination */
    uint16_t status;     /* what the client was told; 0: nothing (TCP, or it had gone) */
    uint64_t bytes_in, bytes_out;
};

void request_record_begin(struct request_record *record, uint64_t now_us);
/* A phase ends now, and the next one begins. */
static inline void
request_record_phase(struct request_record *record, uint32_t *phase, uint64_t now_us)
{
    uint64_t duration_us = now_us - record->mark_us;
    *phase = duration_us < UINT32_MAX ? (uint32_t)duration_us : UINT32_MAX - 1;
    record->mark_us = now_us;
}

/* The first word counts: what follows from it does not replace it. */
static inline void request_record_decide(struct request_record *record, enum termination why)
{
    if (!record->is_decided)
        record->termination = (uint8_t)why;
    record->is_decided = true;
}

/* Counts it all on the board of WORKER; idempotent. Undecided ones ended with the client, or
 * with the worker. */
void request_record_end(struct request_record *record, struct worker *worker);

#endif
