#include "lbnode/model/hindrance.h"

static const struct {
    const char *name;
    enum hindrance_effect effect;
    const char *words, *remedy;
} kinds[] = {
#define HINDRANCE_ROW(kind, effect, words, remedy) {#kind, HINDRANCE_##effect, words, remedy},
    HINDRANCES(HINDRANCE_ROW)
#undef HINDRANCE_ROW
};

const char *hindrance_words(unsigned kind)
{
    return kind < HINDRANCE_COUNT ? kinds[kind].words : "of a reason unknown to this version";
}

const char *hindrance_remedy(unsigned kind)
{
    return kind < HINDRANCE_COUNT ? kinds[kind].remedy : "lbnode status on that node";
}

enum hindrance_effect hindrance_effect(unsigned kind)
{
    return kind < HINDRANCE_COUNT ? kinds[kind].effect : HINDRANCE_OUT;
}

const char *hindrance_name(unsigned kind)
{
    return kind < HINDRANCE_COUNT ? kinds[kind].name : "UNKNOWN";
}
