#include "lbnode/base/bytes.h"
#include "lbnode/base/parse_number.h"
#include "tests/support/test.h"

static void numbers_within_the_bounds_are_read(void **state)
{
    int64_t number;
    assert_true(parse_integer("0", 0, 10, &number) && number == 0);
    assert_true(parse_integer("-1", -1, 10, &number) && number == -1);
    assert_true(parse_integer("9223372036854775807", INT64_MIN, INT64_MAX, &number) &&
                number == INT64_MAX);
    assert_true(parse_integer("-9223372036854775808", INT64_MIN, INT64_MAX, &number) &&
                number == INT64_MIN);
}

static void everything_else_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "0x1",
                                      "1.0",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    int64_t number = 7;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(parse_integer(bad[i], INT64_MIN, INT64_MAX, &number));
    assert_false(parse_integer("11", 0, 10, &number));
    assert_false(parse_integer("-1", 0, 10, &number));
    assert_int_equal(number, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_within_the_bounds_are_read),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
