#include "lbnode/base/monotime.h"

#include <time.h>

static uint64_t now_us(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t monotime_now_us(void)
{
    return now_us(CLOCK_BOOTTIME);
}

uint64_t monotime_now_ms(void)
{
    return now_us(CLOCK_BOOTTIME) / 1000;
}

uint64_t walltime_now_ms(void)
{
    return now_us(CLOCK_REALTIME) / 1000;
}

void walltime_format(uint64_t wall_ms, char out[WALLTIME_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    out[0] = '\0';
    if (wall_ms != 0 && gmtime_r(&seconds, &tm))
        strftime(out, WALLTIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
}
