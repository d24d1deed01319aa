#include "health/probe_memory.h"

void probe_memory_clear(struct probe_memory *memory)
{
    tls_session_free(memory->session);
    *memory = (struct probe_memory){0};
}

void probe_memory_begin(struct probe_memory *memory, uint64_t now_ms)
{
    if (memory->session && now_ms - memory->full_ms >= PROBE_FULL_HANDSHAKE_MS)
        probe_memory_clear(memory);
}

/* A session that was resumed stays: one ticket serves many times, and its age counts from the
 * full handshake. */
void probe_memory_end(struct probe_memory *memory,
                      const struct tls_client *tls,
                      bool is_success,
                      uint64_t started_ms)
{
    if (is_success && (!tls || tls_client_is_resumed(tls)))
        return;
    probe_memory_clear(memory);
    if (!is_success)
        return;
    memory->session = tls_client_session(tls);
    memory->full_ms = started_ms;
}
