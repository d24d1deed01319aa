/* The bytes that an HTTP probe sends; pure. */
#ifndef HEALTH_PROBE_REQUEST_H
#define HEALTH_PROBE_REQUEST_H

#include "lbnode/base/ip_address.h"

#include <stddef.h>

enum {
    PROBE_REQUEST_SIZE = 4096
};

struct probe_request {
    const char *http_method, *url_path, *domain_name; /* domain "": the endpoint */
    unsigned http_version;                            /* 10 or 11 */
    struct ip_endpoint endpoint;
};

/* Length, or 0 when it does not fit. HTTP/1.0 carries Host only with a domain name, as Octavia.
 */
size_t probe_request_write(const struct probe_request *request, char out[PROBE_REQUEST_SIZE]);

#endif
