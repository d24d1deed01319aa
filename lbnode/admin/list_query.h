/* The query of a list (octavia-style): filters by attribute, tags, sort, limit and marker,
 * fields. Works on the JSON objects that would be answered, so that every attribute a client
 * can see is one it can filter and sort by. Pure: no state of the node, no I/O. */
#ifndef LBNODE_ADMIN_LIST_QUERY_H
#define LBNODE_ADMIN_LIST_QUERY_H

#include "lbnode/base/error.h"
#include "lbnode/base/json_value.h"
#include "lbnode/http/http_url.h"

enum {
    LIST_MAXIMUM_LIMIT = 1000,
    LIST_MAXIMUM_SORT_KEYS = 8
};

struct list_sort_key {
    char name[64];
    bool descending;
};

struct list_query {
    const struct http_url *url; /* the filters are read from here again for each item */
    size_t limit;
    const char *marker; /* NULL: from the start */
    bool page_reverse;
    struct list_sort_key sort[LIST_MAXIMUM_SORT_KEYS];
    size_t sort_count;
};

/* Is NAME an attribute of the listed objects? */
typedef bool list_knows_attribute(const void *context, const char *name);

/* False with ERROR for an unknown attribute or a bad limit or sort. URL must outlive QUERY. */
bool list_query_read(struct list_query *query,
                     const struct http_url *url,
                     list_knows_attribute *knows,
                     const void *context,
                     struct error *error);
bool list_query_matches(const struct list_query *query, const struct json_value *item);
/* Sorts and pages ITEMS (taken over, the array itself stays the caller's). {PLURAL: [...],
 * "PLURAL_links": [...]}, or NULL with ERROR when the marker is not in the list. BASE is the
 * address of the list without query. */
struct json_value *list_query_answer(const struct list_query *query,
                                     const char *plural,
                                     const char *base,
                                     struct json_value **items,
                                     size_t count,
                                     struct error *error);
/* VALUE reduced to the attributes named by ?fields=, VALUE itself when none is. */
struct json_value *list_query_fields(const struct http_url *url, struct json_value *value);

#endif
