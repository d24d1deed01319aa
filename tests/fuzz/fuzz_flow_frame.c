/* Frames as the guard of a switch gets them, one after the other: two bytes of length before
 * each. A flow that began here must stay ours. */
#include "vrrp/flow_set.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct flow_set set;
    memset(&set, 0, sizeof(set));
    while (size >= 2) {
        size_t length = load_be16(data);
        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        struct bytes frame = {data, length};
        uint32_t before = set.count;
        enum flow_verdict verdict = flow_set_judge(&set, frame);
        if (set.count != before && (verdict != FLOW_OURS || set.count != before + 1))
            abort();
        data += length;
        size -= length;
    }
    return 0;
}
