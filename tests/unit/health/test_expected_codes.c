#include "health/expected_codes.h"
#include "tests/support/test.h"

static void lists_and_ranges_match_what_they_name(void **state)
{
    assert_true(expected_codes_match("200", 200));
    assert_false(expected_codes_match("200", 201));
    assert_true(expected_codes_match("200,202", 202));
    assert_true(expected_codes_match("200 , 202", 202));
    assert_false(expected_codes_match("200,202", 201));
    assert_true(expected_codes_match("200-204", 204));
    assert_false(expected_codes_match("200-204", 205));
}

static void a_malformed_list_matches_nothing(void **state)
{
    static const char *const bad[] = {"",     "20",  "2000",   "200-",
                                      "200,", "abc", "200-20", "200;202"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(expected_codes_match(bad[i], 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_ranges_match_what_they_name),
        cmocka_unit_test(a_malformed_list_matches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
