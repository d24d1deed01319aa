#include "proxy/suspicion_ring.h"

bool suspicion_ring_put(struct suspicion_ring *ring, const struct suspicion *suspicion)
{
    uint32_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
    if (put - atomic_load_explicit(&ring->taken, memory_order_acquire) == SUSPICION_RING_SIZE)
        return false;
    ring->items[put % SUSPICION_RING_SIZE] = *suspicion;
    atomic_store_explicit(&ring->put, put + 1, memory_order_release);
    return true;
}

bool suspicion_ring_take(struct suspicion_ring *ring, struct suspicion *out)
{
    uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    if (taken == atomic_load_explicit(&ring->put, memory_order_acquire))
        return false;
    *out = ring->items[taken % SUSPICION_RING_SIZE];
    atomic_store_explicit(&ring->taken, taken + 1, memory_order_release);
    return true;
}

/* Threads' clocks may be a little apart. */
bool suspicion_is_due(_Atomic uint64_t *last_ms, uint64_t now_ms)
{
    uint64_t last = atomic_load_explicit(last_ms, memory_order_relaxed);
    return (last == 0 || now_ms >= last + SUSPICION_INTERVAL_MS) &&
           atomic_compare_exchange_strong(last_ms, &last, now_ms);
}

bool suspicion_allowance_take(struct suspicion_allowance *allowance, uint64_t now_ms)
{
    if (now_ms - allowance->since_ms >= 1000)
        *allowance = (struct suspicion_allowance){.since_ms = now_ms};
    return allowance->used < SUSPICIONS_PER_SECOND && ++allowance->used;
}
