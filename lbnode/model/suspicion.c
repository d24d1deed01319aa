#include "lbnode/model/suspicion.h"

#include "lbnode/base/bytes.h"

static const struct {
    const char *text, *help;
    uint32_t in_a_row;
} kinds[] = {
#define KIND(name, text, in_a_row, help) {text, help, in_a_row},
    SUSPICION_KINDS(KIND)
#undef KIND
};

const char *suspicion_text(enum suspicion_kind kind)
{
    return (size_t)kind < ARRAY_LENGTH(kinds) ? kinds[kind].text : "unknown";
}

const char *suspicion_help(enum suspicion_kind kind)
{
    return (size_t)kind < ARRAY_LENGTH(kinds) ? kinds[kind].help : "";
}

uint32_t suspicion_in_a_row(enum suspicion_kind kind)
{
    return (size_t)kind < ARRAY_LENGTH(kinds) ? kinds[kind].in_a_row : UINT32_MAX;
}
