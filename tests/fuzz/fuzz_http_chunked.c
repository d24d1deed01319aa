/* A chunked body: any segmentation gives the same body and the same end. */
#include "lbnode/http/http_chunked.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum http_chunk_result result;
    size_t used, body_size;
    uint64_t body_hash;
};

static struct outcome decode(const uint8_t *data, size_t size, size_t step)
{
    struct http_chunked chunked;
    struct outcome outcome = {HTTP_CHUNK_NEED_MORE, 0, 0, 0};
    http_chunked_init(&chunked);
    while (outcome.result == HTTP_CHUNK_NEED_MORE && outcome.used < size) {
        size_t left = size - outcome.used < step ? size - outcome.used : step;
        do {
            size_t used;
            struct bytes body, input = {data + outcome.used, left};
            outcome.result = http_chunked_decode(&chunked, input, &used, &body);
            if (used > left || body.size > used)
                abort();
            for (size_t i = 0; i < body.size; i++)
                outcome.body_hash = outcome.body_hash * 31 + body.data[i];
            outcome.body_size += body.size;
            outcome.used += used;
            left -= used;
        } while (outcome.result == HTTP_CHUNK_DATA);
    }
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size > 0 ? 1 + data[size - 1] % 16 : 1;
    struct outcome whole = decode(data, size, size), pieces = decode(data, size, step);
    if (whole.result != pieces.result || whole.used != pieces.used ||
        whole.body_size != pieces.body_size || whole.body_hash != pieces.body_hash)
        abort();
    return 0;
}
