#include "proxy/error_page.h"

#include "lbnode/http/http_head.h"

#include <stdio.h>

size_t error_page_build(int status, bool without_body, char out[ERROR_PAGE_MAXIMUM])
{
    char body[128];
    const char *phrase = http_status_phrase(status);
    int body_size = snprintf(body, sizeof(body), "<html><body><h1>%d %s</h1></body></html>\n",
                             status, phrase);
    int size = snprintf(out, ERROR_PAGE_MAXIMUM,
                        "HTTP/1.1 %d %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
                        "Cache-Control: no-cache\r\n%sConnection: close\r\n\r\n%s",
                        status, phrase, body_size,
                        status == 405 ? "Allow: GET, HEAD, POST, "
                                        "PUT, DELETE, OPTIONS, "
                                        "PATCH\r\n"
                                      : "",
                        without_body ? "" : body);
    return (size_t)size;
}
