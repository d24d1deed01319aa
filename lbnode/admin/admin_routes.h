/* The API in one table: every method and path, its handler, and what it is for. The reference
 * page and GET /v1/schema come from the same rows. */
#ifndef LBNODE_ADMIN_ADMIN_ROUTES_H
#define LBNODE_ADMIN_ADMIN_ROUTES_H

#include "lbnode/http/http_url.h"
#include "lbnode/model/resource.h"

struct admin_request;

struct admin_route {
    const char *method;
    const char *pattern; /* "%" stands for one segment; /v2 is read as /v2.0 */
    void (*handle)(struct admin_request *request);
    enum resource_type type; /* what the generic handlers work on */
    const char *help;
};

enum admin_route_result {
    ADMIN_ROUTE_FOUND,
    ADMIN_ROUTE_NO_PATH,
    ADMIN_ROUTE_NO_METHOD, /* OUT_ALLOW lists those that exist */
};

enum {
    ADMIN_ALLOW_SIZE = 64
};

/* METHOD HEAD finds GET. OUT_PARAMETERS (two) point into URL. */
enum admin_route_result admin_route_find(const char *method,
                                         const struct http_url *url,
                                         const struct admin_route **out_route,
                                         const char **out_parameters,
                                         char out_allow[ADMIN_ALLOW_SIZE]);
/* NULL at the end of the walk. */
const struct admin_route *admin_route_at(size_t index);

#endif
