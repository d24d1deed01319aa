#include "lbnode/base/bytes.h"
#include "lbnode/base/uuid.h"
#include "tests/support/test.h"

static void text_survives(void **state)
{
    static const char text[] = "2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f01";
    struct uuid id;
    char printed[UUID_TEXT_SIZE];
    assert_true(uuid_parse(text, &id));
    uuid_format(&id, printed);
    assert_string_equal(printed, text);
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "2fbd1b4c8ba14f3e9d447b1c6a1e0f01",
                                      "2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f0",
                                      "2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f012",
                                      "2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f0g",
                                      "2fbd1b4c_8ba1-4f3e-9d44-7b1c6a1e0f01"};
    struct uuid id;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(uuid_parse(bad[i], &id));
}

static void random_ids_are_version_4_and_differ(void **state)
{
    struct uuid a = uuid_random(), b = uuid_random();
    assert_int_equal(a.bytes[6] >> 4, 4);
    assert_int_equal(a.bytes[8] >> 6, 2);
    assert_false(uuid_equal(&a, &b));
    assert_false(uuid_is_zero(&a));
}

static void derived_ids_depend_on_both_inputs_only(void **state)
{
    struct uuid space = {{1}}, other = {{2}};
    struct uuid a = uuid_derived(&space, "name"), again = uuid_derived(&space, "name");
    struct uuid b = uuid_derived(&space, "names"), c = uuid_derived(&other, "name");
    assert_true(uuid_equal(&a, &again));
    assert_false(uuid_equal(&a, &b));
    assert_false(uuid_equal(&a, &c));
    assert_int_equal(a.bytes[6] >> 4, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(random_ids_are_version_4_and_differ),
        cmocka_unit_test(derived_ids_depend_on_both_inputs_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
