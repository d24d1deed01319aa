#include "health/verdict.h"

#include <assert.h>

bool verdict_assume(struct verdict *verdict, enum verdict_state state)
{
    bool changed = verdict->state != state;
    verdict->state = state;
    verdict->successes = verdict->failures = 0;
    return changed;
}

bool verdict_step(struct verdict *verdict,
                  bool success,
                  unsigned max_retries,
                  unsigned max_retries_down)
{
    assert(max_retries >= 1 && max_retries_down >= 1);
    verdict->history = verdict->history << 1 | success;
    if (verdict->state == VERDICT_UNKNOWN)
        return verdict_assume(verdict, success ? VERDICT_ONLINE : VERDICT_ERROR);
    if (success == (verdict->state == VERDICT_ONLINE)) { /* agrees: counting starts again */
        verdict->successes = verdict->failures = 0;
        return false;
    }
    if (success)
        return ++verdict->successes >= max_retries && verdict_assume(verdict, VERDICT_ONLINE);
    return ++verdict->failures >= max_retries_down && verdict_assume(verdict, VERDICT_ERROR);
}

bool verdict_is_in_transition(const struct verdict *verdict)
{
    return verdict->successes > 0 || verdict->failures > 0;
}
