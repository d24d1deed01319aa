/* A response head. */
#include "tests/fuzz/fuzz_http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_parse_result parse(struct http_head *head, const char *text, size_t size)
{
    struct bytes method = {(const uint8_t *)"GET", 3};
    return http_response_parse(head, text, size, method);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_http_head(parse, data, size);
    return 0;
}
