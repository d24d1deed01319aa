/* Whatever response is accepted, what goes on to the client is exactly one head that ends the
 * response where we do: nothing of it can be taken for another one. */
#include "proxy/forwarded_head.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(
    const struct http_head *in, struct bytes method, bool chunked, const char *out, size_t size)
{
    static struct http_head again;
    http_head_init(&again);
    if (http_response_parse(&again, out, size, method) != HTTP_COMPLETE || again.size != size ||
        again.status != in->status || again.version_minor != 1 || again.nominates)
        abort();
    if (again.framing != (chunked ? HTTP_BODY_CHUNKED : in->framing))
        abort();
    if (again.framing == HTTP_BODY_LENGTH && again.content_length != in->content_length)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    static char out[2 * HTTP_MAXIMUM_HEAD_SIZE];
    static const struct bytes methods[] = {{(const uint8_t *)"GET", 3},
                                           {(const uint8_t *)"HEAD", 4}};
    for (unsigned i = 0; i < 4; i++) {
        struct bytes method = methods[i & 1];
        http_head_init(&head);
        if (http_response_parse(&head, (const char *)data, size, method) != HTTP_COMPLETE ||
            head.field_count > HTTP_MAXIMUM_FIELDS - 8)
            return 0; /* with what we add, it may be more than we would accept ourselves */
        bool open_ended =
            head.framing == HTTP_BODY_CHUNKED || head.framing == HTTP_BODY_UNTIL_CLOSE;
        bool chunked = open_ended && (i & 2); /* not for a client of HTTP/1.0 */
        struct forwarded_response response = {
            .head = &head,
            .buffer = (const char *)data,
            .date = "now",
            .chunked = chunked,
            .connection = i & 2 ? FORWARDED_KEEP_DEFAULT : FORWARDED_CLOSE,
        };
        if (head.framing == HTTP_BODY_CHUNKED && !chunked)
            head.framing = HTTP_BODY_UNTIL_CLOSE; /* what that client has to see */
        int length = forwarded_response_build(&response, out, sizeof(out));
        if (length > 0)
            check(&head, method, chunked, out, (size_t)length);
        else if (length != -502)
            abort();
    }
    return 0;
}
