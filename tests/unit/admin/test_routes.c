#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_routes.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct admin_route *found;
static const char *parameters[2];
static char allow[ADMIN_ALLOW_SIZE];

static enum admin_route_result find(const char *method, const char *target)
{
    static struct http_url url;
    memset(&url, 0, sizeof(url));
    assert_true(http_url_parse(&url, (struct bytes){(const uint8_t *)target, strlen(target)}));
    return admin_route_find(method, &url, &found, parameters, allow);
}

static void both_prefixes_are_the_same_api(void **state)
{
    assert_int_equal(find("GET", "/v2.0/lbaas/pools"), ADMIN_ROUTE_FOUND);
    const struct admin_route *first = found;
    assert_int_equal(find("GET", "/v2/lbaas/pools"), ADMIN_ROUTE_FOUND);
    assert_ptr_equal(found, first);
    assert_int_equal(found->type, RESOURCE_POOL);
}

static void ids_become_parameters(void **state)
{
    assert_int_equal(find("PUT", "/v2/lbaas/pools/p1/members/m1"), ADMIN_ROUTE_FOUND);
    assert_string_equal(parameters[0], "p1");
    assert_string_equal(parameters[1], "m1");
    assert_ptr_equal(found->handle, resource_update);
}

static void head_finds_what_get_finds(void **state)
{
    assert_int_equal(find("HEAD", "/healthz"), ADMIN_ROUTE_FOUND);
    assert_string_equal(found->method, "GET");
}

static void a_wrong_method_lists_the_right_ones(void **state)
{
    assert_int_equal(find("PATCH", "/v2.0/lbaas/listeners"), ADMIN_ROUTE_NO_METHOD);
    assert_string_equal(allow, "GET, POST");
    assert_int_equal(find("POST", "/v1/status"), ADMIN_ROUTE_NO_METHOD);
    assert_string_equal(allow, "GET");
}

static void an_unknown_path_is_not_found(void **state)
{
    assert_int_equal(find("GET", "/v2.0/lbaas/nosuch"), ADMIN_ROUTE_NO_PATH);
    assert_int_equal(find("GET", "/v2.0/lbaas/pools/a/b"), ADMIN_ROUTE_NO_PATH);
    assert_int_equal(find("GET", "/v3"), ADMIN_ROUTE_NO_PATH);
}

static void every_row_is_found_by_its_own_pattern(void **state)
{
    const struct admin_route *route;
    for (size_t i = 0; (route = admin_route_at(i)); i++) {
        char target[128] = "";
        size_t used = 0;
        for (const char *c = route->pattern; *c; c++)
            target[used++] = *c == '%' ? 'x' : *c;
        assert_int_equal(find(route->method, target), ADMIN_ROUTE_FOUND);
        assert_ptr_equal(found, route);
    }
}

/* A row "| `METHOD path` | help |" for each route, with {id} for %. */
static void the_reference_page_has_a_row_for_every_route(void **state)
{
    const char *path = getenv("LBNODE_API_PAGE");
    char page[65536], row[512];
    const struct admin_route *route;
    if (!path)
        skip();
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; (route = admin_route_at(i)); i++) {
        size_t used = (size_t)snprintf(row, sizeof(row), "| `%s ", route->method);
        for (const char *c = route->pattern; *c; c++)
            used += (size_t)snprintf(row + used, sizeof(row) - used, "%.*s", *c == '%' ? 4 : 1,
                                     *c == '%' ? "{id}" : c);
        snprintf(row + used, sizeof(row) - used, "` | %s |\n", route->help);
        if (!strstr(page, row))
            fail_msg("missing in docs/api.md: %s", row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_prefixes_are_the_same_api),
        cmocka_unit_test(ids_become_parameters),
        cmocka_unit_test(head_finds_what_get_finds),
        cmocka_unit_test(a_wrong_method_lists_the_right_ones),
        cmocka_unit_test(an_unknown_path_is_not_found),
        cmocka_unit_test(every_row_is_found_by_its_own_pattern),
        cmocka_unit_test(the_reference_page_has_a_row_for_every_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
