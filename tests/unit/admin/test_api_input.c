/* Bad input: a status, a sentence, and nothing changed. */
#include "lbnode/base/bytes.h"
#include "tests/support/test.h"
#include "tests/unit/admin/api_guide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct refusal {
    const char *method, *path,
        *body; /* $0: the load balancer, $1: the listener, $2: the pool */
    int status;
    const char *error, *says;
};

static const struct refusal refusals[] = {
    {"POST", LBAAS "/listeners",
     "{\"listener\":{\"loadbalancer_id\":\"$0\",\"protocol\":\"HTTP\",\"protocol_port\":81,"
     "\"colour\":\"red\"}}",
     400, "INVALID", "Unknown attribute for argument listener.listener: colour"},
    {"POST", LBAAS "/listeners",
     "{\"listener\":{\"loadbalancer_id\":\"$0\",\"protocol\":\"HTTP\","
     "\"protocol_port\":70000}}",
     400, "INVALID", "protocol_port. Value: '70000'. Value should be lower or equal to"},
    {"POST", LBAAS "/listeners",
     "{\"listener\":{\"loadbalancer_id\":\"$0\",\"protocol\":\"HTTP\","
     "\"protocol_port\":80}}",
     409, "CONFLICT", "is already using protocol"},
    {"POST", LBAAS "/listeners", "{\"listener\":{\"protocol\":\"HTTP\",\"protocol_port\":82}}",
     400, "INVALID", "loadbalancer_id. Value: 'None'. Mandatory field missing."},
    {"POST", LBAAS "/pools/$2/members",
     "{\"member\":{\"address\":\"10.77.0.300\",\"protocol_port\":80}}", 400, "INVALID",
     "address. Value: '10.77.0.300'. Value should be IPv4 or IPv6 format"},
    {"POST", LBAAS "/pools/$2/members",
     "{\"member\":{\"address\":\"10.77.0.21\",\"protocol_port\":80}}", 409, "CONFLICT",
     "already using ip 10.77.0.21 on protocol_port 80"},
    {"POST", LBAAS "/pools/$0/members",
     "{\"member\":{\"address\":\"10.77.0.29\",\"protocol_port\":80}}", 404, "NOT_FOUND",
     "Pool "},
    {"POST", LBAAS "/pools",
     "{\"pool\":{\"protocol\":\"HTTP\",\"lb_algorithm\":\"ROUND_ROBIN\"}}", 400, "INVALID",
     "Must provide at least one of: loadbalancer_id, listener_id"},
    {"POST", LBAAS "/pools",
     "{\"pool\":{\"protocol\":\"HTTP\",\"lb_algorithm\":\"ROUND_ROBIN\","
     "\"listener_id\":\"$1\"}}",
     409, "CONFLICT", "This listener already has a default pool"},
    {"POST", LBAAS "/healthmonitors",
     "{\"healthmonitor\":{\"type\":\"TCP\",\"delay\":5,\"timeout\":3,\"max_retries\":3,"
     "\"pool_id\":\"$2\"}}",
     409, "CONFLICT", "This pool already has a health monitor"},
    {"POST", LBAAS "/loadbalancers", "{\"loadbalancer\":{\"name\":\"x\"}}", 400, "INVALID",
     "vip_address. Value: 'None'. Mandatory field missing."},
    {"POST", LBAAS "/loadbalancers", "{\"loadbalancer\":", 400, "INVALID",
     "Request is not in valid JSON format"},
    {"POST", LBAAS "/loadbalancers",
     "{\"loadbalancer\":{\"name\":\"x\",\"name\":\"y\",\"vip_address\":\"10.0.0.1\"}}", 400,
     "INVALID", "Request is not in valid JSON format"},
    {"POST", LBAAS "/loadbalancers",
     "{\"loadbalancer\":{\"name\":\"tree\",\"vip_address\":\"10.77.0.109\",\"pools\":["
     "{\"protocol\":\"HTTP\",\"lb_algorithm\":\"ROUND_ROBIN\"}]}}",
     400, "INVALID", "Pool names are mandatory"},
    {"POST", LBAAS "/loadbalancers",
     "{\"loadbalancer\":{\"name\":\"tree\",\"vip_address\":\"10.77.0.109\",\"listeners\":["
     "{\"protocol\":\"HTTP\",\"protocol_port\":80,\"default_pool\":{\"name\":\"no\"}}]}}",
     400, "INVALID", "no"},
    {"POST", LBAAS "/loadbalancers", "{\"balancer\":{}}", 400, "INVALID",
     "{\"loadbalancer\": {...}}"},
    {"POST", LBAAS "/loadbalancers", "", 400, "INVALID", "{\"loadbalancer\": {...}}"},
    {"PUT", LBAAS "/listeners/$1", "{\"listener\":{\"protocol_port\":8080}}", 400, "INVALID",
     "Unknown attribute for argument listener.listener: protocol_port"},
    {"PUT", LBAAS "/pools/$2/members",
     "{\"members\":[{\"address\":\"10.77.0.21\",\"protocol_port\":80},"
     "{\"address\":\"10.77.0.21\",\"protocol_port\":80}]}",
     400, "INVALID", "stands twice"},
    {"PUT", LBAAS "/pools/$2/members",
     "{\"members\":[{\"address\":\"10.77.0.21\",\"protocol_port\":80,\"weight\":257}]}", 400,
     "INVALID", "weight"},
    {"GET", LBAAS "/loadbalancers/$1", "", 404, "NOT_FOUND", "Load Balancer "},
    {"GET", LBAAS "/loadbalancers/nosuch", "", 404, "NOT_FOUND",
     "Load Balancer nosuch not found."},
    {"GET", "/nosuch", "", 404, "NOT_FOUND", "could not be found"},
    {"PATCH", LBAAS "/pools", "", 405, "INVALID", "allowed: GET, POST"},
    {"POST", "/v1/join", "{\"join\":{\"token\":\"bad\"}}", 403, "REFUSED",
     "the token is wrong"},
    {"POST", "/v1/join", "{\"join\":{}}", 400, "INVALID", "Mandatory field missing."},
    {"POST", "/v1/tokens", "{\"token\":{\"ttl_s\":0}}", 400, "INVALID", "ttl_s"},
    {"POST", "/v1/cluster", "{\"cluster\":{\"name\":\"x\"}}", 409, "CONFLICT",
     "already in a cluster"},
    {"POST", "/v1/apply", "{\"document\":{\"loadbalancers\":[{\"name\":\"x\"}]}}", 400,
     "INVALID", "vip_address"},
    {"POST", "/v1/apply", "{\"document\":7}", 400, "INVALID", "document"},
    {"GET", "/v1/events?after=x", "", 400, "INVALID", "after"},
    {"DELETE", "/v1/nodes/lb1", "", 409, "CONFLICT", "is this node"},
    {"DELETE", "/v1/nodes/nosuch", "", 404, "NOT_FOUND", "nosuch"},
};

static void check_refusal(const struct guide *guide, const struct refusal *refusal)
{
    struct text body = {0}, path = {0};
    size_t before = fake_replication_submissions(api_guide_node()->state.replication);
    const char *ids[] = {guide->balancer, guide->listener, guide->pool};
    const struct {
        struct text *out;
        const char *format;
    } parts[] = {{&path, refusal->path}, {&body, refusal->body}};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        for (const char *c = parts[i].format; *c; c++) {
            if (*c == '$')
                text_append_string(parts[i].out, ids[*++c - '0']);
            else
                text_append(parts[i].out, c, 1);
        }
    }
    struct api_answer answer =
        api_call(api_guide_node(), refusal->method, text_string(&path), text_string(&body));
    if (answer.status != refusal->status || !strstr(api_fault(&answer), refusal->says))
        fail_msg("%s %s %s: %d %s", refusal->method, text_string(&path), text_string(&body),
                 answer.status, text_string(&answer.body));
    assert_string_equal(json_value_get_text(answer.json, "faultcode"), "Client");
    assert_string_equal(api_field(&answer, "X-Lbnode-Error"), refusal->error);
    assert_int_equal(fake_replication_submissions(api_guide_node()->state.replication), before);
    api_answer_free(&answer);
    text_free(&body);
    text_free(&path);
}

static void bad_input_gets_a_sentence_and_changes_nothing(void **state)
{
    struct guide guide = play_guide();
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++)
        check_refusal(&guide, &refusals[i]);
}

static void a_body_of_ten_megabytes_is_refused(void **state)
{
    struct text body = {0};
    const size_t size = 10 << 20;
    char *filler = malloc(size);
    memset(filler, 'x', size);
    text_appendf(&body,
                 "POST " LBAAS "/loadbalancers HTTP/1.1\r\nHost: a\r\nContent-Length: "
                 "%zu\r\n\r\n",
                 size);
    text_append(&body, filler, size);
    int fd = api_connect(api_guide_node());
    api_send(api_guide_node(), fd, body.data, body.length);
    struct api_answer answer = api_receive(api_guide_node(), fd);
    assert_int_equal(answer.status, 413);
    assert_non_null(strstr(api_fault(&answer), "4 MiB"));
    assert_string_equal(api_field(&answer, "X-Lbnode-Error"), "TOO_LARGE");
    api_answer_free(&answer);
    close(fd);
    text_free(&body);
    free(filler);
    answer = api_call(api_guide_node(), "GET", LBAAS "/loadbalancers", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "loadbalancers")), 0);
    api_answer_free(&answer);
}

static void pages_of_other_sites_change_nothing(void **state)
{
    static const char body[] =
        "{\"loadbalancer\":{\"name\":\"x\",\"vip_address\":\"10.0.0.1\"}}";
    struct api_answer answer = api_call_with(api_guide_node(), "POST", LBAAS "/loadbalancers",
                                             "Origin: http://evil.example\r\n", body);
    assert_int_equal(answer.status, 403);
    assert_int_equal(fake_replication_submissions(api_guide_node()->state.replication), 0);
    api_answer_free(&answer);
    answer = api_call_with(api_guide_node(), "POST", LBAAS "/loadbalancers",
                           "Origin: http://lb.example:9876\r\n", body);
    assert_int_equal(answer.status, 201);
    api_answer_free(&answer);
}

static void refusals_of_replication_reach_the_client(void **state)
{
    static const struct {
        enum error_kind kind;
        int status;
        const char *name;
    } cases[] = {{ERROR_UNREPLICATED, 503, "UNREPLICATED"},
                 {ERROR_REFUSED, 403, "REFUSED"},
                 {ERROR_CONFLICT, 409, "CONFLICT"},
                 {ERROR_INTERNAL, 500, "INTERNAL"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        fake_replication_refuse(api_guide_node()->state.replication, cases[i].kind);
        struct api_answer answer =
            api_call(api_guide_node(), "POST", LBAAS "/loadbalancers",
                     "{\"loadbalancer\":{\"name\":\"x\",\"vip_address\":\"10.0.0.1\"}}");
        assert_int_equal(answer.status, cases[i].status);
        assert_string_equal(api_field(&answer, "X-Lbnode-Error"), cases[i].name);
        assert_string_equal(api_fault(&answer), "refused by the test");
        api_answer_free(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(bad_input_gets_a_sentence_and_changes_nothing),
        API_TEST(a_body_of_ten_megabytes_is_refused),
        API_TEST(pages_of_other_sites_change_nothing),
        API_TEST(refusals_of_replication_reach_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
