#include "lbnode/base/parse_number.h"

#include <stddef.h>

bool parse_integer(const char *text, int64_t minimum, int64_t maximum, int64_t *out)
{
    bool negative = text[0] == '-';
    const char *digit = text + negative;
    int64_t value = 0;
    if (*digit == '\0')
        return false;
    for (; *digit; digit++) {
        if (*digit < '0' || *digit > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *digit - '0', &value))
            return false; /* counted downwards, so that INT64_MIN fits */
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    if (value < minimum || value > maximum)
        return false;
    *out = value;
    return true;
}
