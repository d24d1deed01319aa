#include "proxy/strain.h"

static const struct {
    const char *what, *remedy;
} texts[] = {
#define STRAIN_TEXT(name, what, remedy) {what, remedy},
    STRAINS(STRAIN_TEXT)
#undef STRAIN_TEXT
};

bool strain_note(struct strain *strain, uint64_t now_ms)
{
    atomic_store(&strain->last_ms, now_ms);
    return !atomic_load(&strain->is_known) && !atomic_exchange(&strain->is_known, true);
}

/* Workers' clocks may be a little ahead. */
static bool is_quiet(struct strain *strain, uint64_t now_ms)
{
    uint64_t last_ms = atomic_load(&strain->last_ms);
    return now_ms >= last_ms && now_ms - last_ms >= STRAIN_QUIET_MS;
}

enum strain_news strain_look(struct strain *strain, uint64_t now_ms)
{
    if (!strain->is_told && atomic_load(&strain->is_known)) {
        strain->is_told = true;
        strain->began_ms = now_ms;
        return STRAIN_BEGAN;
    }
    if (!strain->is_told || !is_quiet(strain, now_ms))
        return STRAIN_NO_NEWS;
    /* Who notes it from here on wakes us; who did so just before is seen below. */
    atomic_store(&strain->is_known, false);
    if (!is_quiet(strain, now_ms)) {
        atomic_store(&strain->is_known, true);
        return STRAIN_NO_NEWS;
    }
    strain->is_told = false;
    return STRAIN_OVER;
}

const char *strain_what(enum strain_kind kind)
{
    return texts[kind].what;
}

const char *strain_remedy(enum strain_kind kind)
{
    return texts[kind].remedy;
}
