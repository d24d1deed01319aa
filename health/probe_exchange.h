/* What goes on over the connection of a probe: TLS handshake, request, answer, by the type of
 * the monitor. Knows no clock and no loop: is told when the socket may be ready, does what can
 * be done until it is not. The socket is the owner's. */
#ifndef HEALTH_PROBE_EXCHANGE_H
#define HEALTH_PROBE_EXCHANGE_H

#include "health/probe_memory.h"
#include "health/probe_request.h"
#include "health/prober.h"
#include "health/tls_hello.h"
#include "lbnode/model/snapshot.h"

struct probe_target {
    struct ip_endpoint endpoint;
    uint8_t type; /* enum snapshot_monitor_type */
    const char *expected_codes;
    struct probe_request request;
    uint32_t timeout_ms;
    struct probe_memory *memory; /* of probes with this target; NULL: they remember nothing */
};

enum probe_stage {
    PROBE_CONNECTS,
    PROBE_SHAKES_HANDS, /* HTTPS */
    PROBE_SENDS,
    PROBE_READS,
};

struct probe_exchange {
    int fd;
    uint32_t seed;
    uint16_t sent;    /* bytes of the request */
    uint8_t stage;    /* enum probe_stage */
    bool is_answered; /* a byte of an answer has come */
    union {
        struct probe_answer answer;    /* HTTP, HTTPS */
        struct tls_hello_reader hello; /* TLS-HELLO */
    };
    struct tls_client *tls; /* HTTPS, once connected */
};

/* SEED: what makes the random bytes of two probes differ. */
void probe_exchange_init(struct probe_exchange *exchange, int fd, uint32_t seed);
/* Goes on where it stands, with a socket that is connected or has failed to; the latter
 * IS_READABLE, too. True: ended, OUT is the judgement. */
bool probe_exchange_go_on(struct probe_exchange *exchange,
                          struct prober *prober,
                          const struct probe_target *target,
                          bool is_readable,
                          struct probe_judgement *out);
/* Why it has not ended in time. */
enum verdict_reason probe_exchange_lateness(const struct probe_exchange *exchange,
                                            const struct probe_target *target);
/* Did the member end the handshake because of the session that was to be resumed, perhaps? Then
 * this says nothing of it: a full handshake will. */
bool probe_exchange_failed_to_resume(const struct probe_exchange *exchange,
                                     const struct probe_target *target,
                                     enum verdict_reason reason);
/* Frees what belongs to it; idempotent. */
void probe_exchange_end(struct probe_exchange *exchange, const struct probe_target *target);
/* A connection that could not be made. */
enum verdict_reason probe_connect_reason(int error_number);

#endif
