#include "lbnode/http/http_url.h"
#include "tests/support/test.h"

#include <string.h>

static bool parse(struct http_url *url, const char *target)
{
    return http_url_parse(url, (struct bytes){(const uint8_t *)target, strlen(target)});
}

static void path_and_query_are_split_and_decoded(void **state)
{
    static struct http_url url;
    assert_true(parse(&url, "/v2.0/lbaas//pools/a%20b/?name=x%26y&tags=a+b&flag&name=z"));
    assert_int_equal(url.segment_count, 4);
    assert_string_equal(url.segments[0], "v2.0");
    assert_string_equal(url.segments[3], "a b");
    assert_string_equal(http_url_parameter(&url, "name"), "x&y");
    assert_string_equal(http_url_parameter(&url, "tags"), "a b");
    assert_string_equal(http_url_parameter(&url, "flag"), "");
    assert_null(http_url_parameter(&url, "other"));
    assert_true(parse(&url, "/"));
    assert_int_equal(url.segment_count, 0);
}

static void an_encoded_slash_stays_in_its_segment(void **state)
{
    static struct http_url url;
    assert_true(parse(&url, "/a%2fb"));
    assert_int_equal(url.segment_count, 1);
    assert_string_equal(url.segments[0], "a/b");
}

static void bad_targets_are_refused(void **state)
{
    static struct http_url url;
    static const char *const bad[] = {
        "",
        "a",
        "*",
        "http://a/",
        "/%",
        "/%1",
        "/%zz",
        "/%00",
        "/a b",
        "/a?x=%0",
        "/1/2/3/4/5/6/7/8/9/10/11/12/13",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(parse(&url, bad[i]));
}

static void encoded_text_decodes_to_itself(void **state)
{
    static const char text[] = "a b/c?d&e=f%g\xc3\xa4+~";
    static struct http_url url;
    char target[128] = "/";
    http_url_encode(text, target + 1);
    assert_true(parse(&url, target));
    assert_string_equal(url.segments[0], text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_and_query_are_split_and_decoded),
        cmocka_unit_test(an_encoded_slash_stays_in_its_segment),
        cmocka_unit_test(bad_targets_are_refused),
        cmocka_unit_test(encoded_text_decodes_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
