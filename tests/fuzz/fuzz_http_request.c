/* A request head. */
#include "tests/fuzz/fuzz_http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_parse_result parse(struct http_head *head, const char *text, size_t size)
{
    return http_request_parse(head, text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_http_head(parse, data, size);
    return 0;
}
