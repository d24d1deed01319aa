#include "lbnode/base/bytes.h"
#include "lbnode/base/json_value.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct json_value *parse(const char *text, struct error *error)
{
    return json_value_parse(text, strlen(text), error);
}

static void assert_prints(struct json_value *value, const char *expected)
{
    char *text = json_value_print(value, 0);
    assert_string_equal(text, expected);
    free(text);
    json_value_free(value);
}

static void values_print_in_the_order_they_came(void **state)
{
    struct error error = {0};
    assert_prints(parse("{\"b\": [1, -2.5, true, null], \"a\": \"x\"}", &error),
                  "{\"b\": [1, -2.5, true, null], \"a\": \"x\"}");
}

static void a_fraction_prints_as_it_was_written(void **state)
{
    assert_prints(json_value_real(1.1), "1.1");
    assert_prints(json_value_real(1.0), "1.0");
}

static void malformed_text_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "{\"a\": 1, \"a\": 2}",
                                      "[1] x",
                                      "{a: 1}",
                                      "[1,]",
                                      "\"\\u0000\"",
                                      "nul",
                                      "\"\xff\"",
                                      "[1e400]",
                                      "{\"a\" 1}",
                                      "'a'"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct error error = {0};
        assert_null(parse(bad[i], &error));
        assert_int_equal(error.kind, ERROR_INVALID);
        assert_non_null(strstr(error.text, "Request is not in valid JSON format"));
    }
}

static void nesting_is_bounded(void **state)
{
    char text[80] = "";
    struct error error = {0};
    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    struct json_value *value = json_value_parse(text, 64, &error);
    assert_non_null(value);
    json_value_free(value);
    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    assert_null(json_value_parse(text, 66, &error));
    assert_non_null(strstr(error.text, "deeper than 32"));
    /* Brackets within a string do not nest. */
    assert_prints(parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"", &error),
                  "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"");
}

static void readers_accept_nothing_and_other_types(void **state)
{
    struct json_value *number = json_value_integer(5);
    assert_true(json_value_is_null(NULL));
    assert_null(json_value_text(number));
    assert_null(json_value_get(number, "a"));
    assert_null(json_value_at(number, 0));
    assert_null(json_value_first(number));
    assert_int_equal(json_value_count(number), 0);
    assert_int_equal(json_value_number(NULL), 0);
    assert_false(json_value_truth(number));
    json_value_free(number);
    json_value_free(NULL);
}

static void invalid_text_keeps_its_valid_part(void **state)
{
    assert_prints(json_value_string("caf\xc3\xa9 \xff!"), "\"caf\xc3\xa9 ?!\"");
    assert_prints(json_value_string(NULL), "null");
}

static void a_copy_is_independent(void **state)
{
    struct error error = {0};
    struct json_value *value = parse("{\"a\": {\"b\": 1}}", &error);
    struct json_value *copy = json_value_copy(value);
    json_value_set_number(json_value_get(value, "a"), "b", 2);
    json_value_remove(value, "nothing");
    assert_prints(copy, "{\"a\": {\"b\": 1}}");
    json_value_free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_print_in_the_order_they_came),
        cmocka_unit_test(a_fraction_prints_as_it_was_written),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(readers_accept_nothing_and_other_types),
        cmocka_unit_test(invalid_text_keeps_its_valid_part),
        cmocka_unit_test(a_copy_is_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
