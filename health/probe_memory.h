/* What the probes of one member remember for the next one: the TLS session that it resumes. It
 * goes from success to success only: after a failure, and each PROBE_FULL_HANDSHAKE_MS, a probe
 * makes a full handshake, so that a key or certificate that is no longer there is found. Part
 * of the member that is probed; at most 2 KiB more each. */
#ifndef HEALTH_PROBE_MEMORY_H
#define HEALTH_PROBE_MEMORY_H

#include "lbnode/tls/tls_client.h"

enum {
    PROBE_FULL_HANDSHAKE_MS = 600000
};

struct probe_memory { /* all zero: nothing */
    struct tls_session *session;
    uint64_t full_ms; /* when the full handshake began that made it */
};

/* A probe begins at NOW_MS: forgets what is too old for it. */
void probe_memory_begin(struct probe_memory *memory, uint64_t now_ms);
/* A probe that began at STARTED_MS ended. TLS: NULL without, or not connected. */
void probe_memory_end(struct probe_memory *memory,
                      const struct tls_client *tls,
                      bool is_success,
                      uint64_t started_ms);
/* Something else is probed from now on. */
void probe_memory_clear(struct probe_memory *memory);

#endif
