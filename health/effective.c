#include "health/effective.h"

static bool is_younger(uint64_t then_ms, uint64_t now_ms, uint64_t limit_ms)
{
    return then_ms > 0 && (now_ms < then_ms || now_ms - then_ms < limit_ms);
}

static struct effective_verdict take_imported(const struct effective_input *input)
{
    bool held = input->imported == VERDICT_ERROR && input->last_usable;
    return (struct effective_verdict){
        .state = held ? VERDICT_ONLINE : input->imported, .imported = true, .held = held};
}

struct effective_verdict effective_choose(const struct effective_input *input, uint64_t now_ms)
{
    bool has_own = input->own != VERDICT_UNKNOWN;
    bool own_is_young =
        has_own && is_younger(input->own_probed_ms, now_ms, 5ull * input->delay_ms / 2);
    bool imported_is_young = input->imported != VERDICT_UNKNOWN &&
                             is_younger(input->imported_ms, now_ms, 3ull * input->delay_ms);
    if (own_is_young && !input->rare)
        return (struct effective_verdict){.state = input->own};
    if (imported_is_young)
        return take_imported(input);
    if (has_own)
        return (struct effective_verdict){.state = input->own};
    return (struct effective_verdict){.state = input->initially_online ? VERDICT_ONLINE
                                                                       : VERDICT_UNKNOWN};
}
