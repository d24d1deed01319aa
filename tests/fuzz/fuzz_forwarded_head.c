/* Whatever request is accepted, what goes on to the member is exactly one request that means
 * the same: nothing of it can be taken for a second one. */
#include "proxy/forwarded_head.h"

#include "lbnode/model/snapshot.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_text(const char *a,
                      uint32_t a_offset,
                      uint32_t a_length,
                      const char *b,
                      uint32_t b_offset,
                      uint32_t b_length)
{
    return bytes_equal(http_head_text(a, a_offset, a_length),
                       http_head_text(b, b_offset, b_length));
}

static void check(const struct http_head *in, const char *from, const char *out, size_t size)
{
    static struct http_head again;
    http_head_init(&again);
    if (http_request_parse(&again, out, size) != HTTP_COMPLETE || again.size != size ||
        again.framing != in->framing || again.content_length != in->content_length ||
        again.version_minor != 1 || again.nominates)
        abort();
    if (!same_text(from, in->method, in->method_length, out, again.method, again.method_length))
        abort();
    const struct http_field *host = http_head_field(in, HTTP_FIELD_HOST);
    const struct http_field *host_again = http_head_field(&again, HTTP_FIELD_HOST);
    if (!host_again || (host && !same_text(from, host->value, host->value_length, out,
                                           host_again->value, host_again->value_length)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    static char out[2 * HTTP_MAXIMUM_HEAD_SIZE];
    struct forwarded_request request = {
        .head = &head,
        .buffer = (const char *)data,
        .insert_headers = size > 0 ? data[size - 1] % 8 : 0,
        .client = {4, {192, 0, 2, 7}},
        .local = {{4, {10, 0, 0, 1}}, 80},
        .upgrade = false,
    };
    http_head_init(&head);
    if (http_request_parse(&head, request.buffer, size) != HTTP_COMPLETE)
        return 0;
    if (http_text_is(http_head_text(request.buffer, head.method, head.method_length),
                     "CONNECT"))
        return 0; /* never forwarded */
    if (head.field_count > HTTP_MAXIMUM_FIELDS - 8)
        return 0; /* with what we add, it may be more than we would accept ourselves */
    int length = forwarded_request_build(&request, out, sizeof(out));
    if (length > 0)
        check(&head, request.buffer, out, (size_t)length);
    else if (length != -400 && length != -431)
        abort();
    return 0;
}
