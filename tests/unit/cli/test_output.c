#include "lbnode/cli/output.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static void assert_table(struct table *table, size_t indent, const char *expected)
{
    struct text out = {0};
    table_write(table, indent, &out);
    assert_string_equal(text_string(&out), expected);
    text_free(&out);
    table_free(table);
}

static void columns_are_aligned_and_lines_end_clean(void **state)
{
    struct table table;
    table_init(&table, 3);
    const char *const cells[] = {"name", "port", "id", "a", "", "1", "longer", "80", ""};
    for (size_t i = 0; i < 9; i++)
        table_add(&table, cells[i]);
    assert_table(&table, 1,
                 " name    port  id\n"
                 " a             1\n"
                 " longer  80\n");
}

static void width_is_counted_in_characters(void **state)
{
    struct table table;
    table_init(&table, 2);
    const char *const cells[] = {"caf\xc3\xa9", "x", "tea", "y"};
    for (size_t i = 0; i < 4; i++)
        table_add(&table, cells[i]);
    assert_table(&table, 0, "caf\xc3\xa9  x\ntea   y\n");
}

static void a_wide_cell_is_cut_unless_it_is_the_last(void **state)
{
    struct text wide = {0}, expected = {0};
    struct table table;
    for (int i = 0; i < 100; i++)
        text_append_string(&wide, "\xe2\x82\xac");
    text_append(&expected, wide.data, 3 * (size_t)(TABLE_CELL_MAXIMUM - 3));
    text_appendf(&expected, "...  %s\n", wide.data);
    table_init(&table, 2);
    table_add(&table, wide.data);
    table_add(&table, wide.data);
    assert_table(&table, 0, expected.data);
    text_free(&wide);
    text_free(&expected);
}

static void text_cannot_move_the_cursor(void **state)
{
    struct table table;
    table_init(&table, 1);
    table_add(&table, "a\x1b[2Jb\nc");
    assert_table(&table, 0, "a?[2Jb?c\n");
}

static void assert_value(const char *json, const char *expected)
{
    struct json_value *value = json_value_parse(json, strlen(json), NULL);
    char *text = value_text(value, "v");
    assert_string_equal(text, expected);
    free(text);
    json_value_free(value);
}

static void values_read_well(void **state)
{
    assert_value("{\"v\": null}", "-");
    assert_value("{}", "-");
    assert_value("{\"v\": true}", "true");
    assert_value("{\"v\": -1}", "-1");
    assert_value("{\"v\": 1.1}", "1.1");
    assert_value("{\"v\": \"\"}", "");
    assert_value("{\"v\": [\"a\", \"b\"]}", "a, b");
    assert_value("{\"v\": {\"a\": 1, \"b\": 2}}", "a=1, b=2");
    assert_value("{\"v\": [{\"id\": \"x\"}, {\"name\": \"n\", \"id\": \"y\"}]}", "x, n");
    assert_value("{\"v\": [{\"subnet_id\": null, \"ip_address\": \"10.0.0.1\"}]}", "10.0.0.1");
}

static void formats_have_names(void **state)
{
    enum output_format format = OUTPUT_TABLE;
    struct error error = {0};
    assert_true(output_format_parse("yaml", &format, &error));
    assert_int_equal(format, OUTPUT_YAML);
    assert_false(output_format_parse("xml", &format, &error));
    assert_int_equal(error.kind, ERROR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_and_lines_end_clean),
        cmocka_unit_test(width_is_counted_in_characters),
        cmocka_unit_test(a_wide_cell_is_cut_unless_it_is_the_last),
        cmocka_unit_test(text_cannot_move_the_cursor),
        cmocka_unit_test(values_read_well),
        cmocka_unit_test(formats_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
