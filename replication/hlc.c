#include "replication/hlc.h"

static const uint64_t maximum_jump_ms = 24ull * 3600 * 1000;

uint64_t hlc_tick(uint64_t *hlc, uint64_t wall_ms)
{
    uint64_t wall = wall_ms << 16;
    *hlc = *hlc + 1 > wall ? *hlc + 1 : wall;
    return *hlc;
}

bool hlc_observe(uint64_t *hlc, uint64_t remote, uint64_t wall_ms)
{
    if (remote >> 16 > wall_ms + maximum_jump_ms)
        return false;
    if (remote > *hlc)
        *hlc = remote;
    return true;
}
