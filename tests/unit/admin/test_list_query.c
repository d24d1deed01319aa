#include "lbnode/admin/list_query.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEMS = 4
};

static const char *const documents[ITEMS] = {
    "{\"id\":\"a\",\"name\":\"web\",\"protocol_port\":80,\"admin_state_up\":true,"
    "\"created_at\":\"2026-01-01T00:00:01\",\"tags\":[\"blue\",\"new\"],"
    "\"loadbalancers\":[{\"id\":\"lb1\"}],\"default_pool_id\":null}",
    "{\"id\":\"b\",\"name\":\"api\",\"protocol_port\":81,\"admin_state_up\":false,"
    "\"created_at\":\"2026-01-01T00:00:02\",\"tags\":[\"blue\"],"
    "\"loadbalancers\":[{\"id\":\"lb1\"}],\"default_pool_id\":\"p\"}",
    "{\"id\":\"c\",\"name\":\"web\",\"protocol_port\":82,\"admin_state_up\":true,"
    "\"created_at\":\"2026-01-01T00:00:03\",\"tags\":[],"
    "\"loadbalancers\":[{\"id\":\"lb2\"}],\"default_pool_id\":null}",
    "{\"id\":\"d\",\"name\":\"zoo\",\"protocol_port\":9,\"admin_state_up\":true,"
    "\"created_at\":\"2026-01-01T00:00:04\",\"tags\":[\"red\"],"
    "\"loadbalancers\":[{\"id\":\"lb2\"}],\"default_pool_id\":null}",
};

static bool knows(const void *context, const char *name)
{
    static const char *const names[] = {
        "id",         "name", "protocol_port", "admin_state_up",
        "created_at", "tags", "loadbalancers", "default_pool_id"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* The answer to TARGET as text of ids, "a,b"; the whole answer in OUT_ROOT when wanted. */
static const char *ids_of(const char *target, struct json_value **out_root)
{
    static char ids[64];
    static struct http_url url;
    struct list_query query;
    struct json_value *items[ITEMS];
    struct error error = {0};
    size_t count = 0;
    memset(&url, 0, sizeof(url));
    assert_true(http_url_parse(&url, (struct bytes){(const uint8_t *)target, strlen(target)}));
    if (!list_query_read(&query, &url, knows, NULL, &error))
        return "refused";
    for (size_t i = 0; i < ITEMS; i++) {
        struct json_value *item = json_value_parse(documents[i], strlen(documents[i]), &error);
        if (list_query_matches(&query, item))
            items[count++] = item;
        else
            json_value_free(item);
    }
    struct json_value *root =
        list_query_answer(&query, "things", "http://h/things", items, count, &error);
    if (!root)
        return "refused";
    const struct json_value *list = json_value_get(root, "things");
    ids[0] = '\0';
    for (size_t i = 0; i < json_value_count(list); i++) {
        const char *id = json_value_get_text(json_value_at(list, i), "id");
        strncat(ids, i ? "," : "", 2);
        strncat(ids, id ? id : "-", 8);
    }
    if (out_root)
        *out_root = root;
    else
        json_value_free(root);
    return ids;
}

static void filters_are_anded(void **state)
{
    assert_string_equal(ids_of("/things", NULL), "a,b,c,d");
    assert_string_equal(ids_of("/things?name=web", NULL), "a,c");
    assert_string_equal(ids_of("/things?name=web&protocol_port=82", NULL), "c");
    assert_string_equal(ids_of("/things?admin_state_up=False", NULL), "b");
    assert_string_equal(ids_of("/things?admin_state_up=True&name=zoo", NULL), "d");
    assert_string_equal(ids_of("/things?id=nosuch", NULL), "");
    assert_string_equal(ids_of("/things?default_pool_id=p", NULL), "b");
}

static void a_parent_filters_through_its_stub(void **state)
{
    assert_string_equal(ids_of("/things?loadbalancer_id=lb1", NULL), "a,b");
    assert_string_equal(ids_of("/things?listener_id=x", NULL), "refused");
}

static void tags_filter_by_all_any_and_none(void **state)
{
    assert_string_equal(ids_of("/things?tags=blue,new", NULL), "a");
    assert_string_equal(ids_of("/things?tags-any=new,red", NULL), "a,d");
    assert_string_equal(ids_of("/things?not-tags=blue,new", NULL), "b,c,d");
    assert_string_equal(ids_of("/things?not-tags-any=blue,red", NULL), "c");
}

static void an_unknown_filter_is_refused(void **state)
{
    assert_string_equal(ids_of("/things?colour=red", NULL), "refused");
}

static void sorts_by_keys_and_directions(void **state)
{
    assert_string_equal(ids_of("/things?sort=name:desc", NULL), "d,a,c,b");
    assert_string_equal(ids_of("/things?sort=name:asc,protocol_port:desc", NULL), "b,c,a,d");
    assert_string_equal(ids_of("/things?sort_key=protocol_port&sort_dir=desc", NULL),
                        "c,b,a,d");
    assert_string_equal(ids_of("/things?sort=colour", NULL), "refused");
    assert_string_equal(ids_of("/things?sort=name:up", NULL), "refused");
}

static void pages_follow_the_marker(void **state)
{
    struct json_value *root = NULL;
    assert_string_equal(ids_of("/things?limit=2&name=web", &root), "a,c");
    const struct json_value *next = json_value_at(json_value_get(root, "things_links"), 0);
    assert_string_equal(json_value_get_text(next, "rel"), "next");
    assert_string_equal(json_value_get_text(next, "href"),
                        "http://h/things?limit=2&name=web&marker=c");
    json_value_free(root);
    assert_string_equal(ids_of("/things?limit=2&marker=b", NULL), "c,d");
    assert_string_equal(ids_of("/things?limit=1&marker=c&page_reverse=True", NULL), "b");
    assert_string_equal(ids_of("/things?marker=d", NULL), "");
    assert_string_equal(ids_of("/things?marker=nosuch", NULL), "refused");
    assert_string_equal(ids_of("/things?limit=many", NULL), "refused");
    assert_string_equal(ids_of("/things?limit=-1", NULL), "a,b,c,d");
}

static void a_single_page_has_empty_links(void **state)
{
    struct json_value *root = NULL;
    ids_of("/things", &root);
    assert_int_equal(json_value_kind(json_value_get(root, "things_links")), JSON_KIND_ARRAY);
    assert_int_equal(json_value_count(json_value_get(root, "things_links")), 0);
    json_value_free(root);
}

static void fields_keep_only_what_is_named(void **state)
{
    struct json_value *root = NULL;
    ids_of("/things?fields=name&fields=id&limit=1", &root);
    const struct json_value *item = json_value_at(json_value_get(root, "things"), 0);
    assert_int_equal(json_value_count(item), 2);
    assert_string_equal(json_value_get_text(item, "name"), "web");
    json_value_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_anded),
        cmocka_unit_test(a_parent_filters_through_its_stub),
        cmocka_unit_test(tags_filter_by_all_any_and_none),
        cmocka_unit_test(an_unknown_filter_is_refused),
        cmocka_unit_test(sorts_by_keys_and_directions),
        cmocka_unit_test(pages_follow_the_marker),
        cmocka_unit_test(a_single_page_has_empty_links),
        cmocka_unit_test(fields_keep_only_what_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
