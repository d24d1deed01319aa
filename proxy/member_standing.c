#include "proxy/member_standing.h"

static bool is_suspect(const struct member_standing *standing, uint32_t incarnation)
{
    return standing->failures >= STANDING_FAILURES && standing->incarnation == incarnation;
}

static void begin(struct member_standing *standing, uint32_t incarnation)
{
    if (standing->incarnation != incarnation)
        *standing = (struct member_standing){.incarnation = incarnation};
}

static void count(uint8_t *in_a_row)
{
    if (*in_a_row < UINT8_MAX)
        (*in_a_row)++;
}

bool member_standing_failed(struct member_standing *standing,
                            uint32_t incarnation,
                            uint64_t now_ms)
{
    begin(standing, incarnation);
    count(&standing->troubles);
    if (standing->failures < STANDING_FAILURES)
        standing->failures++;
    if (!is_suspect(standing, incarnation))
        return false;
    standing->avoid_until_ms = now_ms + STANDING_AVOID_MS;
    return true;
}

void member_standing_succeeded(struct member_standing *standing, uint32_t incarnation)
{
    if (standing->troubles > 0 && standing->incarnation == incarnation)
        standing->failures = standing->troubles = 0;
}

void member_standing_timed_out(struct member_standing *standing, uint32_t incarnation)
{
    begin(standing, incarnation);
    count(&standing->troubles);
}

uint32_t
member_standing_answered(struct member_standing *standing, uint32_t incarnation, bool is_bad)
{
    if (is_bad) {
        begin(standing, incarnation);
        count(&standing->bad_answers);
        return standing->bad_answers;
    }
    if (standing->bad_answers > 0 && standing->incarnation == incarnation)
        standing->bad_answers = 0;
    return 0;
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
