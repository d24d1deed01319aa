#include "health/probe_request.h"

#include <stdbool.h>
#include <stdio.h>

size_t probe_request_write(const struct probe_request *request, char out[PROBE_REQUEST_SIZE])
{
    char endpoint[IP_ENDPOINT_TEXT_SIZE];
    const char *host = request->domain_name;
    bool has_host = request->http_version == 11 || host[0] != '\0';
    ip_endpoint_format(&request->endpoint, endpoint);
    if (host[0] == '\0')
        host = endpoint;
    int size = snprintf(out, PROBE_REQUEST_SIZE,
                        "%s %s HTTP/1.%u\r\n%s%s%sUser-Agent: lbnode-health\r\n"
                        "Accept: */*\r\nConnection: close\r\n\r\n",
                        request->http_method, request->url_path, request->http_version == 11,
                        has_host ? "Host: " : "", has_host ? host : "", has_host ? "\r\n" : "");
    return size > 0 && size < PROBE_REQUEST_SIZE ? (size_t)size : 0;
}
