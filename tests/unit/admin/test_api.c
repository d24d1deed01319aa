/* The API from outside, over its socket, with a replication that the test controls. */
#include "lbnode/base/bytes.h"
#include "lbnode/model/field_table.h"
#include "tests/support/test.h"
#include "tests/unit/admin/api_fixture.h"
#include "tests/unit/admin/fake_replication.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LBAAS "/v2.0/lbaas"

static struct api_fixture fixture;

static void on_event(void *context, enum event_code code, const char *text)
{
    event_ring_add(fixture.state.events, code, PROCESS_CONTROL, 1000, text);
}

static int setup(void **state)
{
    const struct replication_handler handler = {
        .applied = api_fixture_applied, .event = on_event, .context = &fixture};
    api_fixture_prepare(&fixture);
    fixture.state.replication = fake_replication_new(fixture.loop, "lb1", &handler);
    api_fixture_serve(&fixture);
    return 0;
}

static int teardown(void **state)
{
    api_fixture_stop(&fixture);
    fake_replication_free(fixture.state.replication);
    loop_free(fixture.loop);
    return 0;
}

/* POSTs BODY and returns the id of the new object. */
static const char *create(const char *path, const char *root, const char *body, char id[40])
{
    struct api_answer answer = api_call(&fixture, "POST", path, body);
    if (answer.status != 201)
        fail_msg("%s %s: %d %s", path, body, answer.status, text_string(&answer.body));
    const struct json_value *object = json_value_get(answer.json, root);
    assert_string_equal(json_value_get_text(object, "provisioning_status"), "ACTIVE");
    snprintf(id, 40, "%s", json_value_get_text(object, "id"));
    api_answer_free(&answer);
    return id;
}

struct guide {
    char balancer[40], listener[40], pool[40], first[40], second[40], monitor[40];
};

static struct guide play_guide(void)
{
    struct guide guide;
    char body[512], path[128];
    create(LBAAS "/loadbalancers", "loadbalancer",
           "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}}",
           guide.balancer);
    snprintf(body, sizeof(body),
             "{\"listener\":{\"name\":\"http\",\"protocol\":\"HTTP\",\"protocol_port\":80,"
             "\"loadbalancer_id\":\"%s\"}}",
             guide.balancer);
    create(LBAAS "/listeners", "listener", body, guide.listener);
    snprintf(body, sizeof(body),
             "{\"pool\":{\"name\":\"workers\",\"protocol\":\"HTTP\",\"lb_algorithm\":"
             "\"ROUND_ROBIN\",\"listener_id\":\"%s\"}}",
             guide.listener);
    create(LBAAS "/pools", "pool", body, guide.pool);
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members", guide.pool);
    create(path, "member",
           "{\"member\":{\"name\":\"w1\",\"address\":\"10.77.0.21\",\"protocol_port\":80}}",
           guide.first);
    create(path, "member",
           "{\"member\":{\"name\":\"w2\",\"address\":\"10.77.0.22\",\"protocol_port\":80}}",
           guide.second);
    snprintf(body, sizeof(body),
             "{\"healthmonitor\":{\"type\":\"HTTP\",\"delay\":5,\"timeout\":3,"
             "\"max_retries\":3,\"url_path\":\"/\",\"pool_id\":\"%s\"}}",
             guide.pool);
    create(LBAAS "/healthmonitors", "healthmonitor", body, guide.monitor);
    return guide;
}

/* The target is PREFIX, ID and SUFFIX. */
static struct api_answer call_id(const char *method,
                                 const char *prefix,
                                 const char *id,
                                 const char *suffix,
                                 const char *body)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s%s", prefix, id, suffix);
    return api_call(&fixture, method, path, body);
}

/* ---- the guide -----------------------------------------------------------------------------
 */

static void the_guide_can_be_played(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("GET", LBAAS "/loadbalancers/", guide.balancer, "/status", NULL);
    const struct json_value *balancer =
        json_value_get(json_value_get(answer.json, "statuses"), "loadbalancer");
    assert_int_equal(json_value_count(balancer), 5);
    const struct json_value *listener = json_value_at(json_value_get(balancer, "listeners"), 0);
    assert_string_equal(json_value_get_text(listener, "name"), "http");
    const struct json_value *pool = json_value_at(json_value_get(listener, "pools"), 0);
    assert_string_equal(json_value_get_text(pool, "name"), "workers");
    assert_string_equal(json_value_get_text(json_value_get(pool, "health_monitor"), "type"),
                        "HTTP");
    assert_int_equal(json_value_count(json_value_get(pool, "members")), 2);
    api_answer_free(&answer);
}

static void keys_stand_in_octavias_order(void **state)
{
    static const char *const expected[] = {"id",
                                           "name",
                                           "description",
                                           "provisioning_status",
                                           "operating_status",
                                           "admin_state_up",
                                           "project_id",
                                           "created_at",
                                           "updated_at",
                                           "vip_address",
                                           "vip_port_id",
                                           "vip_subnet_id",
                                           "vip_network_id"};
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("GET", LBAAS "/loadbalancers/", guide.balancer, "", NULL);
    const struct json_value *object = json_value_get(answer.json, "loadbalancer");
    void *at = json_value_first(object);
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        assert_string_equal(json_value_key(at), expected[i]);
        assert_false(json_value_is_null(json_value_of(at)));
        at = json_value_next(object, at);
    }
    const struct json_value *stub = json_value_at(json_value_get(object, "listeners"), 0);
    assert_string_equal(json_value_get_text(stub, "id"), guide.listener);
    assert_string_equal(json_value_get_text(object, "tenant_id"),
                        json_value_get_text(object, "project_id"));
    assert_non_null(api_field(&answer, "X-Openstack-Request-Id"));
    api_answer_free(&answer);
}

static void a_pool_shows_its_listener_members_and_monitor(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer = call_id("GET", LBAAS "/pools/", guide.pool, "", NULL);
    const struct json_value *pool = json_value_get(answer.json, "pool");
    assert_string_equal(json_value_get_text(pool, "healthmonitor_id"), guide.monitor);
    assert_string_equal(
        json_value_get_text(json_value_at(json_value_get(pool, "listeners"), 0), "id"),
        guide.listener);
    assert_int_equal(json_value_count(json_value_get(pool, "members")), 2);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/listeners/", guide.listener, "", NULL);
    assert_string_equal(
        json_value_get_text(json_value_get(answer.json, "listener"), "default_pool_id"),
        guide.pool);
    api_answer_free(&answer);
}

static void a_change_is_answered_with_the_new_value(void **state)
{
    struct guide guide = play_guide();
    char path[160];
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members/%s", guide.pool, guide.first);
    struct api_answer answer = api_call(&fixture, "PUT", path, "{\"member\":{\"weight\":5}}");
    assert_int_equal(answer.status, 200);
    assert_int_equal(
        json_value_number(json_value_get(json_value_get(answer.json, "member"), "weight")), 5);
    assert_non_null(api_field(&answer, "X-Lbnode-Change"));
    assert_string_equal(api_field(&answer, "X-Lbnode-Replicated"), "0/1");
    api_answer_free(&answer);
}

static void the_author_is_the_user_of_the_socket(void **state)
{
    char expected[32];
    play_guide();
    snprintf(expected, sizeof(expected), "uid:%u", (unsigned)getuid());
    assert_string_equal(fake_replication_last_author(fixture.state.replication),
                        getuid() == 0 ? "root" : expected);
}

static void cascade_takes_everything_along(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("DELETE", LBAAS "/loadbalancers/", guide.balancer, "", NULL);
    assert_int_equal(answer.status, 400);
    assert_non_null(strstr(api_fault(&answer), "it has children"));
    api_answer_free(&answer);
    answer = call_id("DELETE", LBAAS "/loadbalancers/", guide.balancer, "?cascade=True", NULL);
    assert_int_equal(answer.status, 204);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/loadbalancers/", guide.balancer, "", NULL);
    assert_int_equal(answer.status, 404);
    api_answer_free(&answer);
    answer = api_call(&fixture, "GET", LBAAS "/pools", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "pools")), 0);
    api_answer_free(&answer);
}

static void lists_are_looked_up_by_name(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer = api_call(&fixture, "GET", LBAAS "/listeners?name=http", NULL);
    const struct json_value *list = json_value_get(answer.json, "listeners");
    assert_int_equal(json_value_count(list), 1);
    assert_string_equal(json_value_get_text(json_value_at(list, 0), "id"), guide.listener);
    assert_int_equal(json_value_count(json_value_get(answer.json, "listeners_links")), 0);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/pools?loadbalancer_id=", guide.balancer, "", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "pools")), 1);
    api_answer_free(&answer);
    answer = api_call(&fixture, "GET", LBAAS "/pools?colour=red", NULL);
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
}

static void a_batch_replaces_the_members(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("PUT", LBAAS "/pools/", guide.pool, "/members",
                "{\"members\":[{\"address\":\"10.77.0.21\",\"protocol_port\":80,\"weight\":9},"
                "{\"address\":\"10.77.0.23\",\"protocol_port\":80}]}");
    assert_int_equal(answer.status, 202);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/pools/", guide.pool, "/members?sort=address", NULL);
    const struct json_value *list = json_value_get(answer.json, "members");
    assert_int_equal(json_value_count(list), 2);
    assert_string_equal(json_value_get_text(json_value_at(list, 0), "id"), guide.first);
    assert_int_equal(json_value_number(json_value_get(json_value_at(list, 0), "weight")), 9);
    assert_string_equal(json_value_get_text(json_value_at(list, 1), "address"), "10.77.0.23");
    api_answer_free(&answer);
    answer = call_id("PUT", LBAAS "/pools/", guide.pool, "/members?additive_only=True",
                     "{\"members\":[{\"address\":\"10.77.0.24\",\"protocol_port\":80}]}");
    assert_int_equal(answer.status, 202);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/pools/", guide.pool, "/members", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "members")), 3);
    api_answer_free(&answer);
}

static void one_call_creates_a_whole_tree(void **state)
{
    static const char body[] =
        "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\",\"flavor_id\":"
        "null,"
        "\"listeners\":[{\"name\":\"http\",\"protocol\":\"HTTP\",\"protocol_port\":80,"
        "\"default_pool\":{\"name\":\"workers\",\"protocol\":\"HTTP\",\"lb_algorithm\":"
        "\"ROUND_ROBIN\",\"members\":[{\"address\":\"10.77.0.21\",\"protocol_port\":80},"
        "{\"address\":\"10.77.0.22\",\"protocol_port\":80}],\"healthmonitor\":{\"type\":"
        "\"TCP\","
        "\"delay\":5,\"timeout\":3,\"max_retries\":2}}},"
        "{\"name\":\"second\",\"protocol\":\"HTTP\",\"protocol_port\":81,\"default_pool\":"
        "{\"name\":\"workers\"}}]}}";
    struct api_answer answer = api_call(&fixture, "POST", LBAAS "/loadbalancers", body);
    if (answer.status != 201)
        fail_msg("%d %s", answer.status, text_string(&answer.body));
    const struct json_value *balancer = json_value_get(answer.json, "loadbalancer");
    const struct json_value *pool = json_value_at(json_value_get(balancer, "pools"), 0);
    assert_int_equal(json_value_count(json_value_get(balancer, "listeners")), 2);
    assert_int_equal(json_value_count(json_value_get(balancer, "pools")), 1);
    assert_int_equal(json_value_count(json_value_get(pool, "members")), 2);
    assert_string_equal(json_value_get_text(json_value_get(pool, "healthmonitor"), "type"),
                        "TCP");
    assert_int_equal(fake_replication_submissions(fixture.state.replication), 1);
    api_answer_free(&answer);
    answer = api_call(&fixture, "POST", LBAAS "/loadbalancers", body);
    assert_int_equal(answer.status, 409);
    assert_int_equal(fake_replication_submissions(fixture.state.replication), 1);
    api_answer_free(&answer);
}

static void repeating_a_change_id_changes_nothing_twice(void **state)
{
    static const char fields[] = "X-Lbnode-Change-Id: 11111111-2222-4333-8444-555555555555\r\n";
    static const char body[] =
        "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}}";
    struct api_answer first =
        api_call_with(&fixture, "POST", LBAAS "/loadbalancers", fields, body);
    struct api_answer second =
        api_call_with(&fixture, "POST", LBAAS "/loadbalancers", fields, body);
    assert_int_equal(first.status, 201);
    assert_int_equal(second.status, 201);
    assert_string_equal(json_value_get_text(json_value_get(first.json, "loadbalancer"), "id"),
                        json_value_get_text(json_value_get(second.json, "loadbalancer"), "id"));
    assert_int_equal(fake_replication_submissions(fixture.state.replication), 1);
    api_answer_free(&first);
    api_answer_free(&second);
}

static void the_first_change_starts_a_cluster(void **state)
{
    struct api_answer answer =
        api_call(&fixture, "POST", LBAAS "/loadbalancers",
                 "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}}");
    assert_int_equal(answer.status, 201);
    assert_non_null(strstr(api_field(&answer, "X-Lbnode-Note"), "started a new one"));
    api_answer_free(&answer);
    answer = api_call(&fixture, "POST", LBAAS "/loadbalancers",
                      "{\"loadbalancer\":{\"name\":\"b\",\"vip_address\":\"10.77.0.101\"}}");
    assert_null(strstr(api_field(&answer, "X-Lbnode-Note"), "started a new one"));
    api_answer_free(&answer);
}

/* ---- bad input -----------------------------------------------------------------------------
 */

struct refusal {
    const char *method, *path,
        *body; /* $0: the load balancer, $1: the listener, $2: the pool */
    int status;
    const char *error, *says;
};

static void check_refusal(const struct guide *guide, const struct refusal *refusal)
{
    struct text body = {0}, path = {0};
    size_t before = fake_replication_submissions(fixture.state.replication);
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
        api_call(&fixture, refusal->method, text_string(&path), text_string(&body));
    if (answer.status != refusal->status || !strstr(api_fault(&answer), refusal->says))
        fail_msg("%s %s %s: %d %s", refusal->method, text_string(&path), text_string(&body),
                 answer.status, text_string(&answer.body));
    assert_string_equal(json_value_get_text(answer.json, "faultcode"), "Client");
    assert_string_equal(api_field(&answer, "X-Lbnode-Error"), refusal->error);
    assert_int_equal(fake_replication_submissions(fixture.state.replication), before);
    api_answer_free(&answer);
    text_free(&body);
    text_free(&path);
}

static void bad_input_gets_a_sentence_and_changes_nothing(void **state)
{
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
        {"POST", LBAAS "/listeners",
         "{\"listener\":{\"protocol\":\"HTTP\",\"protocol_port\":82}}", 400, "INVALID",
         "loadbalancer_id. Value: 'None'. Mandatory field missing."},
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
        {"PUT", LBAAS "/listeners/$1", "{\"listener\":{\"protocol_port\":8080}}", 400,
         "INVALID", "Unknown attribute for argument listener.listener: protocol_port"},
        {"PUT", LBAAS "/pools/$2/members",
         "{\"members\":[{\"address\":\"10.77.0.21\",\"protocol_port\":80},"
         "{\"address\":\"10.77.0.21\",\"protocol_port\":80}]}",
         400, "INVALID", "stands twice"},
        {"PUT", LBAAS "/pools/$2/members",
         "{\"members\":[{\"address\":\"10.77.0.21\",\"protocol_port\":80,\"weight\":257}]}",
         400, "INVALID", "weight"},
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
    int fd = api_connect(&fixture);
    api_send(&fixture, fd, body.data, body.length);
    struct api_answer answer = api_receive(&fixture, fd);
    assert_int_equal(answer.status, 413);
    assert_non_null(strstr(api_fault(&answer), "4 MiB"));
    assert_string_equal(api_field(&answer, "X-Lbnode-Error"), "TOO_LARGE");
    api_answer_free(&answer);
    close(fd);
    text_free(&body);
    free(filler);
    answer = api_call(&fixture, "GET", LBAAS "/loadbalancers", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "loadbalancers")), 0);
    api_answer_free(&answer);
}

static void pages_of_other_sites_change_nothing(void **state)
{
    static const char body[] =
        "{\"loadbalancer\":{\"name\":\"x\",\"vip_address\":\"10.0.0.1\"}}";
    struct api_answer answer = api_call_with(&fixture, "POST", LBAAS "/loadbalancers",
                                             "Origin: http://evil.example\r\n", body);
    assert_int_equal(answer.status, 403);
    assert_int_equal(fake_replication_submissions(fixture.state.replication), 0);
    api_answer_free(&answer);
    answer = api_call_with(&fixture, "POST", LBAAS "/loadbalancers",
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
        fake_replication_refuse(fixture.state.replication, cases[i].kind);
        struct api_answer answer =
            api_call(&fixture, "POST", LBAAS "/loadbalancers",
                     "{\"loadbalancer\":{\"name\":\"x\",\"vip_address\":\"10.0.0.1\"}}");
        assert_int_equal(answer.status, cases[i].status);
        assert_string_equal(api_field(&answer, "X-Lbnode-Error"), cases[i].name);
        assert_string_equal(api_fault(&answer), "refused by the test");
        api_answer_free(&answer);
    }
}

/* ---- lbnode's own --------------------------------------------------------------------------
 */

static void the_status_names_what_is_wrong(void **state)
{
    play_guide();
    fake_replication_set_peer(fixture.state.replication, "lb2", PEER_IS_UNREACHABLE);
    struct api_answer answer = api_call(&fixture, "GET", "/v1/status", NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(json_value_get_text(answer.json, "health"), "degraded");
    const struct json_value *problems = json_value_get(answer.json, "problems");
    assert_string_equal(json_value_text(json_value_at(problems, 0)),
                        "node lb2 does not answer");
    const struct json_value *balancer =
        json_value_at(json_value_get(answer.json, "loadbalancers"), 0);
    assert_string_equal(json_value_get_text(balancer, "vip_address"), "10.77.0.100");
    assert_string_equal(json_value_get_text(json_value_get(answer.json, "cluster"), "name"),
                        "lb1");
    api_answer_free(&answer);
}

static void a_listener_that_cannot_bind_is_an_error(void **state)
{
    struct guide guide = play_guide();
    struct binding_state *binding = &fixture.state.bindings[0];
    assert_true(ip_endpoint_parse("10.77.0.100:80", 0, &binding->endpoint));
    binding->error_number = 98;
    fixture.state.binding_count = 1;
    struct api_answer answer = call_id("GET", LBAAS "/listeners/", guide.listener, "", NULL);
    assert_string_equal(
        json_value_get_text(json_value_get(answer.json, "listener"), "operating_status"),
        "ERROR");
    api_answer_free(&answer);
    answer = api_call(&fixture, "GET", "/v1/status", NULL);
    assert_string_equal(json_value_get_text(answer.json, "health"), "error");
    api_answer_free(&answer);
}

static void waiting_for_events_ends_with_the_next_one(void **state)
{
    event_ring_add(fixture.state.events, EVENT_NODE_STARTED, PROCESS_SUPERVISOR, 1000, "first");
    struct api_answer answer = api_call(&fixture, "GET", "/v1/events?after=0", NULL);
    assert_int_equal(json_value_number(json_value_get(answer.json, "last")), 1);
    api_answer_free(&answer);

    static const char request[] = "GET /v1/events?after=1&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = api_connect(&fixture);
    api_send(&fixture, fd, request, sizeof(request) - 1);
    for (int i = 0; i < 20; i++)
        loop_turn(fixture.loop, false);
    event_ring_add(fixture.state.events, EVENT_VIP_ACTIVE, PROCESS_VRRP, 2000, "second");
    answer = api_receive(&fixture, fd);
    const struct json_value *event = json_value_at(json_value_get(answer.json, "events"), 0);
    assert_string_equal(json_value_get_text(event, "code"), "VIP_ACTIVE");
    assert_string_equal(json_value_get_text(event, "process"), "vrrp");
    assert_string_equal(json_value_get_text(event, "text"), "second");
    api_answer_free(&answer);
    close(fd);
}

static void a_client_that_hangs_up_while_waiting_is_forgotten(void **state)
{
    static const char request[] = "GET /v1/events?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
    for (int i = 0; i < 200; i++) {
        int fd = api_connect(&fixture);
        api_send(&fixture, fd, request, sizeof(request) - 1);
        loop_turn(fixture.loop, false);
        loop_turn(fixture.loop, false);
        close(fd);
        loop_turn(fixture.loop, false);
    }
    struct api_answer answer = api_call(&fixture, "GET", "/healthz", NULL);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    static const char requests[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /nosuch HTTP/1.1\r\nHost: a\r\nConnection: close"
                                   "\r\n\r\n";
    int fd = api_connect(&fixture);
    api_send(&fixture, fd, requests, sizeof(requests) - 1);
    char all[4096] = "";
    size_t used = 0;
    for (int i = 0; i < 2000 && !strstr(all, "could not be found"); i++) {
        loop_turn(fixture.loop, false);
        ssize_t size = read(fd, all + used, sizeof(all) - used - 1);
        used += size > 0 ? (size_t)size : 0;
    }
    const char *first = strstr(all, "200 OK"), *second = strstr(all, "404 Not Found");
    assert_true(first && second && first < second);
    assert_true(api_is_closed(&fixture, fd));
    close(fd);
}

static void more_clients_than_there_is_room_for_are_told_so(void **state)
{
    int fds[64];
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
        fds[i] = api_connect(&fixture);
        loop_turn(fixture.loop, false);
    }
    int late = api_connect(&fixture);
    struct api_answer answer = api_receive(&fixture, late);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(api_fault(&answer), "too many clients"));
    api_answer_free(&answer);
    close(late);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
    loop_turn(fixture.loop, false);
    answer = api_call(&fixture, "GET", "/healthz", NULL);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
}

static void a_body_may_come_in_chunks_after_a_go_ahead(void **state)
{
    static const char head[] = "POST " LBAAS "/loadbalancers HTTP/1.1\r\nHost: a\r\n"
                               "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    static const char body[] = "1c\r\n{\"loadbalancer\":{\"name\":\"x\",\r\n"
                               "1d\r\n\"vip_address\":\"10.77.0.105\"}}\r\n0\r\n\r\n";
    char go_ahead[64] = "";
    int fd = api_connect(&fixture);
    api_send(&fixture, fd, head, sizeof(head) - 1);
    for (int i = 0; i < 1000 && !go_ahead[0]; i++) {
        loop_turn(fixture.loop, false);
        if (recv(fd, go_ahead, sizeof(go_ahead) - 1, MSG_DONTWAIT) < 0)
            go_ahead[0] = '\0';
    }
    assert_string_equal(go_ahead, "HTTP/1.1 100 Continue\r\n\r\n");
    api_send(&fixture, fd, body, sizeof(body) - 1);
    struct api_answer answer = api_receive(&fixture, fd);
    assert_int_equal(answer.status, 201);
    api_answer_free(&answer);
    close(fd);
}

static void a_malformed_request_is_refused_and_the_connection_closed(void **state)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n";
    int fd = api_connect(&fixture);
    api_send(&fixture, fd, request, sizeof(request) - 1);
    struct api_answer answer = api_receive(&fixture, fd);
    assert_int_equal(answer.status, 400);
    assert_string_equal(json_value_get_text(answer.json, "faultcode"), "Client");
    api_answer_free(&answer);
    assert_true(api_is_closed(&fixture, fd));
    close(fd);
}

static void a_document_is_applied_and_exported(void **state)
{
    static const char body[] =
        "{\"document\":{\"loadbalancers\":[{\"name\":\"web\",\"vip_address\":\"10.77.0.100\","
        "\"listeners\":[{\"name\":\"http\",\"protocol\":\"HTTP\",\"protocol_port\":80,"
        "\"default_pool\":\"workers\"}],\"pools\":[{\"name\":\"workers\",\"protocol\":\"HTTP\","
        "\"lb_algorithm\":\"ROUND_ROBIN\",\"members\":[{\"name\":\"w1\",\"address\":"
        "\"10.77.0.21\",\"protocol_port\":80}]}]}]}%s}";
    char text[1024];
    snprintf(text, sizeof(text), body, ",\"dry_run\":true");
    struct api_answer answer = api_call(&fixture, "POST", "/v1/apply", text);
    if (answer.status != 200)
        fail_msg("%s", text_string(&answer.body));
    const struct json_value *apply = json_value_get(answer.json, "apply");
    assert_int_equal(json_value_count(json_value_get(apply, "changes")), 4);
    assert_false(json_value_truth(json_value_get(apply, "applied")));
    assert_int_equal(fake_replication_submissions(fixture.state.replication), 0);
    api_answer_free(&answer);
    snprintf(text, sizeof(text), body, "");
    answer = api_call(&fixture, "POST", "/v1/apply", text);
    assert_true(
        json_value_truth(json_value_get(json_value_get(answer.json, "apply"), "applied")));
    assert_int_equal(fake_replication_submissions(fixture.state.replication), 1);
    api_answer_free(&answer);
    answer = api_call(&fixture, "POST", "/v1/apply", text);
    assert_int_equal(
        json_value_count(json_value_get(json_value_get(answer.json, "apply"), "changes")), 0);
    api_answer_free(&answer);
    answer = api_call(&fixture, "GET", "/v1/export", NULL);
    const struct json_value *document = json_value_get(answer.json, "document");
    assert_int_equal(json_value_count(json_value_get(document, "loadbalancers")), 1);
    api_answer_free(&answer);
}

/* The bytes of the facet that holds a member's weight. */
static void weight_facet(int64_t weight, struct change_set *out)
{
    struct resource *before = resource_new(RESOURCE_MEMBER);
    struct resource *after = resource_new(RESOURCE_MEMBER);
    ((struct member *)before)->weight = weight + 1;
    ((struct member *)after)->weight = weight;
    assert_int_equal(change_set_add_update(out, before, after), 1);
    resource_free(before);
    resource_free(after);
}

static void a_conflict_shows_both_values(void **state)
{
    struct guide guide = play_guide();
    struct change_set five = {0}, seven = {0};
    weight_facet(5, &five);
    weight_facet(7, &seven);
    struct conflict_entry entries[] = {
        {.value = {five.ops[0].value, five.ops[0].value_size},
         .wall_ms = 1,
         .node_id = *replication_node_id(fixture.state.replication),
         .author = "root",
         .is_active = true},
        {.value = {seven.ops[0].value, seven.ops[0].value_size}, .wall_ms = 2, .author = "bob"},
    };
    struct conflict_view conflict = {.type = RESOURCE_MEMBER,
                                     .facet = five.ops[0].facet,
                                     .entries = entries,
                                     .entry_count = 2};
    assert_true(uuid_parse(guide.first, &conflict.object_id));
    fake_replication_set_conflict(fixture.state.replication, &conflict);
    struct api_answer answer = api_call(&fixture, "GET", "/v1/conflicts", NULL);
    const struct json_value *shown = json_value_at(json_value_get(answer.json, "conflicts"), 0);
    assert_string_equal(json_value_get_text(shown, "object_type"), "member");
    assert_string_equal(json_value_get_text(shown, "object_name"), "w1");
    assert_string_equal(json_value_text(json_value_at(json_value_get(shown, "attributes"), 0)),
                        "weight");
    for (size_t i = 0; i < 2; i++) {
        const struct json_value *entry = json_value_at(json_value_get(shown, "entries"), i);
        const struct json_value *values = json_value_get(entry, "values");
        assert_int_equal(json_value_number(json_value_get(values, "weight")), i == 0 ? 5 : 7);
        assert_int_equal(json_value_truth(json_value_get(entry, "active")), i == 0);
        assert_string_equal(json_value_get_text(entry, "author"), i == 0 ? "root" : "bob");
        if (i == 0)
            assert_string_equal(json_value_get_text(entry, "node"), "lb1");
    }
    api_answer_free(&answer);
    change_set_free(&five);
    change_set_free(&seven);
}

static void clusters_tokens_and_nodes(void **state)
{
    struct api_answer answer =
        api_call(&fixture, "POST", "/v1/cluster", "{\"cluster\":{\"name\":\"lab\"}}");
    assert_int_equal(answer.status, 201);
    const struct json_value *cluster = json_value_get(answer.json, "cluster");
    assert_string_equal(json_value_get_text(cluster, "name"), "lab");
    assert_string_equal(json_value_get_text(cluster, "recovery_code"), "recovery-code");
    assert_string_equal(json_value_get_text(cluster, "join_token"), "token-900");
    api_answer_free(&answer);
    answer = api_call(&fixture, "POST", "/v1/tokens", "{\"token\":{\"ttl_s\":60}}");
    assert_string_equal(json_value_get_text(json_value_get(answer.json, "token"), "token"),
                        "token-60");
    api_answer_free(&answer);
    answer = api_call(&fixture, "GET", "/v1/nodes", NULL);
    const struct json_value *node = json_value_at(json_value_get(answer.json, "nodes"), 0);
    assert_string_equal(json_value_get_text(node, "name"), "lb1");
    assert_true(json_value_truth(json_value_get(node, "self")));
    api_answer_free(&answer);
    answer = api_call(&fixture, "GET", "/v1/vrrp_groups?name=default", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "vrrp_groups")), 1);
    api_answer_free(&answer);
}

static void every_get_without_id_answers(void **state)
{
    static const char *const paths[] = {"/",
                                        "/v2",
                                        "/v2.0",
                                        "/v2/lbaas",
                                        LBAAS "/providers",
                                        LBAAS "/flavors",
                                        LBAAS "/quotas/x",
                                        "/v2.0/subnets?name=vip-subnet",
                                        "/v2.0/networks",
                                        "/v2.0/ports",
                                        "/v2.0/security-groups",
                                        "/v1/schema",
                                        "/v1/cluster",
                                        "/v1/conflicts",
                                        "/v1/export",
                                        "/metrics",
                                        "/healthz"};
    play_guide();
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct api_answer answer = api_call(&fixture, "GET", paths[i], NULL);
        if (answer.status != 200)
            fail_msg("%s: %d %s", paths[i], answer.status, text_string(&answer.body));
        api_answer_free(&answer);
    }
}

static void versions_link_to_the_host_that_was_asked(void **state)
{
    struct api_answer answer = api_call(&fixture, "GET", "/", NULL);
    const struct json_value *versions = json_value_get(answer.json, "versions");
    const struct json_value *last = json_value_at(versions, json_value_count(versions) - 1);
    assert_string_equal(json_value_get_text(last, "id"), "v2.16");
    assert_string_equal(json_value_get_text(last, "status"), "CURRENT");
    assert_string_equal(
        json_value_get_text(json_value_at(json_value_get(last, "links"), 0), "href"),
        "http://lb.example:9876/v2");
    api_answer_free(&answer);
}

static void the_vip_port_and_subnet_can_be_looked_up(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("GET", LBAAS "/loadbalancers/", guide.balancer, "", NULL);
    const struct json_value *balancer = json_value_get(answer.json, "loadbalancer");
    char path[128], subnet[40];
    snprintf(path, sizeof(path), "/v2.0/ports/%s",
             json_value_get_text(balancer, "vip_port_id"));
    snprintf(subnet, sizeof(subnet), "%s", json_value_get_text(balancer, "vip_subnet_id"));
    api_answer_free(&answer);
    answer = api_call(&fixture, "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    answer = api_call(&fixture, "GET", "/v2.0/subnets?name=vip-subnet", NULL);
    const struct json_value *first = json_value_at(json_value_get(answer.json, "subnets"), 0);
    assert_string_equal(json_value_get_text(first, "id"), subnet);
    assert_string_equal(json_value_get_text(first, "cidr"), "10.77.0.0/24");
    api_answer_free(&answer);
}

#define API_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(the_guide_can_be_played),
        API_TEST(keys_stand_in_octavias_order),
        API_TEST(a_pool_shows_its_listener_members_and_monitor),
        API_TEST(a_change_is_answered_with_the_new_value),
        API_TEST(the_author_is_the_user_of_the_socket),
        API_TEST(cascade_takes_everything_along),
        API_TEST(lists_are_looked_up_by_name),
        API_TEST(a_batch_replaces_the_members),
        API_TEST(one_call_creates_a_whole_tree),
        API_TEST(repeating_a_change_id_changes_nothing_twice),
        API_TEST(the_first_change_starts_a_cluster),
        API_TEST(bad_input_gets_a_sentence_and_changes_nothing),
        API_TEST(a_body_of_ten_megabytes_is_refused),
        API_TEST(pages_of_other_sites_change_nothing),
        API_TEST(refusals_of_replication_reach_the_client),
        API_TEST(the_status_names_what_is_wrong),
        API_TEST(a_listener_that_cannot_bind_is_an_error),
        API_TEST(waiting_for_events_ends_with_the_next_one),
        API_TEST(a_client_that_hangs_up_while_waiting_is_forgotten),
        API_TEST(pipelined_requests_are_answered_in_order),
        API_TEST(more_clients_than_there_is_room_for_are_told_so),
        API_TEST(a_body_may_come_in_chunks_after_a_go_ahead),
        API_TEST(a_malformed_request_is_refused_and_the_connection_closed),
        API_TEST(a_document_is_applied_and_exported),
        API_TEST(a_conflict_shows_both_values),
        API_TEST(clusters_tokens_and_nodes),
        API_TEST(every_get_without_id_answers),
        API_TEST(versions_link_to_the_host_that_was_asked),
        API_TEST(the_vip_port_and_subnet_can_be_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
