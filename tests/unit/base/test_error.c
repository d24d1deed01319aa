#include "lbnode/base/error.h"
#include "lbnode/base/text.h"
#include "tests/support/test.h"

#include <string.h>

static void setting_an_error_returns_false(void **state)
{
    struct error error = {0};
    assert_false(error_set(&error, ERROR_CONFLICT, "port %d is taken", 80));
    assert_int_equal(error.kind, ERROR_CONFLICT);
    assert_string_equal(error.text, "port 80 is taken");
    assert_false(error_set(NULL, ERROR_CONFLICT, "nobody wants to know"));
}

static void a_bad_field_reads_as_octavias(void **state)
{
    struct error error = {0};
    error_invalid_field(&error, "delay", "x", "Value should be an integer");
    assert_string_equal(error.text,
                        "Invalid input for field/attribute delay. Value: 'x'. Value "
                        "should be an integer");
}

/* A value is somebody's input: it may be long, cut within a character, or drive a terminal. */
static void a_quoted_value_is_short_and_clean(void **state)
{
    struct error error = {0};
    char value[400] = "\x1b[2J\xc2\x9b";
    for (size_t i = strlen(value); i + 2 < sizeof(value); i += 2)
        memcpy(value + i, "\xc3\xa9", 3);
    error_invalid_field(&error, "name", value, "It is too long");
    assert_true(text_is_clean_utf8(error.text, strlen(error.text)));
    assert_non_null(strstr(error.text, "...'. It is too long"));
    assert_true(strlen(error.text) < 200);
}

static void kinds_map_to_statuses_and_exit_codes(void **state)
{
    assert_int_equal(error_http_status(ERROR_INVALID), 400);
    assert_int_equal(error_http_status(ERROR_NOT_FOUND), 404);
    assert_int_equal(error_exit_code(ERROR_NOT_FOUND), 3);
    assert_int_equal(error_exit_code(ERROR_UNREACHABLE), 7);
    assert_int_equal(error_kind_of_status(409), ERROR_CONFLICT);
    assert_int_equal(error_kind_of_status(204), ERROR_NONE);
    assert_int_equal(error_kind_of_status(500), ERROR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_returns_false),
        cmocka_unit_test(a_bad_field_reads_as_octavias),
        cmocka_unit_test(a_quoted_value_is_short_and_clean),
        cmocka_unit_test(kinds_map_to_statuses_and_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
