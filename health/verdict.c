#include "health/verdict.h"

#include <assert.h>

static bool become(struct verdict *verdict, enum verdict_state state)
{
    bool changed = verdict->state != state;
    verdict->state = state;
    verdict->successes = verdict->failures = 0;
    verdict->imported = false;
    return changed;
}

bool verdict_step(struct verdict *verdict,
                  bool success,
                  unsigned max_retries,
                  unsigned max_retries_down)
{
    assert(max_retries >= 1 && max_retries_down >= 1);
    verdict->history = verdict->history << 1 | success;
    if (verdict->state == VERDICT_UNKNOWN || verdict->imported)
        return become(verdict, success ? VERDICT_ONLINE : VERDICT_ERROR);
    if (success == (verdict->state == VERDICT_ONLINE)) { /* agrees: counting starts again */
        verdict->successes = verdict->failures = 0;
        return false;
    }
    if (success)
        return ++verdict->successes >= max_retries && become(verdict, VERDICT_ONLINE);
    return ++verdict->failures >= max_retries_down && become(verdict, VERDICT_ERROR);
}

bool verdict_import(struct verdict *verdict, enum verdict_state state)
{
    bool own = verdict->state != VERDICT_UNKNOWN && !verdict->imported;
    if (own || state == VERDICT_UNKNOWN)
        return false;
    bool changed = become(verdict, state);
    verdict->imported = true;
    return changed;
}
