#include "lbnode/node/offer_round.h"

/* Rounds go by id, so that the last one says who had its turn. */
static const struct uuid *
first_after(const struct uuid *last, const struct uuid *fit, size_t fit_count)
{
    const struct uuid *first = NULL;
    for (size_t i = 0; i < fit_count; i++)
        if (uuid_compare(&fit[i], last) > 0 && (!first || uuid_compare(&fit[i], first) < 0))
            first = &fit[i];
    return first;
}

const struct uuid *offer_round_next(struct offer_round *round,
                                    const struct uuid *fit,
                                    size_t fit_count,
                                    uint32_t answer_ms,
                                    uint64_t now_ms)
{
    bool waits = round->last_ms && now_ms - round->last_ms < answer_ms;
    const struct uuid *next = waits ? NULL : first_after(&round->last, fit, fit_count);
    if (waits)
        return NULL;
    if (!next && round->last_ms && now_ms - round->last_ms >= OFFER_ROUND_PAUSE_MS) {
        round->repeats = true;
        next = first_after(&(struct uuid){0}, fit, fit_count);
    }
    if (!next)
        return NULL;
    round->last = *next;
    round->last_ms = now_ms;
    return next;
}
