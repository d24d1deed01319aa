#include "proxy/error_page.h"

#include "lbnode/http/http_head.h"

#include <stdio.h>

static const char *further_field(int status, enum termination why)
{
    if (status == 405)
        return "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n";
    if (why == TERMINATION_QUEUE_FULL || why == TERMINATION_QUEUE_TIMEOUT)
        return "Retry-After: 1\r\n";
    return "";
}

size_t error_page_build(int status,
                        enum termination why,
                        bool without_body,
                        char out[ERROR_PAGE_MAXIMUM])
{
    char body[256];
    const char *phrase = http_status_phrase(status);
    bool explains = status == 503;
    int body_size = snprintf(
        body, sizeof(body), "<html><body><h1>%d %s</h1>%s%s%s</body></html>\n", status, phrase,
        explains ? "<p>" : "", explains ? termination_help(why) : "", explains ? "</p>" : "");
    int size = snprintf(out, ERROR_PAGE_MAXIMUM,
                        "HTTP/1.1 %d %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
                        "Cache-Control: no-cache\r\n%sConnection: close\r\n\r\n%s",
                        status, phrase, body_size, further_field(status, why),
                        without_body ? "" : body);
    return (size_t)size;
}
