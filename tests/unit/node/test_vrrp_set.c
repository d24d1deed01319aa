#include "lbnode/base/bytes.h"
#include "lbnode/model/field_table.h"
#include "lbnode/node/vrrp_set.h"
#include "tests/support/test.h"

#include <string.h>

#define OWN_ID                                                                                 \
    {                                                                                          \
        {                                                                                      \
            1                                                                                  \
        }                                                                                      \
    }
#define PEER_ID                                                                                \
    {                                                                                          \
        {                                                                                      \
            2                                                                                  \
        }                                                                                      \
    }
#define REMOVED_ID                                                                             \
    {                                                                                          \
        {                                                                                      \
            3                                                                                  \
        }                                                                                      \
    }

static const struct uuid own_id = OWN_ID, removed_id = REMOVED_ID;
static const struct vrrp_set_node own = {&own_id, "lb1", "eth9", false};

struct object {
    struct uuid id;
    enum resource_type type;
    const char *json;
};

static struct resource *read_object(const struct object *object)
{
    struct error error = {0};
    struct json_value *json = json_value_parse(object->json, strlen(object->json), &error);
    struct resource *resource =
        resource_from_json(resource_class_of(object->type), json, &error);
    if (!resource)
        fail_msg("%s", error.text);
    json_value_free(json);
    resource->id = object->id;
    return resource;
}

/* A node's status is no attribute that documents may set. */
static void finish_object(struct resource *resource)
{
    if (resource->type == RESOURCE_NODE && uuid_equal(&resource->id, &removed_id))
        ((struct node *)(void *)resource)->status = NODE_REMOVED;
}

static struct configuration *configuration_of(const struct object *objects, size_t count)
{
    struct change_set changes = {0};
    struct configuration_builder *builder = configuration_builder_new();
    for (size_t i = 0; i < count; i++) {
        struct resource *resource = read_object(&objects[i]);
        finish_object(resource);
        assert_true(change_set_add_create(&changes, resource));
        resource_free(resource);
    }
    for (size_t i = 0; i < changes.count; i++) {
        const struct change_op *op = &changes.ops[i];
        struct raw_facet facet = {
            .object_id = op->object_id,
            .owner = op->owner,
            .type = op->type,
            .facet = op->facet,
            .value = {op->value, op->value_size},
            .hlc = i + 1,
            .stream = 1,
            .seq = i + 1,
            .entry_count = 1,
        };
        assert_true(configuration_builder_add(builder, &facet));
    }
    change_set_free(&changes);
    return configuration_builder_finish(builder);
}

static struct message_list set_of(const struct object *objects, size_t count)
{
    struct message_list set = {0};
    struct configuration *configuration = configuration_of(objects, count);
    assert_non_null(configuration);
    assert_true(vrrp_set_build(configuration, &own, &set));
    configuration_free(configuration);
    assert_int_equal(set.items[0].header.type, MESSAGE_VRRP_BEGIN);
    assert_int_equal(set.items[set.count - 1].header.type, MESSAGE_VRRP_COMMIT);
    return set;
}

static size_t count_of(const struct message_list *set, enum message_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        count += set->items[i].header.type == type;
    return count;
}

static const union message_buffer *first_of(const struct message_list *set,
                                            enum message_type type)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].header.type == type)
            return &set->items[i];
    fail_msg("no %s", message_type_name((uint16_t)type));
    return NULL;
}

#define GROUP                                                                                  \
    {                                                                                          \
        {{10}}, RESOURCE_VRRP_GROUP,                                                           \
            "{\"name\": \"default\", \"vrid\": 51, \"preference\": {\"lb1\": \"200\"}}"        \
    }
#define WEB                                                                                    \
    {                                                                                          \
        {{20}}, RESOURCE_LOAD_BALANCER,                                                        \
            "{\"name\": \"web\", \"vip_address\": \"10.77.0.100\", \"additional_vips\": "      \
            "[{\"ip_address\": \"fd77::100\"}]}"                                               \
    }

static void a_group_comes_with_its_addresses_and_own_priority(void **state)
{
    static const struct object objects[] = {GROUP, WEB};
    struct message_list set = set_of(objects, ARRAY_LENGTH(objects));
    const struct message_vrrp_group *group =
        &first_of(&set, MESSAGE_VRRP_GROUP)->member_VRRP_GROUP;
    assert_int_equal(group->vrid, 51);
    assert_int_equal(group->priority, 200);
    assert_string_equal(group->interface, "eth9");
    assert_int_equal(count_of(&set, MESSAGE_VRRP_ADDRESS), 2);
    message_list_free(&set);
}

static void a_group_names_the_routers_that_are_no_nodes(void **state)
{
    static const struct object objects[] = {
        WEB,
        {{{10}},
         RESOURCE_VRRP_GROUP,
         "{\"name\": \"default\", \"vrid\": 51, \"policy\": \"COMPAT\", "
         "\"unicast_peers\": [\"10.77.0.9\", \"fe80::9\"]}"}};
    struct message_list set = set_of(objects, ARRAY_LENGTH(objects));
    const struct message_vrrp_group *group =
        &first_of(&set, MESSAGE_VRRP_GROUP)->member_VRRP_GROUP;
    assert_int_equal(group->router_count, 2);
    assert_int_equal(group->routers[0].family, 4);
    assert_int_equal(group->routers[1].family, 6);
    message_list_free(&set);
}

static void a_group_without_addresses_is_not_elected(void **state)
{
    static const struct object objects[] = {
        GROUP, WEB, {{{11}}, RESOURCE_VRRP_GROUP, "{\"name\": \"spare\", \"vrid\": 52}"}};
    struct message_list set = set_of(objects, ARRAY_LENGTH(objects));
    assert_int_equal(count_of(&set, MESSAGE_VRRP_GROUP), 1);
    message_list_free(&set);
}

static void a_disabled_load_balancer_has_no_address(void **state)
{
    static const struct object objects[] = {
        GROUP,
        {{{20}},
         RESOURCE_LOAD_BALANCER,
         "{\"name\": \"web\", \"vip_address\": \"10.77.0.100\", \"admin_state_up\": false}"}};
    struct message_list set = set_of(objects, ARRAY_LENGTH(objects));
    assert_int_equal(set.count, 2);
    message_list_free(&set);
}

static void a_loopback_address_is_nobodys_to_elect(void **state)
{
    static const struct object objects[] = {
        GROUP,
        {{{20}},
         RESOURCE_LOAD_BALANCER,
         "{\"name\": \"web\", \"vip_address\": \"127.0.0.1\"}"}};
    struct message_list set = set_of(objects, ARRAY_LENGTH(objects));
    assert_int_equal(set.count, 2);
    message_list_free(&set);
}

static void peers_are_the_other_active_nodes_one_address_per_family(void **state)
{
    static const struct object objects[] = {
        GROUP,
        WEB,
        {OWN_ID, RESOURCE_NODE, "{\"name\": \"lb1\", \"addresses\": [\"10.77.0.11:7850\"]}"},
        {PEER_ID, RESOURCE_NODE,
         "{\"name\": \"lb2\", \"vrrp_address\": \"10.78.0.12\", \"addresses\": "
         "[\"10.77.0.12:7850\", \"[fd77::12]:7850\"]}"},
        {REMOVED_ID, RESOURCE_NODE,
         "{\"name\": \"lb3\", \"addresses\": [\"10.77.0.13:7850\"]}"}};
    struct message_list set = set_of(objects, ARRAY_LENGTH(objects));
    struct ip_address expected;
    assert_int_equal(count_of(&set, MESSAGE_VRRP_PEER), 2);
    ip_address_parse("10.78.0.12", &expected);
    assert_true(ip_address_equal(&first_of(&set, MESSAGE_VRRP_PEER)->member_VRRP_PEER.address,
                                 &expected));
    message_list_free(&set);
}

static void the_own_address_is_the_one_that_the_peers_are_given(void **state)
{
    static const struct object objects[] = {
        GROUP,
        WEB,
        {OWN_ID, RESOURCE_NODE,
         "{\"name\": \"lb1\", \"addresses\": "
         "[\"[fd77::11]:7850\", \"10.77.0.11:7850\", \"10.79.0.11:7850\"]}"}};
    struct message_list set = set_of(objects, ARRAY_LENGTH(objects));
    struct ip_address expected;
    ip_address_parse("10.77.0.11", &expected);
    assert_true(ip_address_equal(
        &first_of(&set, MESSAGE_VRRP_BEGIN)->member_VRRP_BEGIN.own_address, &expected));
    assert_int_equal(count_of(&set, MESSAGE_VRRP_PEER), 0);
    message_list_free(&set);
}

static void a_removed_node_stands_for_no_election(void **state)
{
    static const struct object objects[] = {
        GROUP,
        WEB,
        {REMOVED_ID, RESOURCE_NODE,
         "{\"name\": \"lb1\", \"addresses\": [\"10.77.0.13:7850\"]}"}};
    static const struct vrrp_set_node removed = {&removed_id, "lb1", "", false};
    struct message_list set = {0};
    struct configuration *configuration = configuration_of(objects, ARRAY_LENGTH(objects));
    assert_true(vrrp_set_build(configuration, &removed, &set));
    assert_int_equal(count_of(&set, MESSAGE_VRRP_GROUP), 0);
    struct vrrp_set_node told = own; /* its configuration does not say so */
    told.removed = true;
    message_list_free(&set);
    set = (struct message_list){0};
    assert_true(vrrp_set_build(configuration, &told, &set));
    assert_int_equal(count_of(&set, MESSAGE_VRRP_GROUP), 0);
    configuration_free(configuration);
    message_list_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_comes_with_its_addresses_and_own_priority),
        cmocka_unit_test(a_group_names_the_routers_that_are_no_nodes),
        cmocka_unit_test(a_group_without_addresses_is_not_elected),
        cmocka_unit_test(a_disabled_load_balancer_has_no_address),
        cmocka_unit_test(a_loopback_address_is_nobodys_to_elect),
        cmocka_unit_test(peers_are_the_other_active_nodes_one_address_per_family),
        cmocka_unit_test(the_own_address_is_the_one_that_the_peers_are_given),
        cmocka_unit_test(a_removed_node_stands_for_no_election),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
