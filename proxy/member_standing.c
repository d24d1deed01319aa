#include "proxy/member_standing.h"

static bool is_suspect(const struct member_standing *standing, uint32_t incarnation)
{
    return standing->failures >= STANDING_FAILURES && standing->incarnation == incarnation;
}

bool member_standing_failed(struct member_standing *standing,
                            uint32_t incarnation,
                            uint64_t now_ms)
{
    if (standing->incarnation != incarnation)
        *standing = (struct member_standing){.incarnation = incarnation};
    if (standing->failures < STANDING_FAILURES)
        standing->failures++;
    if (!is_suspect(standing, incarnation))
        return false;
    standing->avoid_until_ms = now_ms + STANDING_AVOID_MS;
    return true;
}

void member_standing_succeeded(struct member_standing *standing, uint32_t incarnation)
{
    if (standing->failures > 0 && standing->incarnation == incarnation)
        *standing = (struct member_standing){.incarnation = incarnation};
}

void member_standing_chosen(struct member_standing *standing,
                            uint32_t incarnation,
                            uint64_t now_ms)
{
    if (is_suspect(standing, incarnation))
        standing->avoid_until_ms = now_ms + STANDING_AVOID_MS;
}

bool member_standing_is_avoided(const struct member_standing *standing,
                                uint32_t incarnation,
                                uint64_t now_ms)
{
    return is_suspect(standing, incarnation) && now_ms < standing->avoid_until_ms;
}
