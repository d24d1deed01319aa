/* The query of a list, as a stranger writes it into a request target. */
#include "lbnode/admin/list_query.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool knows(const void *context, const char *name)
{
    return name[0] != 'x';
}

static struct json_value *item(const char *text)
{
    return json_value_parse(text, strlen(text), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_url url;
    struct list_query query;
    struct error error = {0};
    memset(&url, 0, sizeof(url));
    if (!http_url_parse(&url, (struct bytes){data, size}) ||
        !list_query_read(&query, &url, knows, NULL, &error))
        return 0;
    struct json_value *candidates[] = {
        item("{\"id\":\"a\",\"name\":\"web\",\"weight\":1,\"tags\":[\"t\"],\"up\":true}"),
        item(
            "{\"id\":\"b\",\"name\":null,\"weight\":2,\"tags\":[],\"pools\":[{\"id\":\"p\"}]}"),
        item("{\"id\":\"c\"}"),
    };
    struct json_value *items[3];
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        if (list_query_matches(&query, candidates[i]))
            items[count++] = candidates[i];
        else
            json_value_free(candidates[i]);
    }
    struct json_value *answer =
        list_query_answer(&query, "things", "http://h/things", items, count, &error);
    if (!answer && error.kind == ERROR_NONE)
        abort();
    json_value_free(answer);
    return 0;
}
