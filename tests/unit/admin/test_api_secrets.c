/* Secrets from outside: in Barbican's shape, and never with their payloads. */
#include "lbnode/crypto/crypto.h"
#include "tests/support/test.h"
#include "tests/unit/admin/api_guide.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MARKER "the-payload-of-this-test"

static struct api_answer ask(const char *method, const char *target, const char *body)
{
    struct api_answer answer = api_call(api_guide_node(), method, target, body);
    bool is_payload = strstr(target, "/payload") && answer.status == 200;
    if (!is_payload && strstr(text_string(&answer.body), MARKER))
        fail_msg("%s %s shows the payload: %s", method, target, text_string(&answer.body));
    return answer;
}

/* Creates one; its path in OUT. */
static void create_secret(char out[96])
{
    struct api_answer answer =
        ask("POST", "/v1/secrets",
            "{\"name\":\"web-key\",\"secret_type\":\"private\",\"payload\":\"" MARKER "\"}");
    if (answer.status != 201)
        fail_msg("%s", text_string(&answer.body));
    const char *reference = json_value_get_text(answer.json, "secret_ref");
    assert_non_null(strstr(reference, "/v1/secrets/"));
    snprintf(out, 96, "%s", strstr(reference, "/v1/secrets/"));
    api_answer_free(&answer);
}

static void expect_payload(const char *path, const char *expected)
{
    char target[128];
    snprintf(target, sizeof(target), "%s/payload", path);
    struct api_answer answer = ask("GET", target, NULL);
    if (geteuid() != 0) {
        assert_int_equal(answer.status, 403);
    } else {
        assert_int_equal(answer.status, 200);
        assert_string_equal(text_string(&answer.body), expected);
    }
    api_answer_free(&answer);
}

static size_t submissions(void)
{
    return fake_replication_submissions(api_guide_node()->state.replication);
}

static void a_secret_is_shown_without_its_payload(void **state)
{
    char path[96];
    create_secret(path);
    struct api_answer answer = ask("GET", path, NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(json_value_get_text(answer.json, "name"), "web-key");
    assert_string_equal(json_value_get_text(answer.json, "secret_type"), "private");
    assert_string_equal(json_value_get_text(answer.json, "status"), "ACTIVE");
    assert_string_equal(
        json_value_get_text(json_value_get(answer.json, "content_types"), "default"),
        "text/plain");
    assert_null(json_value_get(answer.json, "payload"));
    api_answer_free(&answer);
    answer = ask("GET", "/v1/secrets?name=web-key", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "secrets")), 1);
    api_answer_free(&answer);
    answer = ask("GET", "/v1/export", NULL);
    api_answer_free(&answer);
    expect_payload(path, MARKER);
}

static void the_first_secret_starts_a_cluster_that_has_a_key(void **state)
{
    char path[96];
    assert_false(replication_is_initialised(api_guide_node()->state.replication));
    create_secret(path);
    assert_true(replication_is_initialised(api_guide_node()->state.replication));
}

static void a_payload_is_kept_replaced_and_removed(void **state)
{
    char path[96];
    create_secret(path);
    struct api_answer answer = ask("PUT", path, "{\"secret\":{\"description\":\"mine\"}}");
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    expect_payload(path, MARKER);
    answer = ask("PUT", path, "{\"payload\":\"another\"}");
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    expect_payload(path, "another");
    answer = ask("PUT", path, "{\"payload\":null}");
    assert_true(json_value_is_null(json_value_get(answer.json, "content_types")));
    api_answer_free(&answer);
    answer = ask("DELETE", path, NULL);
    assert_int_equal(answer.status, 204);
    api_answer_free(&answer);
    answer = ask("GET", path, NULL);
    assert_int_equal(answer.status, 404);
    api_answer_free(&answer);
}

static void the_same_payload_again_changes_nothing(void **state)
{
    char path[96];
    create_secret(path);
    size_t before = submissions();
    struct api_answer answer = ask("PUT", path, "{\"payload\":\"" MARKER "\"}");
    assert_int_equal(answer.status, 200);
    assert_string_equal(api_field(&answer, "X-Lbnode-Note"), "nothing to change");
    assert_int_equal(submissions(), before);
    api_answer_free(&answer);
}

static void what_is_no_text_comes_as_base64(void **state)
{
    char path[96];
    create_secret(path);
    struct api_answer answer =
        ask("PUT", path, "{\"payload\":\"YmluYXJ5\",\"payload_content_encoding\":\"base64\"}");
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    expect_payload(path, "binary");
    answer = ask("PUT", path, "{\"payload\":\"%\",\"payload_content_encoding\":\"base64\"}");
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
    answer = ask("PUT", path, "{\"payload\":\"x\",\"payload_content_encoding\":\"hex\"}");
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
}

static size_t apply(const char *secret)
{
    char body[512];
    snprintf(body, sizeof(body), "{\"document\":{\"secrets\":[{\"name\":\"web-key\"%s}]}}",
             secret);
    struct api_answer answer = ask("POST", "/v1/apply", body);
    if (answer.status != 200)
        fail_msg("%s", text_string(&answer.body));
    size_t count =
        json_value_count(json_value_get(json_value_get(answer.json, "apply"), "changes"));
    api_answer_free(&answer);
    return count;
}

static void a_document_sets_a_payload_or_leaves_it_alone(void **state)
{
    char path[96];
    assert_int_equal(apply(",\"secret_type\":\"private\",\"payload\":\"" MARKER "\""), 1);
    assert_int_equal(apply(",\"secret_type\":\"private\",\"payload\":\"" MARKER "\""), 0);
    assert_int_equal(apply(",\"secret_type\":\"private\""), 0);
    struct api_answer answer = ask("GET", "/v1/secrets", NULL);
    const struct json_value *secret = json_value_at(json_value_get(answer.json, "secrets"), 0);
    snprintf(path, sizeof(path), "/v1/secrets/%s", json_value_get_text(secret, "id"));
    api_answer_free(&answer);
    expect_payload(path, MARKER);
    assert_int_equal(apply(",\"payload\":\"another\""), 1);
    expect_payload(path, "another");
}

static void a_mistake_is_answered_without_the_payload(void **state)
{
    static const char *const bodies[] = {
        "{\"name\":\"x\",\"payload\":[\"" MARKER "\"]}",
        "{\"name\":\"x\",\"payload\":\"\"}",
        "{\"name\":\"x\",\"payload\":\"" MARKER "\",\"secret_type\":\"none\"}",
        "{\"name\":\"x\",\"payload\":\"" MARKER "\",\"payload_content_type\":\"a b\\u00e9\"}",
        "{\"name\":\"x\",\"payload\":\"" MARKER,
        "{\"name\":\"x\",\"payload\":\"" MARKER "\" \"x\"}",
        "{\"name\":\"x\",\"colour\":\"red\",\"payload\":\"" MARKER "\"}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        struct api_answer answer = ask("POST", "/v1/secrets", bodies[i]);
        assert_int_equal(answer.status, 400);
        api_answer_free(&answer);
    }
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
        API_TEST(a_secret_is_shown_without_its_payload),
        API_TEST(the_first_secret_starts_a_cluster_that_has_a_key),
        API_TEST(a_payload_is_kept_replaced_and_removed),
        API_TEST(the_same_payload_again_changes_nothing),
        API_TEST(what_is_no_text_comes_as_base64),
        API_TEST(a_document_sets_a_payload_or_leaves_it_alone),
        API_TEST(a_mistake_is_answered_without_the_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
