#include "lbnode/base/bytes.h"
#include "lbnode/cli/health_text.h"
#include "lbnode/cli/history_bar.h"
#include "tests/support/test.h"

#include <string.h>

static void check_bar(const char *history, bool unicode, const char *expected)
{
    struct text out = {0};
    history_bar_write(history, unicode, &out);
    assert_string_equal(text_string(&out), expected);
    text_free(&out);
}

static void a_bar_has_one_mark_for_each_result_the_oldest_left(void **state)
{
    check_bar("1101", false, "||.|");
    check_bar("10", true, "\u2588\u2581");
    check_bar("", true, "");
}

static void what_is_no_result_reaches_no_terminal(void **state)
{
    check_bar("1\033[2J0", false, "|.");
}

static void check_age(int64_t ms, const char *expected)
{
    struct text out = {0};
    struct json_value *age = ms < 0 ? json_value_null() : json_value_integer(ms);
    health_age_write(age, &out);
    assert_string_equal(text_string(&out), expected);
    json_value_free(age);
    text_free(&out);
}

static void ages_are_told_in_the_unit_that_says_something(void **state)
{
    check_age(-1, "never");
    check_age(0, "0.0 s ago");
    check_age(9900, "9.9 s ago");
    check_age(10000, "10 s ago");
    check_age(119999, "119 s ago");
    check_age(120000, "2 min ago");
    check_age(7200000, "2 h ago");
    check_age(172800000, "2 days ago");
}

static void check_line(const char *health, const char *expected)
{
    struct text out = {0};
    struct error error = {0};
    struct json_value *value = json_value_parse(health, strlen(health), &error);
    assert_non_null(value);
    health_line_write(value, &out);
    assert_string_equal(text_string(&out), expected);
    json_value_free(value);
    text_free(&out);
}

static void a_list_says_why_a_member_fails_or_how_nodes_differ(void **state)
{
    check_line("{\"differences\": null, \"nodes\": [{\"node\": \"lb1\", \"decides\": true, "
               "\"state\": \"ONLINE\"}]}",
               "");
    check_line("{\"differences\": null, \"nodes\": [{\"node\": \"lb1\", \"decides\": true, "
               "\"state\": \"ERROR\", \"reason\": \"connection refused\", \"since_ms_ago\": "
               "30000}]}",
               "connection refused, 30 s ago");
    check_line("{\"differences\": null, \"nodes\": [{\"decides\": true, \"state\": null, "
               "\"reason\": \"no ICMP socket\", \"since_ms_ago\": 30000}]}",
               "no ICMP socket");
    check_line("{\"differences\": null, \"nodes\": [{\"decides\": true, \"state\": null, "
               "\"reason\": null}]}",
               "");
    check_line("{\"differences\": \"lb1 ONLINE, lb2 ERROR: connect timeout after 5 s\", "
               "\"nodes\": []}",
               "lb1 ONLINE, lb2 ERROR: connect timeout after 5 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bar_has_one_mark_for_each_result_the_oldest_left),
        cmocka_unit_test(what_is_no_result_reaches_no_terminal),
        cmocka_unit_test(ages_are_told_in_the_unit_that_says_something),
        cmocka_unit_test(a_list_says_why_a_member_fails_or_how_nodes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
