/* Request targets in origin form: path segments and query parameters, percent-decoded. */
#ifndef LBNODE_HTTP_HTTP_URL_H
#define LBNODE_HTTP_HTTP_URL_H

#include "lbnode/base/bytes.h"

enum {
    HTTP_URL_MAXIMUM_SEGMENTS = 12,
    HTTP_URL_MAXIMUM_PARAMETERS = 64
};

struct http_parameter {
    const char *name, *value; /* decoded */
};

struct http_url {
    size_t segment_count;
    const char *segments[HTTP_URL_MAXIMUM_SEGMENTS]; /* decoded, without slashes */
    size_t parameter_count;
    struct http_parameter parameters[HTTP_URL_MAXIMUM_PARAMETERS];
    char storage[2 * 8192];
};

/* False for anything but a valid origin-form target within the bounds; "%00" is refused. */
bool http_url_parse(struct http_url *url, struct bytes target);
const char *http_url_parameter(const struct http_url *url,
                               const char *name); /* first, or NULL */
/* Percent-encodes TEXT for a path segment or query value; OUT needs 3 * length + 1. */
void http_url_encode(const char *text, char *out);

#endif
