#include "health/probe_request.h"
#include "tests/support/test.h"

#include <string.h>

static struct probe_request request_to(const char *endpoint)
{
    struct probe_request request = {"GET", "/status", "", 10, {{0}, 0}};
    assert_true(ip_endpoint_parse(endpoint, 0, &request.endpoint));
    return request;
}

static void http_1_0_has_no_host_without_a_domain_name(void **state)
{
    char out[PROBE_REQUEST_SIZE];
    struct probe_request request = request_to("10.0.0.1:80");
    assert_int_not_equal(probe_request_write(&request, out), 0);
    assert_string_equal(out, "GET /status HTTP/1.0\r\nUser-Agent: lbnode-health\r\n"
                             "Accept: */*\r\nConnection: close\r\n\r\n");
}

static void http_1_1_names_the_domain_or_the_endpoint(void **state)
{
    char out[PROBE_REQUEST_SIZE];
    struct probe_request request = request_to("[fd77::21]:8080");
    request.http_version = 11;
    assert_int_not_equal(probe_request_write(&request, out), 0);
    assert_non_null(strstr(out, "HTTP/1.1\r\nHost: [fd77::21]:8080\r\n"));
    request.domain_name = "www.example.org";
    assert_int_not_equal(probe_request_write(&request, out), 0);
    assert_non_null(strstr(out, "\r\nHost: www.example.org\r\n"));
}

static void what_does_not_fit_is_not_cut(void **state)
{
    static char path[PROBE_REQUEST_SIZE + 1];
    char out[PROBE_REQUEST_SIZE];
    struct probe_request request = request_to("10.0.0.1:80");
    memset(path, '/', PROBE_REQUEST_SIZE);
    request.url_path = path;
    assert_int_equal(probe_request_write(&request, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_1_0_has_no_host_without_a_domain_name),
        cmocka_unit_test(http_1_1_names_the_domain_or_the_endpoint),
        cmocka_unit_test(what_does_not_fit_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
