#include "lbnode/base/event_codes.h"

static const struct {
    const char *name;
    enum event_level level;
    const char *meaning;
} codes[] = {
#define EVENT_CODE_ROW(name, level, meaning) {#name, EVENT_##level, meaning},
    EVENT_CODES(EVENT_CODE_ROW)
#undef EVENT_CODE_ROW
};

const char *event_code_name(enum event_code code)
{
    return code < EVENT_CODE_COUNT ? codes[code].name : "UNKNOWN";
}

const char *event_code_meaning(enum event_code code)
{
    return code < EVENT_CODE_COUNT ? codes[code].meaning : "";
}

enum event_level event_code_level(enum event_code code)
{
    return code < EVENT_CODE_COUNT ? codes[code].level : EVENT_WARNING;
}

const char *event_level_name(enum event_level level)
{
    static const char *const names[] = {"info", "warning", "error"};
    return names[level <= EVENT_ERROR ? level : EVENT_ERROR];
}
