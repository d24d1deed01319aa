#include "tests/unit/model/raw_state.h"

struct scene {
    struct raw_state *state;
    struct example_ids ids;
    struct configuration *configuration;
};

static struct scene scene_open(void)
{
    struct scene scene = {.state = raw_state_new()};
    scene.ids = raw_state_example(scene.state);
    scene.configuration = raw_state_project(scene.state);
    return scene;
}

static void scene_close(struct scene *scene)
{
    configuration_free(scene->configuration);
    raw_state_free(scene->state);
}

static void assert_refused(const struct scene *scene,
                           enum resource_type type,
                           const struct uuid *owner,
                           const char *text,
                           enum error_kind kind,
                           const char *sentence)
{
    struct error error = {0};
    struct resource *resource = described(type, owner, text);
    if (configuration_check_create(scene->configuration, resource, &error))
        fail_msg("%s is accepted", text);
    assert_string_equal(error.text, sentence);
    assert_int_equal(error.kind, kind);
    resource_free(resource);
}

static void assert_accepted(const struct scene *scene,
                            enum resource_type type,
                            const struct uuid *owner,
                            const char *text)
{
    struct error error = {0};
    struct resource *resource = described(type, owner, text);
    if (!configuration_check_create(scene->configuration, resource, &error))
        fail_msg("%s: %s", text, error.text);
    resource_free(resource);
}

static void what_claims_nothing_taken_may_be_created(void **context)
{
    struct scene scene = scene_open();
    assert_accepted(&scene, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': '10.77.0.101'}");
    assert_accepted(&scene, RESOURCE_LISTENER, &scene.ids.web,
                    "{'protocol': 'TCP', 'protocol_port': 81}");
    assert_accepted(&scene, RESOURCE_MEMBER, &scene.ids.workers,
                    "{'address': '10.77.0.21', 'protocol_port': 81}");
    assert_accepted(&scene, RESOURCE_VRRP_GROUP, NULL, "{'name': 'other', 'vrid': 52}");
    scene_close(&scene);
}

static void a_duplicate_is_refused_in_octavias_words(void **context)
{
    struct scene scene = scene_open();
    char id[UUID_TEXT_SIZE], sentence[160];
    uuid_format(&scene.ids.web, id);
    assert_refused(&scene, RESOURCE_LISTENER, &scene.ids.web,
                   "{'protocol': 'TCP', 'protocol_port': 80}", ERROR_CONFLICT,
                   "Another Listener on this Load Balancer is already using protocol HTTP and "
                   "protocol_port 80");
    assert_refused(&scene, RESOURCE_MEMBER, &scene.ids.workers,
                   "{'address': '10.77.0.21', 'protocol_port': 80}", ERROR_CONFLICT,
                   "Another member on this pool is already using ip 10.77.0.21 on "
                   "protocol_port 80");
    assert_refused(&scene, RESOURCE_HEALTH_MONITOR, &scene.ids.workers,
                   "{'type': 'TCP', 'delay': 5, 'timeout': 3, 'max_retries': 3}",
                   ERROR_CONFLICT, "This pool already has a health monitor");
    snprintf(sentence, sizeof(sentence),
             "The VIP IP address is already in use: 10.77.0.100 belongs to Load Balancer %s",
             id);
    assert_refused(&scene, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': '10.77.0.100'}",
                   ERROR_CONFLICT, sentence);
    assert_refused(&scene, RESOURCE_LOAD_BALANCER, NULL,
                   "{'vip_address': '10.77.0.9', 'additional_vips': ['10.77.0.100']}",
                   ERROR_CONFLICT, sentence);
    assert_refused(&scene, RESOURCE_VRRP_GROUP, NULL, "{'name': 'other', 'vrid': 51}",
                   ERROR_CONFLICT, "VRRP group default is already using vrid 51");
    assert_refused(&scene, RESOURCE_VRRP_GROUP, NULL, "{'name': 'default', 'vrid': 52}",
                   ERROR_CONFLICT, "A VRRP group of default already exists.");
    scene_close(&scene);
}

static void a_vip_is_no_address_of_a_node_that_has_peers(void **context)
{
    static const char vip[] = "{'vip_address': '10.77.0.11'}";
    static const char more[] = "{'vip_address': '10.77.0.9', 'additional_vips': ['fd77::11']}";
    struct scene scene = scene_open();
    raw_state_create(scene.state, RESOURCE_NODE, NULL,
                     "{'name': 'lb1', 'addresses': ['10.77.0.11:7850', '[fd77::11]:7850']}");
    configuration_free(scene.configuration);
    scene.configuration = raw_state_project(scene.state);
    assert_accepted(&scene, RESOURCE_LOAD_BALANCER, NULL, vip);
    raw_state_create(scene.state, RESOURCE_NODE, NULL,
                     "{'name': 'lb2', 'addresses': ['10.77.0.12:7850'], 'vrrp_address': "
                     "'192.0.2.12'}");
    configuration_free(scene.configuration);
    scene.configuration = raw_state_project(scene.state);
    assert_refused(
        &scene, RESOURCE_LOAD_BALANCER, NULL, vip, ERROR_CONFLICT,
        "The VIP IP address is already in use: 10.77.0.11 is an address of node lb1");
    assert_refused(&scene, RESOURCE_LOAD_BALANCER, NULL, more, ERROR_CONFLICT,
                   "The VIP IP address is already in use: fd77::11 is an address of node lb1");
    assert_refused(
        &scene, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': '192.0.2.12'}", ERROR_CONFLICT,
        "The VIP IP address is already in use: 192.0.2.12 is an address of node lb2");
    scene_close(&scene);
}

/* octavia-api.md 9.2. */
static void a_monitors_type_suits_the_protocol_of_its_pool(void **context)
{
    static const char *const monitor =
        "{'type': '%s', 'delay': 5, 'timeout': 3, 'max_retries': 3}";
    static const struct {
        const char *type;
        bool suits_tcp, suits_udp;
    } rows[] = {
        {"HTTP", true, true},
        {"TCP", true, true},
        {"PING", true, false},
        {"UDP-CONNECT", false, true},
    };
    struct scene scene = scene_open();
    struct uuid tcp = raw_state_create(scene.state, RESOURCE_POOL, &scene.ids.web,
                                       "{'protocol': 'TCP', 'lb_algorithm': 'ROUND_ROBIN'}");
    struct uuid udp = raw_state_create(scene.state, RESOURCE_POOL, &scene.ids.web,
                                       "{'protocol': 'UDP', 'lb_algorithm': 'ROUND_ROBIN'}");
    configuration_free(scene.configuration);
    scene.configuration = raw_state_project(scene.state);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[128];
        snprintf(text, sizeof(text), monitor, rows[i].type);
        if (rows[i].suits_tcp)
            assert_accepted(&scene, RESOURCE_HEALTH_MONITOR, &tcp, text);
        else
            assert_refused(&scene, RESOURCE_HEALTH_MONITOR, &tcp, text, ERROR_INVALID,
                           "Validation failure: The UDP-CONNECT type is only supported for "
                           "pools of type UDP.");
        if (rows[i].suits_udp)
            assert_accepted(&scene, RESOURCE_HEALTH_MONITOR, &udp, text);
        else
            assert_refused(&scene, RESOURCE_HEALTH_MONITOR, &udp, text, ERROR_INVALID,
                           "Validation failure: The associated pool protocol is UDP, so only "
                           "a UDP-CONNECT/TCP/HTTP health monitor is supported.");
    }
    scene_close(&scene);
}

static void no_listener_takes_a_pool_of_udp(void **context)
{
    struct scene scene = scene_open();
    char id[UUID_TEXT_SIZE], text[128];
    struct uuid udp = raw_state_create(scene.state, RESOURCE_POOL, &scene.ids.web,
                                       "{'protocol': 'UDP', 'lb_algorithm': 'ROUND_ROBIN'}");
    configuration_free(scene.configuration);
    scene.configuration = raw_state_project(scene.state);
    uuid_format(&udp, id);
    snprintf(text, sizeof(text),
             "{'protocol': 'TCP', 'protocol_port': 81, 'default_pool_id': '%s'}", id);
    assert_refused(&scene, RESOURCE_LISTENER, &scene.ids.web, text, ERROR_INVALID,
                   "Validation failure: The pool protocol 'UDP' is invalid while the listener "
                   "protocol is 'TCP'.");
    scene_close(&scene);
}

static void an_unknown_owner_or_reference_is_not_found(void **context)
{
    struct scene scene = scene_open();
    struct uuid nobody = {{0xab}};
    assert_refused(&scene, RESOURCE_LISTENER, &nobody,
                   "{'protocol': 'TCP', 'protocol_port': 80}", ERROR_NOT_FOUND,
                   "Load Balancer ab000000-0000-0000-0000-000000000000 not found.");
    assert_refused(&scene, RESOURCE_MEMBER, &nobody,
                   "{'address': '10.77.0.21', 'protocol_port': 80}", ERROR_NOT_FOUND,
                   "Pool ab000000-0000-0000-0000-000000000000 not found.");
    assert_refused(&scene, RESOURCE_LISTENER, &scene.ids.web,
                   "{'protocol': 'TCP', 'protocol_port': 81, 'default_pool_id': "
                   "'ab000000-0000-0000-0000-000000000000'}",
                   ERROR_NOT_FOUND, "Pool ab000000-0000-0000-0000-000000000000 not found.");
    assert_refused(&scene, RESOURCE_LOAD_BALANCER, NULL,
                   "{'vip_address': '10.77.0.9', 'vrrp_group_id': "
                   "'ab000000-0000-0000-0000-000000000000'}",
                   ERROR_NOT_FOUND,
                   "VRRP Group ab000000-0000-0000-0000-000000000000 not found.");
    scene_close(&scene);
}

static struct resource *listener_with_pool(const struct scene *scene,
                                           const struct uuid *load_balancer,
                                           const char *protocol,
                                           const struct uuid *pool)
{
    char text[192], id[UUID_TEXT_SIZE];
    uuid_format(pool, id);
    snprintf(text, sizeof(text),
             "{'protocol': '%s', 'protocol_port': 99, 'default_pool_id': '%s'}", protocol, id);
    return described(RESOURCE_LISTENER, load_balancer, text);
}

static void the_default_pool_must_fit_the_listener(void **context)
{
    struct scene scene = scene_open();
    struct error error = {0};
    struct uuid tcp_pool =
        raw_state_create(scene.state, RESOURCE_POOL, &scene.ids.web,
                         "{'protocol': 'TCP', 'lb_algorithm': 'ROUND_ROBIN'}");
    struct uuid other = raw_state_create(scene.state, RESOURCE_LOAD_BALANCER, NULL,
                                         "{'vip_address': '10.77.0.101'}");
    configuration_free(scene.configuration);
    scene.configuration = raw_state_project(scene.state);

    struct resource *listener = listener_with_pool(&scene, &scene.ids.web, "HTTP", &tcp_pool);
    assert_false(configuration_check_create(scene.configuration, listener, &error));
    assert_string_equal(error.text, "Validation failure: The pool protocol 'TCP' is invalid "
                                    "while the listener protocol is 'HTTP'.");
    resource_free(listener);
    listener = listener_with_pool(&scene, &other, "TCP", &tcp_pool);
    assert_false(configuration_check_create(scene.configuration, listener, &error));
    assert_int_equal(error.kind, ERROR_INVALID);
    assert_non_null(strstr(error.text, "belongs to another Load Balancer"));
    resource_free(listener);
    listener = listener_with_pool(&scene, &scene.ids.web, "TCP", &scene.ids.workers);
    assert_true(configuration_check_create(scene.configuration, listener, &error));
    resource_free(listener);
    scene_close(&scene);
}

static void an_update_is_checked_where_it_changes_something(void **context)
{
    struct scene scene = scene_open();
    struct error error = {0};
    struct uuid loser = raw_state_create(scene.state, RESOURCE_LISTENER, &scene.ids.web,
                                         "{'protocol': 'TCP', 'protocol_port': 80}");
    configuration_free(scene.configuration);
    scene.configuration = raw_state_project(scene.state);
    const struct resource *before = configuration_find(scene.configuration, &loser)->resource;
    struct resource *after = resource_copy(before);
    ((struct listener *)after)->connection_limit = 5;
    assert_true(configuration_check_update(scene.configuration, before, after, &error));
    ((struct listener *)after)->default_pool_id = scene.ids.w1;
    assert_false(configuration_check_update(scene.configuration, before, after, &error));
    assert_int_equal(error.kind, ERROR_NOT_FOUND);
    resource_free(after);
    scene_close(&scene);
}

static void the_group_default_keeps_its_name(void **context)
{
    struct scene scene = scene_open();
    struct error error = {0};
    const struct resource *before =
        configuration_find(scene.configuration, &scene.ids.group)->resource;
    struct resource *after = resource_copy(before);
    free(after->name);
    after->name = strdup("other");
    assert_false(configuration_check_update(scene.configuration, before, after, &error));
    assert_string_equal(error.text,
                        "Validation failure: the VRRP group default cannot be renamed");
    resource_free(after);
    scene_close(&scene);
}

/* ---- deletion ------------------------------------------------------------------------------
 */

static bool
delete_object(struct scene *scene, struct uuid id, bool cascade, struct error *error)
{
    struct change_set changes = {0};
    const struct effective *object = configuration_find(scene->configuration, &id);
    bool planned = configuration_plan_delete(scene->configuration, object->resource, cascade,
                                             &changes, error);
    if (planned)
        raw_state_apply(scene->state, &changes);
    change_set_free(&changes);
    configuration_free(scene->configuration);
    scene->configuration = raw_state_project(scene->state);
    return planned;
}

static void a_load_balancer_with_children_needs_cascade(void **context)
{
    struct scene scene = scene_open();
    struct error error = {0};
    char id[UUID_TEXT_SIZE], sentence[160];
    uuid_format(&scene.ids.web, id);
    snprintf(sentence, sizeof(sentence),
             "Validation failure: Cannot delete Load Balancer %s - it has children; "
             "delete them first, or all at once with cascade",
             id);
    assert_false(delete_object(&scene, scene.ids.web, false, &error));
    assert_int_equal(error.kind, ERROR_INVALID);
    assert_string_equal(error.text, sentence);
    assert_true(delete_object(&scene, scene.ids.web, true, &error));
    for (int type = RESOURCE_LOAD_BALANCER; type <= RESOURCE_HEALTH_MONITOR; type++)
        assert_null(configuration_at(scene.configuration, (enum resource_type)type, 0));
    scene_close(&scene);
}

static void a_pool_leaves_with_its_members_and_its_listeners_go_on(void **context)
{
    struct scene scene = scene_open();
    struct error error = {0};
    assert_true(delete_object(&scene, scene.ids.workers, false, &error));
    assert_null(configuration_find(scene.configuration, &scene.ids.w1));
    assert_null(configuration_find(scene.configuration, &scene.ids.monitor));
    const struct effective *http = configuration_find(scene.configuration, &scene.ids.http);
    assert_int_equal(http->reason, REASON_NONE);
    assert_true(uuid_is_zero(&((const struct listener *)http->resource)->default_pool_id));
    scene_close(&scene);
}

static void a_group_in_use_and_the_group_default_stay(void **context)
{
    struct scene scene = scene_open();
    struct error error = {0};
    char text[160], id[UUID_TEXT_SIZE];
    struct uuid group = raw_state_create(scene.state, RESOURCE_VRRP_GROUP, NULL,
                                         "{'name': 'second', 'vrid': 52}");
    uuid_format(&group, id);
    snprintf(text, sizeof(text), "{'vip_address': '10.77.0.101', 'vrrp_group_id': '%s'}", id);
    struct uuid user = raw_state_create(scene.state, RESOURCE_LOAD_BALANCER, NULL, text);
    configuration_free(scene.configuration);
    scene.configuration = raw_state_project(scene.state);
    assert_false(delete_object(&scene, scene.ids.group, false, &error));
    assert_string_equal(error.text,
                        "Validation failure: the VRRP group default cannot be deleted");
    assert_false(delete_object(&scene, group, false, &error));
    assert_int_equal(error.kind, ERROR_CONFLICT);
    assert_true(delete_object(&scene, user, false, &error));
    assert_true(delete_object(&scene, group, false, &error));
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_claims_nothing_taken_may_be_created),
        cmocka_unit_test(a_duplicate_is_refused_in_octavias_words),
        cmocka_unit_test(a_vip_is_no_address_of_a_node_that_has_peers),
        cmocka_unit_test(a_monitors_type_suits_the_protocol_of_its_pool),
        cmocka_unit_test(no_listener_takes_a_pool_of_udp),
        cmocka_unit_test(an_unknown_owner_or_reference_is_not_found),
        cmocka_unit_test(the_default_pool_must_fit_the_listener),
        cmocka_unit_test(an_update_is_checked_where_it_changes_something),
        cmocka_unit_test(the_group_default_keeps_its_name),
        cmocka_unit_test(a_load_balancer_with_children_needs_cascade),
        cmocka_unit_test(a_pool_leaves_with_its_members_and_its_listeners_go_on),
        cmocka_unit_test(a_group_in_use_and_the_group_default_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
