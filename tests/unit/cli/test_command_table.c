#include "lbnode/cli/command.h"
#include "tests/support/test.h"

#include <string.h>

static void every_command_is_complete(void **state)
{
    for (size_t i = 0; command_at(i); i++) {
        const struct command *command = command_at(i);
        assert_non_null(command->run);
        assert_true(strlen(command->summary) > 0);
        assert_true(command->positional_minimum <= command->positional_maximum);
        assert_true(command->positional_maximum == 0 || command->positional);
        assert_ptr_equal(command_find(command->noun, command->verb), command);
    }
}

/* An option that exists twice would hide one of the two; beyond the bound it would be lost. */
static void options_are_unique(void **state)
{
    for (size_t i = 0; command_at(i); i++) {
        struct option_table table;
        command_options(command_at(i), &table);
        assert_true(table.count < OPTIONS_MAXIMUM);
        for (size_t a = 0; a < table.count; a++) {
            for (size_t b = 0; b < a; b++) {
                bool same_letter =
                    table.rows[a].letter && table.rows[a].letter == table.rows[b].letter;
                if (same_letter || strcmp(table.rows[a].name, table.rows[b].name) == 0)
                    fail_msg("%s %s: --%s", command_at(i)->noun,
                             command_at(i)->verb ? command_at(i)->verb : "",
                             table.rows[a].name);
            }
        }
    }
}

/* Arguments can be read by every account of the host. */
static void a_sensitive_value_comes_from_a_file(void **state)
{
    static const char *const verbs[] = {"create", "set"};
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++) {
        struct option_table table;
        command_options(command_find("secret", verbs[i]), &table);
        assert_null(option_table_find(&table, "payload"));
        const struct option *option = option_table_find(&table, "payload-file");
        assert_non_null(option);
        assert_string_equal(option->value_name, "FILE");
    }
}

static void short_nouns_find_the_same_command(void **state)
{
    assert_ptr_equal(command_find("lb", "create"), command_find("loadbalancer", "create"));
    assert_ptr_equal(command_find("hm", "set"), command_find("healthmonitor", "set"));
    assert_null(command_find("lb", NULL));
    assert_non_null(command_find("status", NULL));
}

static void a_misspelt_command_is_answered_with_the_nearest(void **state)
{
    struct error error = {0};
    assert_false(command_unknown("listner", "create", &error));
    assert_string_equal(error.text, "unknown command listner; did you mean listener?");
    assert_false(command_unknown("pool", "crate", &error));
    assert_string_equal(error.text, "unknown command pool crate; did you mean pool create?");
    assert_false(command_unknown("pool", NULL, &error));
    assert_string_equal(error.text, "pool needs a verb; lbnode pool --help lists them");
    assert_int_equal(error.kind, ERROR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_complete),
        cmocka_unit_test(options_are_unique),
        cmocka_unit_test(a_sensitive_value_comes_from_a_file),
        cmocka_unit_test(short_nouns_find_the_same_command),
        cmocka_unit_test(a_misspelt_command_is_answered_with_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
