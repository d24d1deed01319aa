#include "lbnode/base/yaml_value.h"
#include "tests/unit/model/raw_state.h"

#include <time.h>

static const char example[] = "loadbalancers:\n"
                              "- name: web\n"
                              "  vip_address: 10.77.0.100\n"
                              "  vrrp_group: second\n"
                              "  listeners:\n"
                              "  - name: http\n"
                              "    protocol: HTTP\n"
                              "    protocol_port: 80\n"
                              "    default_pool: workers\n"
                              "    insert_headers:\n"
                              "      X-Forwarded-For: 'true'\n"
                              "  pools:\n"
                              "  - name: workers\n"
                              "    protocol: HTTP\n"
                              "    lb_algorithm: ROUND_ROBIN\n"
                              "    members:\n"
                              "    - name: w1\n"
                              "      address: 10.77.0.21\n"
                              "      protocol_port: 80\n"
                              "    - name: w2\n"
                              "      address: 10.77.0.22\n"
                              "      protocol_port: 80\n"
                              "      weight: 3\n"
                              "    healthmonitor:\n"
                              "      type: HTTP\n"
                              "      delay: 5\n"
                              "      timeout: 3\n"
                              "      max_retries: 3\n"
                              "vrrp_groups:\n"
                              "- name: second\n"
                              "  vrid: 52\n";

static struct json_value *yaml(const char *text)
{
    struct error error = {0};
    struct json_value *value = yaml_value_parse(text, strlen(text), &error);
    if (!value)
        fail_msg("%s", error.text);
    return value;
}

/* Plans DOCUMENT on STATE and applies the plan; returns the number of steps. */
static size_t apply(struct raw_state *state, const struct json_value *document, bool prune)
{
    struct error error = {0};
    struct document_plan plan;
    struct configuration *configuration = raw_state_project(state);
    if (!configuration_plan_document(configuration, document, prune, NULL, &plan, &error))
        fail_msg("%s", error.text);
    size_t steps = plan.step_count;
    assert_int_equal(steps == 0, plan.changes->count == 0);
    raw_state_apply(state, plan.changes);
    document_plan_free(&plan);
    configuration_free(configuration);
    return steps;
}

static size_t apply_yaml(struct raw_state *state, const char *text, bool prune)
{
    struct json_value *document = yaml(text);
    size_t steps = apply(state, document, prune);
    json_value_free(document);
    return steps;
}

static char *export_text(const struct raw_state *state)
{
    struct configuration *configuration = raw_state_project(state);
    struct json_value *document = configuration_export(configuration);
    char *text = yaml_value_print(document);
    json_value_free(document);
    configuration_free(configuration);
    return text;
}

static void assert_export(const struct raw_state *state, const char *expected)
{
    char *text = export_text(state);
    assert_string_equal(text, expected);
    free(text);
}

/* What the text means, whatever the quotes and the order of keys. */
static void assert_same_document(const char *a, const char *b)
{
    struct raw_state *left = raw_state_new(), *right = raw_state_new();
    apply_yaml(left, a, false);
    apply_yaml(right, b, false);
    char *text = export_text(left);
    assert_export(right, text);
    free(text);
    raw_state_free(left);
    raw_state_free(right);
}

static void a_document_creates_what_it_says(void **context)
{
    struct raw_state *state = raw_state_new();
    assert_int_equal(apply_yaml(state, example, false), 7);
    struct configuration *c = raw_state_project(state);
    struct error error = {0};
    const struct effective *web =
        configuration_lookup(c, RESOURCE_LOAD_BALANCER, NULL, "web", &error);
    assert_string_equal(
        configuration_group_of(c, (const struct load_balancer *)web->resource)->resource.name,
        "second");
    const struct effective *http =
        configuration_child(c, &web->resource->id, RESOURCE_LISTENER, 0);
    const struct effective *workers =
        configuration_child(c, &web->resource->id, RESOURCE_POOL, 0);
    assert_true(uuid_equal(&((const struct listener *)http->resource)->default_pool_id,
                           &workers->resource->id));
    assert_int_equal(configuration_monitor_of(c, &workers->resource->id)->delay, 5);
    assert_int_equal(
        ((const struct member *)configuration_lookup(c, RESOURCE_MEMBER, NULL, "w2", &error)
             ->resource)
            ->weight,
        3);
    for (size_t i = 0; configuration_at(c, RESOURCE_MEMBER, i); i++)
        assert_true(configuration_at(c, RESOURCE_MEMBER, i)->effective);
    configuration_free(c);
    raw_state_free(state);
}

static void an_export_recreates_the_configuration(void **context)
{
    struct raw_state *state = raw_state_new(), *copy = raw_state_new();
    apply_yaml(state, example, false);
    char *text = export_text(state);
    apply_yaml(copy, text, false);
    assert_export(copy, text);
    assert_same_document(text, example);
    free(text);
    raw_state_free(state);
    raw_state_free(copy);
}

static void an_export_applied_to_itself_plans_nothing(void **context)
{
    struct raw_state *state = raw_state_new();
    raw_state_example(state);
    apply_yaml(state, example + 0, false);
    char *text = export_text(state);
    assert_int_equal(apply_yaml(state, text, false), 0);
    assert_int_equal(apply_yaml(state, text, true), 0);
    free(text);
    raw_state_free(state);
}

static void unnamed_objects_survive_the_round_trip(void **context)
{
    struct raw_state *state = raw_state_new(), *copy = raw_state_new();
    struct uuid web = raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL,
                                       "{'vip_address': '10.77.0.100', 'additional_vips': "
                                       "['fd77::100'], 'tags': ['a', 'b']}");
    struct uuid pool = raw_state_create(
        state, RESOURCE_POOL, &web, "{'protocol': 'TCP', 'lb_algorithm': 'LEAST_CONNECTIONS'}");
    char text[160], id[UUID_TEXT_SIZE];
    uuid_format(&pool, id);
    snprintf(text, sizeof(text),
             "{'protocol': 'TCP', 'protocol_port': 5432, 'default_pool_id': '%s'}", id);
    raw_state_create(state, RESOURCE_LISTENER, &web, text);
    raw_state_create(state, RESOURCE_MEMBER, &pool,
                     "{'address': 'fd77::1', 'protocol_port': 5432, 'backup': true}");
    raw_state_create(state, RESOURCE_MEMBER, &pool,
                     "{'name': 'twin', 'address': '10.0.0.1', 'protocol_port': 5432}");
    raw_state_create(state, RESOURCE_MEMBER, &pool,
                     "{'name': 'twin', 'address': '10.0.0.2', 'protocol_port': 5432}");
    char *exported = export_text(state);
    assert_int_equal(apply_yaml(state, exported, true), 0);
    assert_int_equal(apply_yaml(copy, exported, false), 6);
    assert_export(copy, exported);
    free(exported);
    raw_state_free(state);
    raw_state_free(copy);
}

static void only_what_differs_is_planned(void **context)
{
    struct raw_state *state = raw_state_new();
    struct error error = {0};
    struct document_plan plan;
    apply_yaml(state, example, false);
    struct json_value *document = yaml("loadbalancers:\n"
                                       "- name: web\n"
                                       "  vrrp_group: second\n"
                                       "  pools:\n"
                                       "  - name: workers\n"
                                       "    members:\n"
                                       "    - name: w2\n"
                                       "      weight: 5\n");
    struct configuration *c = raw_state_project(state);
    assert_true(configuration_plan_document(c, document, false, NULL, &plan, &error));
    assert_int_equal(plan.step_count, 1);
    assert_int_equal(plan.changes->count, 1);
    assert_int_equal(plan.steps[0].action, DOCUMENT_UPDATE);
    assert_string_equal(plan.steps[0].path, "loadbalancer web / pool workers / member w2");
    assert_string_equal(plan.steps[0].detail, "weight 3 -> 5");
    document_plan_free(&plan);
    configuration_free(c);
    json_value_free(document);
    raw_state_free(state);
}

static void an_attribute_that_is_left_out_returns_to_its_default(void **context)
{
    struct raw_state *state = raw_state_new();
    struct error error = {0};
    apply_yaml(state, example, false);
    apply_yaml(state,
               "loadbalancers:\n- name: web\n  pools:\n  - name: workers\n"
               "    members:\n    - name: w2\n",
               false);
    struct configuration *c = raw_state_project(state);
    const struct effective *w2 = configuration_lookup(c, RESOURCE_MEMBER, NULL, "w2", &error);
    assert_int_equal(((const struct member *)w2->resource)->weight, 1);
    configuration_free(c);
    raw_state_free(state);
}

static void prune_deletes_what_is_not_named_and_nothing_else_does(void **context)
{
    static const char smaller[] = "loadbalancers:\n"
                                  "- name: web\n"
                                  "  vip_address: 10.77.0.100\n"
                                  "  pools:\n"
                                  "  - name: workers\n"
                                  "    protocol: HTTP\n"
                                  "    lb_algorithm: ROUND_ROBIN\n"
                                  "    members:\n"
                                  "    - name: w1\n"
                                  "      address: 10.77.0.21\n"
                                  "      protocol_port: 80\n"
                                  "vrrp_groups: []\n";
    struct raw_state *state = raw_state_new();
    struct error error = {0};
    raw_state_create(state, RESOURCE_VRRP_GROUP, NULL, "{'name': 'default', 'vrid': 51}");
    apply_yaml(state, example, false);
    apply_yaml(state, smaller, false);
    struct configuration *c = raw_state_project(state);
    assert_non_null(configuration_lookup(c, RESOURCE_MEMBER, NULL, "w2", &error));
    configuration_free(c);
    apply_yaml(state, smaller, true);
    c = raw_state_project(state);
    assert_null(configuration_lookup(c, RESOURCE_MEMBER, NULL, "w2", &error));
    assert_null(configuration_lookup(c, RESOURCE_LISTENER, NULL, "http", &error));
    assert_null(configuration_at(c, RESOURCE_HEALTH_MONITOR, 0));
    assert_null(configuration_lookup(c, RESOURCE_VRRP_GROUP, NULL, "second", &error));
    assert_non_null(configuration_lookup(c, RESOURCE_VRRP_GROUP, NULL, "default", &error));
    assert_non_null(configuration_lookup(c, RESOURCE_MEMBER, NULL, "w1", &error));
    configuration_free(c);
    raw_state_free(state);
}

/* The port and the pool's name are free again for what the same document creates. */
static void prune_makes_room_for_replacements(void **context)
{
    struct raw_state *state = raw_state_new();
    struct error error = {0};
    apply_yaml(state, example, false);
    apply_yaml(state,
               "loadbalancers:\n- name: web\n  listeners:\n"
               "  - name: plain\n    protocol: TCP\n    protocol_port: 80\n"
               "    default_pool: others\n"
               "  pools:\n  - name: others\n    protocol: TCP\n"
               "    lb_algorithm: SOURCE_IP\n",
               true);
    struct configuration *c = raw_state_project(state);
    const struct effective *plain =
        configuration_lookup(c, RESOURCE_LISTENER, NULL, "plain", &error);
    assert_non_null(plain);
    assert_int_equal(plain->reason, REASON_NONE);
    assert_null(configuration_at(c, RESOURCE_LISTENER, 1));
    assert_null(configuration_at(c, RESOURCE_MEMBER, 0));
    configuration_free(c);
    raw_state_free(state);
}

struct bad_document {
    const char *text;
    const char *sentence;
};

#define WEB  "loadbalancers:\n- name: web\n"
#define POOL WEB "  pools:\n  - name: workers\n"

static const struct bad_document bad_documents[] = {
    {"listeners: []\n", "Unknown attribute for argument document: listeners; known are "
                        "loadbalancers, vrrp_groups and secrets"},
    {"loadbalancers: web\n", "Invalid input: loadbalancers must be a list"},
    {"loadbalancers:\n- web\n",
     "loadbalancer #1: Invalid input: a loadbalancer must be a mapping of attributes"},
    {WEB "  colour: red\n",
     "loadbalancer web: Unknown attribute for argument loadbalancer: colour"},
    {POOL "    members:\n    - name: w3\n      address: 10.0.0.3\n      protocol_port: 70000\n",
     "loadbalancer web / pool workers / member w3: Invalid input for field/attribute "
     "protocol_port. Value: '70000'. Value should be lower or equal to 65535"},
    {POOL "    members:\n    - address: 10.0.0.300\n      protocol_port: 80\n",
     "loadbalancer web / pool workers / member 10.0.0.300:80: Invalid input for "
     "field/attribute address. Value: '10.0.0.300'. Value should be IPv4 or IPv6 format"},
    {POOL "    members:\n    - name: w1\n      address: 10.0.0.3\n",
     "loadbalancer web / pool workers / member w1: Invalid input for field/attribute address. "
     "Value: '10.0.0.3'. It is 10.77.0.21 since the creation and cannot change; "
     "delete the member first."},
    {POOL "    members:\n    - name: w3\n      address: 10.77.0.21\n      protocol_port: 80\n",
     "loadbalancer web / pool workers / member w3: Another member on this pool is already "
     "using ip 10.77.0.21 on protocol_port 80"},
    {POOL "    members:\n    - name: w1\n    - name: w1\n",
     "loadbalancer web / pool workers / member w1: Invalid input: the document names it "
     "twice"},
    {WEB "  listeners:\n  - name: http\n    default_pool: nobody\n",
     "loadbalancer web / listener http: Pool nobody not found."},
    {WEB "  listeners:\n  - name: h2\n    protocol: TCP\n    protocol_port: 80\n",
     "loadbalancer web / listener h2: Another Listener on this Load Balancer is already using "
     "protocol HTTP and protocol_port 80"},
    {WEB "  pools:\n  - protocol: HTTP\n    lb_algorithm: ROUND_ROBIN\n",
     "loadbalancer web / pool #1: Invalid input for field/attribute name. Value: 'None'. "
     "Mandatory field missing."},
    {"loadbalancers:\n- name: new\n", "loadbalancer new: Invalid input for field/attribute "
                                      "vip_address. Value: 'None'. Mandatory field missing."},
    {"loadbalancers:\n- id: web\n", "loadbalancer web: Invalid input for field/attribute id. "
                                    "Value: 'web'. Value should be UUID format"},
};

static void a_mistake_is_named_with_its_place_and_changes_nothing(void **context)
{
    struct raw_state *state = raw_state_new();
    apply_yaml(state, example, false);
    struct configuration *c = raw_state_project(state);
    for (size_t i = 0; i < ARRAY_LENGTH(bad_documents); i++) {
        struct error error = {0};
        struct document_plan plan;
        struct json_value *document = yaml(bad_documents[i].text);
        assert_false(configuration_plan_document(c, document, false, NULL, &plan, &error));
        assert_string_equal(error.text, bad_documents[i].sentence);
        assert_int_not_equal(error.kind, ERROR_NONE);
        assert_null(plan.changes);
        json_value_free(document);
    }
    configuration_free(c);
    raw_state_free(state);
}

/* Each step is checked against what the earlier steps of the same document leave. */
static void a_document_cannot_contradict_itself(void **context)
{
    struct error error = {0};
    struct document_plan plan;
    struct raw_state *state = raw_state_new();
    struct configuration *c = raw_state_project(state);
    struct json_value *document = yaml("loadbalancers:\n"
                                       "- {name: a, vip_address: 10.0.0.1}\n"
                                       "- {name: b, vip_address: 10.0.0.1}\n");
    assert_false(configuration_plan_document(c, document, false, NULL, &plan, &error));
    assert_int_equal(error.kind, ERROR_CONFLICT);
    assert_non_null(strstr(error.text, "loadbalancer b: The VIP IP address is already in use"));
    json_value_free(document);
    configuration_free(c);
    raw_state_free(state);
}

static void thousands_of_members_take_no_quadratic_time(void **context)
{
    struct raw_state *state = raw_state_new();
    struct error error = {0};
    struct document_plan plan;
    apply_yaml(state, example, false);
    struct json_value *document = yaml(POOL "    members: []\n");
    struct json_value *pool = json_value_at(
        json_value_get(json_value_at(json_value_get(document, "loadbalancers"), 0), "pools"),
        0);
    struct json_value *members = json_value_get(pool, "members");
    for (int i = 0; i < 8000; i++) {
        struct json_value *member = json_value_object();
        char address[32];
        snprintf(address, sizeof(address), "10.1.%d.%d", i / 250, i % 250);
        json_value_set_text(member, "address", address);
        json_value_set_number(member, "protocol_port", 80);
        json_value_append(members, member);
    }
    struct configuration *c = raw_state_project(state);
    clock_t started = clock();
    assert_true(configuration_plan_document(c, document, true, NULL, &plan, &error));
    assert_true(clock() - started < 10 * CLOCKS_PER_SEC);
    raw_state_apply(state, plan.changes);
    document_plan_free(&plan);
    configuration_free(c);
    c = raw_state_project(state);
    started = clock();
    struct json_value *exported = configuration_export(c);
    assert_true(clock() - started < 2 * CLOCKS_PER_SEC);
    json_value_free(exported);
    configuration_free(c);
    json_value_free(document);
    raw_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_creates_what_it_says),
        cmocka_unit_test(an_export_recreates_the_configuration),
        cmocka_unit_test(an_export_applied_to_itself_plans_nothing),
        cmocka_unit_test(unnamed_objects_survive_the_round_trip),
        cmocka_unit_test(only_what_differs_is_planned),
        cmocka_unit_test(an_attribute_that_is_left_out_returns_to_its_default),
        cmocka_unit_test(prune_deletes_what_is_not_named_and_nothing_else_does),
        cmocka_unit_test(prune_makes_room_for_replacements),
        cmocka_unit_test(a_mistake_is_named_with_its_place_and_changes_nothing),
        cmocka_unit_test(a_document_cannot_contradict_itself),
        cmocka_unit_test(thousands_of_members_take_no_quadratic_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
