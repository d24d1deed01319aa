/* Moments and ages as people type them. What was read is written as it was meant: a moment,
 * read again, is the same second. */
#include "lbnode/base/monotime.h"
#include "lbnode/base/walltime.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[64], again[WALLTIME_TEXT_SIZE];
    uint64_t ms, same_ms;
    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (!walltime_parse(text, 1800000000000, &ms) || ms == 0)
        return 0;
    walltime_format(ms, again);
    if (!walltime_parse(again, 1800000000000, &same_ms) || same_ms != ms / 1000 * 1000)
        abort();
    return 0;
}
