/* The answer to a ClientHello: any pieces give the same judgement. */
#include "health/tls_hello.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct judgement {
    enum verdict_reason reason;
    uint8_t alert;
};

static bool judge(const uint8_t *data, size_t size, size_t step, struct judgement *out)
{
    struct tls_hello_reader reader = {0};
    *out = (struct judgement){VERDICT_REASON_NONE, 0};
    for (size_t given = 0; given < size; given += step) {
        size_t piece = size - given < step ? size - given : step;
        if (tls_hello_read(&reader, data + given, piece, &out->reason, &out->alert))
            return true;
        if (reader.size >= TLS_HELLO_PREFIX || reader.warnings > TLS_HELLO_MAXIMUM_WARNINGS)
            abort();
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct judgement whole, pieces;
    size_t step = size > 0 ? 1 + data[size - 1] % 16 : 1;
    bool decided = judge(data, size, size > 0 ? size : 1, &whole);
    if (judge(data, size, step, &pieces) != decided ||
        (decided && (pieces.reason != whole.reason || pieces.alert != whole.alert)))
        abort();
    return 0;
}
