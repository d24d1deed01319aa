#include "lbnode/base/walltime.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

/* Exactly COUNT digits. */
static bool read_digits(const char **at, unsigned count, int *out)
{
    *out = 0;
    for (unsigned i = 0; i < count; i++, ++*at) {
        if (!isdigit((unsigned char)**at))
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool skip(const char **at, const char *allowed)
{
    if (**at == '\0' || !strchr(allowed, **at))
        return false;
    ++*at;
    return true;
}

static bool read_date_and_time(const char **at, struct tm *out)
{
    *out = (struct tm){0};
    if (!read_digits(at, 4, &out->tm_year) || !skip(at, "-") ||
        !read_digits(at, 2, &out->tm_mon) || !skip(at, "-") ||
        !read_digits(at, 2, &out->tm_mday) || !skip(at, "Tt ") ||
        !read_digits(at, 2, &out->tm_hour) || !skip(at, ":") ||
        !read_digits(at, 2, &out->tm_min) || !skip(at, ":") ||
        !read_digits(at, 2, &out->tm_sec))
        return false;
    out->tm_year -= 1900;
    out->tm_mon--;
    return out->tm_year >= 70 && out->tm_mon >= 0 && out->tm_mon < 12 && out->tm_mday >= 1 &&
           out->tm_mday <= 31 && out->tm_hour < 24 && out->tm_min < 60 && out->tm_sec <= 60;
}

static bool read_fraction(const char **at, unsigned *out_ms)
{
    unsigned scale = 100;
    *out_ms = 0;
    if (!skip(at, "."))
        return true;
    if (!isdigit((unsigned char)**at))
        return false;
    for (; isdigit((unsigned char)**at); ++*at, scale /= 10)
        *out_ms += scale * (unsigned)(**at - '0');
    return true;
}

static bool read_zone(const char **at, int *out_seconds)
{
    int hours = 0, minutes = 0, sign = **at == '-' ? -1 : 1;
    *out_seconds = 0;
    if (**at == '\0' || skip(at, "Zz"))
        return true;
    if (!skip(at, "+-") || !read_digits(at, 2, &hours) || !skip(at, ":") ||
        !read_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool parse_moment(const char *text, uint64_t *out_ms)
{
    struct tm tm;
    unsigned fraction_ms;
    int offset;
    if (!read_date_and_time(&text, &tm) || !read_fraction(&text, &fraction_ms) ||
        !read_zone(&text, &offset) || *text)
        return false;
    int day = tm.tm_mday, second = tm.tm_sec;
    tm.tm_sec = 0; /* a leap second is the next minute, and may be the next day */
    int64_t seconds = (int64_t)timegm(&tm) + second;
    if (tm.tm_mday != day || seconds < offset) /* 31 April would be 1 May */
        return false;
    *out_ms = (uint64_t)(seconds - offset) * 1000 + fraction_ms;
    return true;
}

static bool parse_age(const char *text, uint64_t now_ms, uint64_t *out_ms)
{
    static const char units[] = "smhd";
    static const uint64_t unit_ms[] = {1000, 60000, 3600000, 86400000};
    const uint64_t most = 1000000000; /* of any unit: no overflow, and before 1970 for days */
    uint64_t number = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at) && number < most; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    const char *unit = *at ? strchr(units, *at) : NULL;
    if (at == text || !unit || at[1] || number * unit_ms[unit - units] > now_ms)
        return false;
    *out_ms = now_ms - number * unit_ms[unit - units];
    return true;
}

bool walltime_parse(const char *text, uint64_t now_ms, uint64_t *out_ms)
{
    if (strcmp(text, "now") == 0) {
        *out_ms = now_ms;
        return true;
    }
    return parse_age(text, now_ms, out_ms) || parse_moment(text, out_ms);
}
