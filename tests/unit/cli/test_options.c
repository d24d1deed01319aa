#include "lbnode/base/bytes.h"
#include "lbnode/cli/options.h"
#include "tests/support/test.h"

#include <string.h>

static struct option_table listener_options(bool creating)
{
    struct option_table table = {0};
    const struct option follow = {.name = "follow", .letter = 'f', .help = "a flag"};
    const struct option output = {
        .name = "output", .letter = 'o', .value_name = "FORMAT", .help = "a value"};
    option_table_add_fields(&table, resource_class_of(RESOURCE_LISTENER), creating);
    option_table_add(&table, &follow);
    option_table_add(&table, &output);
    return table;
}

#define PARSE(arguments, table, error, ...)                                                    \
    arguments_parse(arguments, table, (int)ARRAY_LENGTH(((const char *[]){__VA_ARGS__})),      \
                    (const char *[]){__VA_ARGS__}, error)

static void options_have_openstacks_names(void **state)
{
    const char *const names[] = {"name",
                                 "tag",
                                 "enable",
                                 "disable",
                                 "protocol",
                                 "protocol-port",
                                 "default-pool",
                                 "project",
                                 "allowed-cidr",
                                 "insert-headers",
                                 "connection-limit",
                                 "timeout-client-data"};
    struct option_table table = listener_options(true);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (!option_table_find(&table, names[i]))
            fail_msg("--%s is missing", names[i]);
    }
}

static void set_has_no_option_for_what_cannot_change(void **state)
{
    struct option_table table = listener_options(false);
    assert_null(option_table_find(&table, "protocol-port"));
    assert_non_null(option_table_find(&table, "connection-limit"));
}

static void options_and_arguments_may_be_mixed(void **state)
{
    struct option_table table = listener_options(true);
    struct arguments arguments;
    struct error error = {0};
    assert_true(PARSE(&arguments, &table, &error, "--protocol", "HTTP", "web", "--name=http",
                      "-f", "-ojson", "--", "--name"));
    assert_int_equal(arguments.positional_count, 2);
    assert_string_equal(arguments.positional[0], "web");
    assert_string_equal(arguments.positional[1], "--name");
    assert_string_equal(arguments_value(&arguments, "protocol"), "HTTP");
    assert_string_equal(arguments_value(&arguments, "name"), "http");
    assert_string_equal(arguments_value(&arguments, "output"), "json");
    assert_true(arguments_has(&arguments, "follow"));
    assert_false(arguments_has(&arguments, "tag"));
}

static void the_last_of_repeated_options_counts(void **state)
{
    struct option_table table = listener_options(true);
    struct arguments arguments;
    struct error error = {0};
    assert_true(PARSE(&arguments, &table, &error, "--name", "a", "--name", ""));
    assert_string_equal(arguments_value(&arguments, "name"), "");
    assert_int_equal(arguments.given_count, 2);
}

static void a_switch_stands_for_its_value(void **state)
{
    struct option_table table = listener_options(true);
    struct arguments arguments;
    struct error error = {0};
    assert_true(PARSE(&arguments, &table, &error, "--disable"));
    assert_string_equal(arguments.given[0].value, "false");
    assert_string_equal(arguments.given[0].option->field->name, "admin_state_up");
}

#define REFUSED(sentence, ...)                                                                 \
    do {                                                                                       \
        struct error error = {0};                                                              \
        assert_false(PARSE(&arguments, &table, &error, __VA_ARGS__));                          \
        assert_int_equal(error.kind, ERROR_USAGE);                                             \
        assert_string_equal(error.text, sentence);                                             \
    } while (0)

static void mistakes_are_answered_with_the_remedy(void **state)
{
    struct option_table table = listener_options(true);
    struct arguments arguments;
    REFUSED("unknown option --protocl; did you mean --protocol?", "--protocl", "HTTP");
    REFUSED("unknown option --colour; --help lists the options", "--colour=red");
    REFUSED("unknown option -x; --help lists the options", "-x");
    REFUSED("option --protocol needs a value (CHOICE)", "web", "--protocol");
    REFUSED("option --follow takes no value", "--follow=yes");
}

static void what_stays_as_it_was_made_is_said_to_stay(void **state)
{
    struct option_table table = listener_options(false);
    struct arguments arguments;
    REFUSED("--protocol-port can be given to create only", "web", "--protocol-port", "81");
    REFUSED("unknown option --colour; --help lists the options", "--colour=red");
}

static void the_number_of_words_is_bounded(void **state)
{
    const char *many[2 * POSITIONAL_MAXIMUM];
    struct option_table table = listener_options(true);
    struct arguments arguments;
    struct error error = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(many); i++)
        many[i] = "x";
    assert_true(arguments_parse(&arguments, &table, POSITIONAL_MAXIMUM, many, &error));
    assert_false(arguments_parse(&arguments, &table, POSITIONAL_MAXIMUM + 1, many, &error));
    assert_int_equal(error.kind, ERROR_USAGE);
}

static void durations_have_units(void **state)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } good[] = {{"90", 90}, {"90s", 90}, {"15m", 900}, {"2h", 7200}, {"366d", 366 * 86400}};
    static const char *const bad[] = {
        "", "0", "m", "-5", "5x", "5mm", "1.5h", "367d", "99999999999999999999"};
    uint32_t seconds = 7;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(duration_parse(bad[i], &seconds));
    assert_int_equal(seconds, 7);
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(duration_parse(good[i].text, &seconds));
        assert_int_equal(seconds, good[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_have_openstacks_names),
        cmocka_unit_test(set_has_no_option_for_what_cannot_change),
        cmocka_unit_test(options_and_arguments_may_be_mixed),
        cmocka_unit_test(the_last_of_repeated_options_counts),
        cmocka_unit_test(a_switch_stands_for_its_value),
        cmocka_unit_test(mistakes_are_answered_with_the_remedy),
        cmocka_unit_test(what_stays_as_it_was_made_is_said_to_stay),
        cmocka_unit_test(the_number_of_words_is_bounded),
        cmocka_unit_test(durations_have_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
