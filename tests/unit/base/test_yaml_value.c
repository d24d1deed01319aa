#include "lbnode/base/bytes.h"
#include "lbnode/base/yaml_value.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static void assert_reads(const char *yaml, const char *json)
{
    struct error error = {0};
    struct json_value *value = yaml_value_parse(yaml, strlen(yaml), &error);
    if (!value)
        fail_msg("%s", error.text);
    char *text = json_value_print(value, 0);
    assert_string_equal(text, json);
    free(text);
    json_value_free(value);
}

static void assert_refused(const char *yaml, size_t size, const char *sentence)
{
    struct error error = {0};
    assert_null(yaml_value_parse(yaml, size, &error));
    assert_int_equal(error.kind, ERROR_INVALID);
    assert_string_equal(error.text, sentence);
}

#define REFUSED(yaml, sentence) assert_refused(yaml, sizeof(yaml) - 1, sentence)

static void plain_scalars_have_types(void **state)
{
    assert_reads(
        "a: 1\nb: -5\nc: true\nd: ~\ne:\nf: text\ng: FALSE\n",
        "{\"a\": 1, \"b\": -5, \"c\": true, \"d\": null, \"e\": null, \"f\": \"text\", "
        "\"g\": false}");
    assert_reads("- 10.0.0.1\n- 1.1\n- yes\n- 0x10\n- fd00::1\n",
                 "[\"10.0.0.1\", \"1.1\", \"yes\", \"0x10\", \"fd00::1\"]");
}

static void quoted_scalars_are_text(void **state)
{
    assert_reads("a: '1'\nb: \"true\"\nc: ''\n",
                 "{\"a\": \"1\", \"b\": \"true\", \"c\": \"\"}");
}

static void an_empty_document_is_an_empty_object(void **state)
{
    assert_reads("", "{}");
    assert_reads("# only a remark\n", "{}");
}

static void mistakes_are_named_with_their_place(void **state)
{
    REFUSED("a: 1\na: 2\n", "YAML line 2 column 1: the key stands twice in the same mapping");
    REFUSED("a: &x 1\n", "YAML line 1 column 4: anchors are not supported");
    REFUSED("a: *x\n", "YAML line 1 column 4: aliases are not supported; write the value out");
    REFUSED("a: !!str 1\n", "YAML line 1 column 4: tags are not supported");
    REFUSED("a: \"x\\0y\"\n", "YAML line 1 column 4: a NUL character is not allowed");
    REFUSED("a: 1\n---\nb: 2\n",
            "YAML line 3 column 1: only one document is allowed in a file");
    REFUSED("? [a]\n: 1\n", "YAML line 1 column 3: a key must be plain text");
    REFUSED("a: [1\n", "YAML line 2 column 1: did not find expected ',' or ']'");
}

static void nesting_is_bounded(void **state)
{
    char yaml[100];
    struct error error = {0};
    memset(yaml, '[', sizeof(yaml));
    assert_null(yaml_value_parse(yaml, sizeof(yaml), &error));
    assert_non_null(strstr(error.text, "nested too deep"));
}

/* What is printed reads back as the same, here and in readers of older YAML. */
static void printing_survives_reading(void **state)
{
    static const char json[] =
        "{\"list\": [\"a\", 1, true, null, {\"k\": \"v\"}], \"empty\": {}, \"none\": [], "
        "\"odd\": [\"\", \"1\", \"true\", \"no\", \"1.1\", \"~\", \"- x\", \"a: b\", \"# x\", "
        "\"0x1f\", \"12:30\", \"1e3\", \"caf\xc3\xa9\", \" x \", \"'\", \"\\\"\", "
        "\"10.0.0.1\"]}";
    struct error error = {0};
    struct json_value *value = json_value_parse(json, sizeof(json) - 1, &error);
    char *yaml = yaml_value_print(value);
    assert_reads(yaml, json);
    assert_non_null(strstr(yaml, "\"no\""));
    assert_non_null(strstr(yaml, "\"1.1\""));
    assert_non_null(strstr(yaml, "\"12:30\""));
    assert_non_null(strstr(yaml, "- 10.0.0.1\n")); /* no quotes where none are needed */
    free(yaml);
    json_value_free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_scalars_have_types),
        cmocka_unit_test(quoted_scalars_are_text),
        cmocka_unit_test(an_empty_document_is_an_empty_object),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(printing_survives_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
