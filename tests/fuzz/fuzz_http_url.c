/* A request target: what is accepted consists of terminated strings inside the storage. */
#include "lbnode/http/http_url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct http_url *url, const char *text)
{
    const char *end = url->storage + sizeof(url->storage);
    if (text < url->storage || text >= end || !memchr(text, '\0', (size_t)(end - text)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_url url;
    if (!http_url_parse(&url, (struct bytes){data, size}))
        return 0;
    for (size_t i = 0; i < url.segment_count; i++)
        check(&url, url.segments[i]);
    for (size_t i = 0; i < url.parameter_count; i++) {
        check(&url, url.parameters[i].name);
        check(&url, url.parameters[i].value);
    }
    return 0;
}
