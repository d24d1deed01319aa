#include "lbnode/base/bytes.h"
#include "lbnode/base/text.h"
#include "lbnode/base/text_list.h"
#include "tests/support/test.h"

#include <string.h>

static void text_grows_and_stays_terminated(void **state)
{
    struct text text = {0};
    assert_string_equal(text_string(&text), "");
    for (int i = 0; i < 1000; i++)
        text_appendf(&text, "%d,", i % 10);
    assert_int_equal(text.length, 2000);
    assert_int_equal(strlen(text.data), 2000);
    text_consume(&text, 1998);
    assert_string_equal(text_string(&text), "9,");
    text_clear(&text);
    assert_string_equal(text_string(&text), "");
    text_free(&text);
}

static void the_limit_is_kept_and_remembered(void **state)
{
    struct text text = {.limit = 4};
    text_append(&text, "abcd", 4);
    assert_false(text.overflowed);
    text_append(&text, "e", 1);
    assert_true(text.overflowed);
    assert_string_equal(text.data, "abcd");
    text_free(&text);
}

static void only_clean_utf8_is_clean(void **state)
{
    static const char *const good[] = {"", "abc", "caf\xc3\xa9", "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80"};
    static const char *const bad[] = {
        "\n",           "\x7f",     "\xc2\x85",         "\xc0\x80",
        "\xed\xa0\x80", "\xe2\x82", "\xf4\x90\x80\x80", "\xff"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_true(text_is_clean_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(text_is_clean_utf8(bad[i], strlen(bad[i])));
    assert_false(text_is_clean_utf8("a\0b", 3));
}

static void what_drives_a_terminal_is_disarmed(void **state)
{
    char text[] = "a\x1b[31m\r\n\x7f"
                  "caf\xc3\xa9 \xc2\x9b"
                  "31m\xff\xe2\x82";
    text_disarm(text);
    assert_string_equal(text, "a?[31m???caf\xc3\xa9 ??31m???");
}

static void characters_are_counted_not_bytes(void **state)
{
    assert_int_equal(text_utf8_length("caf\xc3\xa9"), 4);
    assert_int_equal(text_utf8_sequence("\xe2\x82\xac", 3), 3);
    assert_int_equal(text_utf8_sequence("\xe2\x82\xac", 2), 0);
}

static void a_map_list_finds_values_by_key(void **state)
{
    struct text_list map = {0}, copy;
    assert_true(text_list_add(&map, "b=2", 3));
    assert_true(text_list_add(&map, "ab=1", 4));
    text_list_sort(&map);
    assert_string_equal(map.items[0], "ab=1");
    assert_string_equal(text_list_value(&map, "b"), "2");
    assert_null(text_list_value(&map, "a"));
    assert_true(text_list_copy(&map, &copy));
    assert_true(text_list_equal(&map, &copy));
    assert_true(text_list_contains(&copy, "b=2"));
    text_list_free(&map);
    assert_false(text_list_equal(&map, &copy));
    text_list_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_stays_terminated),
        cmocka_unit_test(the_limit_is_kept_and_remembered),
        cmocka_unit_test(only_clean_utf8_is_clean),
        cmocka_unit_test(what_drives_a_terminal_is_disarmed),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(a_map_list_finds_values_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
