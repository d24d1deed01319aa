#include "lbnode/admin/list_query.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/parse_number.h"
#include "lbnode/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- reading -------------------------------------------------------------------------------
 */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(name, *names) == 0)
            return true;
    }
    return false;
}

static bool is_control(const char *name)
{
    static const char *const names[] = {"fields", "limit",    "marker",   "page_reverse",
                                        "sort",   "sort_key", "sort_dir", NULL};
    return is_one_of(name, names);
}

static bool is_tag_filter(const char *name)
{
    static const char *const names[] = {"tags", "tags-any", "not-tags", "not-tags-any", NULL};
    return is_one_of(name, names);
}

/* An object shows its parents as stubs; clients filter by their ids. */
static const char *stub_of(const char *name)
{
    static const char *const stubs[][2] = {{"loadbalancer_id", "loadbalancers"},
                                           {"listener_id", "listeners"},
                                           {"pool_id", "pools"}};
    for (size_t i = 0; i < ARRAY_LENGTH(stubs); i++) {
        if (strcmp(name, stubs[i][0]) == 0)
            return stubs[i][1];
    }
    return NULL;
}

static bool check_filters(const struct http_url *url,
                          list_knows_attribute *knows,
                          const void *context,
                          struct error *error)
{
    for (size_t i = 0; i < url->parameter_count; i++) {
        const char *name = url->parameters[i].name;
        const char *stub = stub_of(name);
        if (is_control(name) || is_tag_filter(name) || knows(context, name) ||
            (stub && knows(context, stub)))
            continue;
        return error_set(error, ERROR_INVALID,
                         "One or more arguments are either duplicate or invalid: '%.64s' is "
                         "no attribute to filter by",
                         name);
    }
    return true;
}

static bool read_limit(struct list_query *query, struct error *error)
{
    const char *text = http_url_parameter(query->url, "limit");
    int64_t limit;
    query->limit = LIST_MAXIMUM_LIMIT;
    if (!text)
        return true;
    if (strcasecmp(text, "infinite") == 0) {
        query->limit = SIZE_MAX;
        return true;
    }
    if (!parse_integer(text, INT32_MIN, INT32_MAX, &limit))
        return error_set(error, ERROR_INVALID,
                         "Supplied pagination limit '%.64s' is not valid.", text);
    if (limit <= 0)
        query->limit = SIZE_MAX;
    else if (limit < LIST_MAXIMUM_LIMIT)
        query->limit = (size_t)limit;
    return true;
}

static bool read_direction(const char *text, size_t length, bool *out, struct error *error)
{
    if (length == 3 && memcmp(text, "asc", 3) == 0)
        *out = false;
    else if (length == 4 && memcmp(text, "desc", 4) == 0)
        *out = true;
    else
        return error_set(error, ERROR_INVALID,
                         "Supplied sort direction '%.*s' is not valid. Value should be one of: "
                         "asc, desc",
                         (int)(length > 64 ? 64 : length), text);
    return true;
}

/* TEXT is "key[:direction],key..." */
static bool read_sort(struct list_query *query,
                      const char *text,
                      list_knows_attribute *knows,
                      const void *context,
                      struct error *error)
{
    while (text && *text) {
        size_t length = strcspn(text, ","), name_length = strcspn(text, ":,");
        struct list_sort_key key = {.descending = false};
        snprintf(key.name, sizeof(key.name), "%.*s", (int)name_length, text);
        if (query->sort_count == LIST_MAXIMUM_SORT_KEYS || !knows(context, key.name))
            return error_set(error, ERROR_INVALID, "Supplied sort key '%s' is not valid.",
                             key.name);
        if (name_length < length &&
            !read_direction(text + name_length + 1, length - name_length - 1, &key.descending,
                            error))
            return false;
        query->sort[query->sort_count++] = key;
        text += length;
        text += *text == ',';
    }
    return true;
}

static bool read_directions(struct list_query *query, const char *text, struct error *error)
{
    for (size_t i = 0; text && *text && i < query->sort_count; i++) {
        size_t length = strcspn(text, ",");
        if (!read_direction(text, length, &query->sort[i].descending, error))
            return false;
        text += length;
        text += *text == ',';
    }
    return true;
}

static bool is_true(const char *text)
{
    return text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0 ||
                    strcasecmp(text, "yes") == 0);
}

bool list_query_read(struct list_query *query,
                     const struct http_url *url,
                     list_knows_attribute *knows,
                     const void *context,
                     struct error *error)
{
    *query = (struct list_query){.url = url};
    query->marker = http_url_parameter(url, "marker");
    query->page_reverse = is_true(http_url_parameter(url, "page_reverse"));
    return check_filters(url, knows, context, error) && read_limit(query, error) &&
           read_sort(query, http_url_parameter(url, "sort"), knows, context, error) &&
           read_sort(query, http_url_parameter(url, "sort_key"), knows, context, error) &&
           read_directions(query, http_url_parameter(url, "sort_dir"), error);
}

/* ---- filtering -----------------------------------------------------------------------------
 */

static bool any_has_id(const struct json_value *stubs, const char *id)
{
    for (size_t i = 0; i < json_value_count(stubs); i++) {
        const struct json_value *item = json_value_at(stubs, i);
        const char *text = json_value_text(item);
        if (!text)
            text = json_value_get_text(item, "id");
        if (text && strcmp(text, id) == 0)
            return true;
    }
    return false;
}

static bool value_is(const struct json_value *value, const char *wanted)
{
    char number[32];
    switch (json_value_kind(value)) {
    case JSON_KIND_STRING: return strcmp(json_value_text(value), wanted) == 0;
    case JSON_KIND_BOOL: return json_value_truth(value) == is_true(wanted);
    case JSON_KIND_INTEGER:
        snprintf(number, sizeof(number), "%lld", (long long)json_value_number(value));
        return strcmp(number, wanted) == 0;
    case JSON_KIND_ARRAY: return any_has_id(value, wanted);
    default: return !*wanted || strcasecmp(wanted, "none") == 0 || strcmp(wanted, "null") == 0;
    }
}

static bool has_tag(const struct json_value *tags, const char *tag, size_t length)
{
    for (size_t i = 0; i < json_value_count(tags); i++) {
        const char *text = json_value_text(json_value_at(tags, i));
        if (text && strlen(text) == length && memcmp(text, tag, length) == 0)
            return true;
    }
    return false;
}

/* tags: all of them; tags-any: one of them; not-... the opposite. */
static bool tags_match(const struct json_value *tags, const char *filter, const char *wanted)
{
    bool any = strstr(filter, "-any") != NULL, negated = strncmp(filter, "not-", 4) == 0;
    bool result = !any;
    while (*wanted) {
        size_t length = strcspn(wanted, ",");
        bool has = has_tag(tags, wanted, length);
        result = any ? result || has : result && has;
        wanted += length;
        wanted += *wanted == ',';
    }
    return result != negated;
}

bool list_query_matches(const struct list_query *query, const struct json_value *item)
{
    for (size_t i = 0; i < query->url->parameter_count; i++) {
        const struct http_parameter *parameter = &query->url->parameters[i];
        const char *name = parameter->name, *stub = stub_of(name);
        bool fits = true;
        if (is_control(name))
            continue;
        if (is_tag_filter(name))
            fits = tags_match(json_value_get(item, "tags"), name, parameter->value);
        else if (stub && !json_value_get(item, name))
            fits = any_has_id(json_value_get(item, stub), parameter->value);
        else
            fits = value_is(json_value_get(item, name), parameter->value);
        if (!fits)
            return false;
    }
    return true;
}

/* ---- sorting and paging --------------------------------------------------------------------
 */

static int compare_values(const struct json_value *a, const struct json_value *b)
{
    const char *text_a = json_value_text(a), *text_b = json_value_text(b);
    if (text_a && text_b)
        return strcmp(text_a, text_b);
    if (text_a || text_b)
        return text_a ? 1 : -1;
    int64_t number_a = json_value_number(a) + json_value_truth(a);
    int64_t number_b = json_value_number(b) + json_value_truth(b);
    return (number_a > number_b) - (number_a < number_b);
}

static int compare_items(const void *a, const void *b, void *context)
{
    const struct list_query *query = context;
    const struct json_value *left = *(struct json_value *const *)a;
    const struct json_value *right = *(struct json_value *const *)b;
    for (size_t i = 0; i < query->sort_count; i++) {
        const char *name = query->sort[i].name;
        int order = compare_values(json_value_get(left, name), json_value_get(right, name));
        if (order != 0)
            return query->sort[i].descending ? -order : order;
    }
    int order =
        compare_values(json_value_get(left, "created_at"), json_value_get(right, "created_at"));
    return order != 0 ? order
                      : compare_values(json_value_get(left, "id"), json_value_get(right, "id"));
}

struct page {
    size_t first, end; /* items [first, end) */
};

static bool find_page(const struct list_query *query,
                      struct json_value *const *items,
                      size_t count,
                      struct page *out,
                      struct error *error)
{
    size_t at = 0;
    *out = (struct page){0, count < query->limit ? count : query->limit};
    if (!query->marker)
        return true;
    while (at < count) {
        const char *id = json_value_get_text(items[at], "id");
        if (id && strcmp(id, query->marker) == 0)
            break;
        at++;
    }
    if (at == count)
        return error_set(error, ERROR_INVALID,
                         "Supplied pagination marker '%.64s' is not valid.", query->marker);
    if (query->page_reverse)
        *out = (struct page){at < query->limit ? 0 : at - query->limit, at};
    else
        *out = (struct page){at + 1,
                             count - at - 1 < query->limit ? count : at + 1 + query->limit};
    return true;
}

static void append_parameter(struct text *href, const char *name, const char *value)
{
    char *encoded = malloc(3 * strlen(value) + 1);
    if (!encoded)
        return;
    http_url_encode(value, encoded);
    text_appendf(href, "&%s=%s", name, encoded);
    free(encoded);
}

static void add_link(const struct list_query *query,
                     struct json_value *links,
                     const char *base,
                     const struct json_value *marker,
                     bool next)
{
    struct text href = {0};
    const struct http_url *url = query->url;
    struct json_value *link = json_value_object();
    text_appendf(&href, "%s?limit=%zu", base, query->limit);
    for (size_t i = 0; i < url->parameter_count; i++) {
        const char *name = url->parameters[i].name;
        if (strcmp(name, "limit") != 0 && strcmp(name, "marker") != 0 &&
            strcmp(name, "page_reverse") != 0)
            append_parameter(&href, name, url->parameters[i].value);
    }
    append_parameter(&href, "marker", json_value_get_text(marker, "id"));
    if (!next)
        append_parameter(&href, "page_reverse", "True");
    json_value_set_text(link, "rel", next ? "next" : "previous");
    json_value_set_text(link, "href", text_string(&href));
    json_value_append(links, link);
    text_free(&href);
}

static struct json_value *page_links(const struct list_query *query,
                                     const char *base,
                                     struct json_value *const *items,
                                     const struct page *page)
{
    struct json_value *links = json_value_array();
    size_t length = page->end - page->first;
    if (length == 0)
        return links;
    if (length >= query->limit || query->page_reverse)
        add_link(query, links, base, items[page->end - 1], true);
    if (query->marker && page->first > 0)
        add_link(query, links, base, items[page->first], false);
    return links;
}

struct json_value *list_query_answer(const struct list_query *query,
                                     const char *plural,
                                     const char *base,
                                     struct json_value **items,
                                     size_t count,
                                     struct error *error)
{
    struct page page;
    struct json_value *root = NULL;
    if (count > 1)
        qsort_r(items, count, sizeof(*items), compare_items, (void *)(uintptr_t)query);
    if (find_page(query, items, count, &page, error)) {
        char links_name[80];
        struct json_value *links = page_links(query, base, items, &page);
        struct json_value *list = json_value_array();
        snprintf(links_name, sizeof(links_name), "%s_links", plural);
        for (size_t i = page.first; i < page.end; i++) {
            json_value_append(list, list_query_fields(query->url, items[i]));
            items[i] = NULL;
        }
        root = json_value_object();
        json_value_set(root, plural, list);
        json_value_set(root, links_name, links);
    }
    for (size_t i = 0; i < count; i++)
        json_value_free(items[i]);
    return root;
}

static bool is_wanted(const struct http_url *url, const char *key)
{
    for (size_t i = 0; i < url->parameter_count; i++) {
        if (strcmp(url->parameters[i].name, "fields") == 0 &&
            strcmp(url->parameters[i].value, key) == 0)
            return true;
    }
    return false;
}

struct json_value *list_query_fields(const struct http_url *url, struct json_value *value)
{
    if (!http_url_parameter(url, "fields"))
        return value;
    struct json_value *chosen = json_value_object();
    for (void *at = json_value_first(value); at; at = json_value_next(value, at)) {
        if (is_wanted(url, json_value_key(at)))
            json_value_set(chosen, json_value_key(at), json_value_copy(json_value_of(at)));
    }
    json_value_free(value);
    return chosen;
}
