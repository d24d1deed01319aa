#include "health/takeover.h"

uint32_t takeover_spread_ms(uint32_t delay_ms)
{
    return delay_ms / 4 > TAKEOVER_MINIMUM_MS ? delay_ms / 4 : TAKEOVER_MINIMUM_MS;
}

void takeover_begin(struct takeover *round, uint32_t online, uint32_t delay_ms, uint64_t now_ms)
{
    *round = (struct takeover){.until_ms = now_ms + takeover_spread_ms(delay_ms) + delay_ms,
                               .online = online};
}

enum takeover_answer takeover_judge(struct takeover *round, bool is_fall, uint64_t now_ms)
{
    if (now_ms >= round->until_ms || (round->panics && is_fall))
        return TAKEOVER_COUNTS;
    if (!is_fall)
        return TAKEOVER_DECIDES;
    if (2 * (round->fallen + 1) <= round->online) {
        round->fallen++;
        return TAKEOVER_DECIDES;
    }
    round->panics = true;
    return TAKEOVER_PANICS;
}
