#include "tests/unit/admin/api_guide.h"

#include "tests/support/test.h"

#include <stdio.h>

struct api_fixture *api_guide_node(void)
{
    static struct api_fixture node;
    return &node;
}

static void on_event(void *context, enum event_code code, const char *text)
{
    event_ring_add(api_guide_node()->state.events, code, PROCESS_CONTROL, 1000, text);
}

int api_guide_setup(void **state)
{
    const struct replication_handler handler = {
        .applied = api_fixture_applied, .event = on_event, .context = api_guide_node()};
    api_fixture_prepare(api_guide_node());
    api_guide_node()->state.replication =
        fake_replication_new(api_guide_node()->loop, "lb1", &handler);
    api_fixture_serve(api_guide_node());
    return 0;
}

int api_guide_teardown(void **state)
{
    api_fixture_stop(api_guide_node());
    fake_replication_free(api_guide_node()->state.replication);
    loop_free(api_guide_node()->loop);
    return 0;
}

/* POSTs BODY and returns the id of the new object. */
static const char *create(const char *path, const char *root, const char *body, char id[40])
{
    struct api_answer answer = api_call(api_guide_node(), "POST", path, body);
    if (answer.status != 201)
        fail_msg("%s %s: %d %s", path, body, answer.status, text_string(&answer.body));
    const struct json_value *object = json_value_get(answer.json, root);
    assert_string_equal(json_value_get_text(object, "provisioning_status"), "ACTIVE");
    snprintf(id, 40, "%s", json_value_get_text(object, "id"));
    api_answer_free(&answer);
    return id;
}

struct guide play_guide(void)
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

struct api_answer call_id(const char *method,
                          const char *prefix,
                          const char *id,
                          const char *suffix,
                          const char *body)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s%s", prefix, id, suffix);
    return api_call(api_guide_node(), method, path, body);
}
