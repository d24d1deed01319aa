#include "health/effective.h"
#include "tests/support/test.h"

enum {
    NOW_MS = 1000000,
    DELAY_MS = 1000,
    UNKNOWN = VERDICT_UNKNOWN,
    ONLINE = VERDICT_ONLINE,
    ERROR = VERDICT_ERROR
};

struct situation {
    const char *name;
    int own, own_age_ms; /* -1: not probed by this process */
    bool rare;
    int imported, imported_age_ms;
    bool initially_online, last_usable;
    int state;
    bool imported_counts, held;
};

static const struct situation situations[] = {
    /* own, age, rare, imported, age, initial, last -> state, imported, held */
    {"nothing is known", 0, -1, false, 0, -1, false, false, UNKNOWN, false, false},
    {"nothing is known, members begin ONLINE", 0, -1, false, 0, -1, true, false, ONLINE, false,
     false},
    {"a young own verdict", ERROR, 2499, false, ONLINE, 0, true, true, ERROR, false, false},
    {"an own one that is too old", ERROR, 2500, false, ONLINE, 0, false, false, ONLINE, true,
     false},
    {"an own one by a process before this", ERROR, -1, false, ONLINE, 0, false, false, ONLINE,
     true, false},
    {"no own one", UNKNOWN, -1, false, ERROR, 2999, true, false, ERROR, true, false},
    {"no own one, the peer's is too old", UNKNOWN, -1, false, ERROR, 3000, true, false, ONLINE,
     false, false},
    {"both are too old", ONLINE, 9000, false, ERROR, 9000, false, false, ONLINE, false, false},
    {"a rare own one yields to the peer's", ONLINE, 10, true, ERROR, 10, false, false, ERROR,
     true, false},
    {"a rare own one counts without a peer's", ONLINE, 20000, true, UNKNOWN, -1, false, false,
     ONLINE, false, false},
    {"a peer does not take the last one down", ONLINE, 10, true, ERROR, 10, false, true, ONLINE,
     true, true},
    {"an own verdict does", ERROR, 10, false, ONLINE, 10, false, true, ERROR, false, false},
};

static uint64_t before(int age_ms)
{
    return age_ms < 0 ? 0 : NOW_MS - (uint64_t)age_ms;
}

static void each_situation_has_its_verdict(void **state)
{
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        const struct situation *situation = &situations[i];
        const struct effective_input input = {.own = (enum verdict_state)situation->own,
                                              .own_probed_ms = before(situation->own_age_ms),
                                              .rare = situation->rare,
                                              .imported =
                                                  (enum verdict_state)situation->imported,
                                              .imported_ms = before(situation->imported_age_ms),
                                              .delay_ms = DELAY_MS,
                                              .initially_online = situation->initially_online,
                                              .last_usable = situation->last_usable};
        struct effective_verdict verdict = effective_choose(&input, NOW_MS);
        if ((int)verdict.state != situation->state ||
            verdict.imported != situation->imported_counts || verdict.held != situation->held)
            fail_msg("%s: %d %d %d", situation->name, verdict.state, verdict.imported,
                     verdict.held);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_situation_has_its_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
