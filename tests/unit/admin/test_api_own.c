/* lbnode's own API from outside: status, documents, conflicts, cluster, look-ups. */
#include "lbnode/base/bytes.h"
#include "lbnode/model/field_table.h"
#include "tests/support/test.h"
#include "tests/unit/admin/api_guide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void the_status_names_what_is_wrong(void **state)
{
    play_guide();
    fake_replication_set_peer(api_guide_node()->state.replication, "lb2", PEER_IS_UNREACHABLE);
    struct api_answer answer = api_call(api_guide_node(), "GET", "/v1/status", NULL);
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

static void a_peer_whose_store_takes_no_writes_is_named_with_what_to_do(void **state)
{
    play_guide();
    fake_replication_set_peer(api_guide_node()->state.replication, "lb2", PEER_IS_ALIVE);
    fake_replication_set_peer_trouble(api_guide_node()->state.replication, true);
    struct api_answer answer = api_call(api_guide_node(), "GET", "/v1/status", NULL);
    assert_string_equal(json_value_get_text(answer.json, "health"), "degraded");
    assert_string_equal(
        json_value_text(json_value_at(json_value_get(answer.json, "problems"), 0)),
        "node lb2: the store refuses writes; free disk space or replace the disk");
    api_answer_free(&answer);
}

static void a_listener_that_cannot_bind_is_an_error(void **state)
{
    struct guide guide = play_guide();
    struct binding_state *binding = &api_guide_node()->state.bindings[0];
    assert_true(ip_endpoint_parse("10.77.0.100:80", 0, &binding->endpoint));
    binding->error_number = 98;
    api_guide_node()->state.binding_count = 1;
    struct api_answer answer = call_id("GET", LBAAS "/listeners/", guide.listener, "", NULL);
    assert_string_equal(
        json_value_get_text(json_value_get(answer.json, "listener"), "operating_status"),
        "ERROR");
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", "/v1/status", NULL);
    assert_string_equal(json_value_get_text(answer.json, "health"), "error");
    api_answer_free(&answer);
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
    struct api_answer answer = api_call(api_guide_node(), "POST", "/v1/apply", text);
    if (answer.status != 200)
        fail_msg("%s", text_string(&answer.body));
    const struct json_value *apply = json_value_get(answer.json, "apply");
    assert_int_equal(json_value_count(json_value_get(apply, "changes")), 4);
    assert_false(json_value_truth(json_value_get(apply, "applied")));
    assert_int_equal(fake_replication_submissions(api_guide_node()->state.replication), 0);
    api_answer_free(&answer);
    snprintf(text, sizeof(text), body, "");
    answer = api_call(api_guide_node(), "POST", "/v1/apply", text);
    assert_true(
        json_value_truth(json_value_get(json_value_get(answer.json, "apply"), "applied")));
    assert_int_equal(fake_replication_submissions(api_guide_node()->state.replication), 1);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "POST", "/v1/apply", text);
    assert_int_equal(
        json_value_count(json_value_get(json_value_get(answer.json, "apply"), "changes")), 0);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", "/v1/export", NULL);
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
         .node_id = *replication_node_id(api_guide_node()->state.replication),
         .author = "root",
         .is_active = true},
        {.value = {seven.ops[0].value, seven.ops[0].value_size}, .wall_ms = 2, .author = "bob"},
    };
    struct conflict_view conflict = {.type = RESOURCE_MEMBER,
                                     .facet = five.ops[0].facet,
                                     .entries = entries,
                                     .entry_count = 2};
    assert_true(uuid_parse(guide.first, &conflict.object_id));
    fake_replication_set_conflict(api_guide_node()->state.replication, &conflict);
    struct api_answer answer = api_call(api_guide_node(), "GET", "/v1/conflicts", NULL);
    const struct json_value *shown = json_value_at(json_value_get(answer.json, "conflicts"), 0);
    assert_string_equal(json_value_get_text(shown, "object_type"), "member");
    assert_string_equal(json_value_get_text(shown, "object_name"), "w1");
    assert_string_equal(json_value_text(json_value_at(json_value_get(shown, "attributes"), 0)),
                        "weight");
    assert_string_equal(json_value_get_text(shown, "kind"), "value");
    assert_string_equal(json_value_get_text(shown, "facet"), "weight");
    for (size_t i = 0; i < 2; i++) {
        const struct json_value *entry = json_value_at(json_value_get(shown, "entries"), i);
        assert_int_equal(json_value_number(json_value_get(entry, "number")), i + 1);
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

static int64_t weight_of_first(const struct guide *guide)
{
    char path[160];
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members/%s", guide->pool, guide->first);
    struct api_answer answer = api_call(api_guide_node(), "GET", path, NULL);
    int64_t weight =
        json_value_number(json_value_get(json_value_get(answer.json, "member"), "weight"));
    api_answer_free(&answer);
    return weight;
}

static struct api_answer resolve(const struct guide *guide, const char *facet, const char *body)
{
    char path[160];
    snprintf(path, sizeof(path), "/v1/conflicts/%s/%s", guide->first, facet);
    return api_call(api_guide_node(), "POST", path, body);
}

static void resolving_writes_the_chosen_value_again(void **state)
{
    struct guide guide = play_guide();
    struct change_set five = {0}, seven = {0};
    weight_facet(5, &five);
    weight_facet(7, &seven);
    struct conflict_entry entries[] = {
        {.value = {five.ops[0].value, five.ops[0].value_size},
         .author = "a",
         .is_active = true},
        {.value = {seven.ops[0].value, seven.ops[0].value_size}, .author = "bob"},
    };
    struct conflict_view conflict = {.type = RESOURCE_MEMBER,
                                     .facet = five.ops[0].facet,
                                     .entries = entries,
                                     .entry_count = 2};
    assert_true(uuid_parse(guide.first, &conflict.object_id));
    assert_true(uuid_parse(guide.pool, &conflict.owner));
    fake_replication_set_conflict(api_guide_node()->state.replication, &conflict);
    struct api_answer answer = resolve(&guide, "weight", "{\"take\": 3}");
    assert_int_equal(answer.status, 400);
    assert_string_equal(api_fault(&answer), "The conflict has no entry 3, only 1 to 2.");
    api_answer_free(&answer);
    answer = resolve(&guide, "backup", "{\"take\": 1}");
    assert_int_equal(answer.status, 404);
    api_answer_free(&answer);
    answer = resolve(&guide, "weight", "{\"take\": 2}");
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    assert_int_equal(weight_of_first(&guide), 7);
    change_set_free(&five);
    change_set_free(&seven);
}

/* The object is deleted; its edit elsewhere asks whether it shall live. */
static void a_late_edit_is_resolved_by_life(void **state)
{
    struct guide guide = play_guide();
    struct change_set seven = {0};
    static const uint8_t deleted = 0;
    weight_facet(7, &seven);
    struct conflict_entry entries[] = {
        {.value = {&deleted, 1}, .author = "ann", .is_active = true},
        {.value = {seven.ops[0].value, seven.ops[0].value_size}, .author = "bob"},
    };
    struct conflict_view conflict = {.type = RESOURCE_MEMBER,
                                     .facet = seven.ops[0].facet,
                                     .entries = entries,
                                     .entry_count = 2,
                                     .kind = CONFLICT_LATE_EDIT};
    assert_true(uuid_parse(guide.first, &conflict.object_id));
    assert_true(uuid_parse(guide.pool, &conflict.owner));
    fake_replication_set_conflict(api_guide_node()->state.replication, &conflict);
    struct api_answer answer = api_call(api_guide_node(), "GET", "/v1/conflicts", NULL);
    const struct json_value *shown = json_value_at(json_value_get(answer.json, "conflicts"), 0);
    const struct json_value *shown_entries = json_value_get(shown, "entries");
    assert_string_equal(json_value_get_text(shown, "kind"), "edit-after-delete");
    const struct json_value *life = json_value_get(json_value_at(shown_entries, 0), "values");
    const struct json_value *edit = json_value_get(json_value_at(shown_entries, 1), "values");
    assert_false(json_value_truth(json_value_get(life, "alive")));
    assert_int_equal(json_value_number(json_value_get(edit, "weight")), 7);
    api_answer_free(&answer);
    answer = resolve(&guide, "life", "{\"take\": 1}");
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    char path[160];
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members/%s", guide.pool, guide.first);
    answer = api_call(api_guide_node(), "GET", path, NULL);
    assert_int_equal(answer.status, 404);
    api_answer_free(&answer);
    answer = resolve(&guide, "life", "{\"take\": 2}");
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    change_set_free(&seven);
}

static struct api_answer rotate(const char *body, int status)
{
    struct api_answer answer = api_call(api_guide_node(), "POST", "/v1/keys", body);
    assert_int_equal(answer.status, status);
    return answer;
}

static void keys_are_named_aged_and_rotated(void **state)
{
    struct api_answer answer = rotate("{\"keys\":{}}", 409); /* in no cluster yet */
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "POST", "/v1/cluster", "{\"cluster\":{}}");
    api_answer_free(&answer);
    answer = rotate("{\"keys\":{\"purpose\":\"KEY\"}}", 400);
    api_answer_free(&answer);
    answer = rotate("{\"keys\":{\"purpose\":\"CLUSTER_SECRET\"}}", 201);
    const struct json_value *keys = json_value_get(answer.json, "keys");
    const struct json_value *key = json_value_at(keys, 0);
    assert_int_equal(json_value_count(keys), 3);
    assert_string_equal(json_value_get_text(key, "id"), "00112233");
    assert_string_equal(json_value_get_text(key, "purpose"), "CLUSTER_SECRET");
    assert_string_equal(json_value_get_text(key, "state"), "COMING");
    assert_string_equal(json_value_get_text(key, "waits_for"), "lb2");
    assert_true(json_value_number(json_value_get(key, "age_s")) > 0);
    key = json_value_at(keys, 2);
    assert_string_equal(json_value_get_text(key, "purpose"), "DATA_KEY");
    assert_string_equal(json_value_get_text(key, "state"), "IN_USE");
    assert_null(json_value_get_text(key, "waits_for"));
    api_answer_free(&answer);
    answer = rotate("{\"keys\":{}}", 409);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", "/v1/status", NULL);
    const struct json_value *problems = json_value_get(answer.json, "problems");
    bool told = false;
    for (size_t i = 0; i < json_value_count(problems); i++)
        told |=
            strstr(json_value_text(json_value_at(problems, i)),
                   "node lb9, which was removed, knows the cluster secret in use: the next one "
                   "waits for node lb2") != NULL;
    assert_true(told);
    api_answer_free(&answer);
}

static void clusters_tokens_and_nodes(void **state)
{
    struct api_answer answer =
        api_call(api_guide_node(), "POST", "/v1/cluster", "{\"cluster\":{\"name\":\"lab\"}}");
    assert_int_equal(answer.status, 201);
    const struct json_value *cluster = json_value_get(answer.json, "cluster");
    assert_string_equal(json_value_get_text(cluster, "name"), "lab");
    assert_string_equal(json_value_get_text(cluster, "recovery_code"), "recovery-code");
    assert_string_equal(json_value_get_text(cluster, "join_token"), "token-900");
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "POST", "/v1/tokens", "{\"token\":{\"ttl_s\":60}}");
    assert_string_equal(json_value_get_text(json_value_get(answer.json, "token"), "token"),
                        "token-60");
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", "/v1/tokens", NULL);
    const struct json_value *token = json_value_at(json_value_get(answer.json, "tokens"), 0);
    assert_string_equal(json_value_get_text(token, "id"), "0011223344556677");
    assert_string_equal(json_value_get_text(token, "state"), "OPEN");
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "DELETE", "/v1/tokens/0011223344556677", NULL);
    assert_int_equal(answer.status, 204);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "DELETE", "/v1/tokens/00", NULL);
    assert_int_equal(answer.status, 404);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", "/v1/nodes", NULL);
    const struct json_value *node = json_value_at(json_value_get(answer.json, "nodes"), 0);
    assert_string_equal(json_value_get_text(node, "name"), "lb1");
    assert_true(json_value_truth(json_value_get(node, "self")));
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", "/v1/vrrp_groups?name=default", NULL);
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
        struct api_answer answer = api_call(api_guide_node(), "GET", paths[i], NULL);
        if (answer.status != 200)
            fail_msg("%s: %d %s", paths[i], answer.status, text_string(&answer.body));
        api_answer_free(&answer);
    }
}

static void versions_link_to_the_host_that_was_asked(void **state)
{
    struct api_answer answer = api_call(api_guide_node(), "GET", "/", NULL);
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
    answer = api_call(api_guide_node(), "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", "/v2.0/subnets?name=vip-subnet", NULL);
    const struct json_value *first = json_value_at(json_value_get(answer.json, "subnets"), 0);
    assert_string_equal(json_value_get_text(first, "id"), subnet);
    assert_string_equal(json_value_get_text(first, "cidr"), "10.77.0.0/24");
    api_answer_free(&answer);
}

static void a_backup_comes_in_pages(void **state)
{
    struct api_answer answer =
        api_call(api_guide_node(), "POST", "/v1/backup", "{\"backup\": {}}");
    const struct json_value *backup = json_value_get(answer.json, "backup");
    assert_int_equal(answer.status, 200);
    assert_string_equal(json_value_get_text(backup, "page"), "6669727374"); /* "first" */
    assert_true(json_value_truth(json_value_get(backup, "more")));
    api_answer_free(&answer);
    answer =
        api_call(api_guide_node(), "POST", "/v1/backup", "{\"backup\": {\"have\": \"78\"}}");
    backup = json_value_get(answer.json, "backup");
    assert_false(json_value_truth(json_value_get(backup, "more")));
    api_answer_free(&answer);
    answer =
        api_call(api_guide_node(), "POST", "/v1/backup", "{\"backup\": {\"have\": \"x\"}}");
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
}

static void a_restore_tells_what_was_new(void **state)
{
    struct api_answer answer = api_call(
        api_guide_node(), "POST", "/v1/restore",
        "{\"restore\": {\"genesis\": \"00\", \"records\": [\"01\", \"02\", \"03\", \"04\"]}}");
    const struct json_value *restore = json_value_get(answer.json, "restore");
    assert_int_equal(answer.status, 200);
    assert_int_equal(json_value_number(json_value_get(restore, "offered")), 4);
    assert_int_equal(json_value_number(json_value_get(restore, "merged")), 2);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "POST", "/v1/restore",
                      "{\"restore\": {\"genesis\": \"00\", \"records\": [\"zz\"]}}");
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
}

static struct api_answer refound(const char *more)
{
    char body[256];
    snprintf(body, sizeof(body),
             "{\"restore\": {\"genesis\": \"00\", \"records\": [\"01\", \"02\"], "
             "\"new_cluster\": true, %s}}",
             more);
    return api_call(api_guide_node(), "POST", "/v1/restore", body);
}

static void a_new_cluster_is_made_of_a_backup_in_parts(void **state)
{
    struct api_answer answer = refound("\"first\": true");
    assert_int_equal(answer.status, 202);
    api_answer_free(&answer);
    answer = refound("\"last\": true, \"name\": \"\"");
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
    answer = refound("\"last\": true, \"name\": \"anew\"");
    const struct json_value *restore = json_value_get(answer.json, "restore");
    assert_int_equal(answer.status, 201);
    assert_int_equal(json_value_number(json_value_get(restore, "merged")), 4);
    assert_string_equal(json_value_get_text(restore, "recovery_code"), "CODE");
    api_answer_free(&answer);
    answer = refound("\"first\": true, \"last\": true");
    assert_int_equal(answer.status, 409);
    api_answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(the_status_names_what_is_wrong),
        API_TEST(a_peer_whose_store_takes_no_writes_is_named_with_what_to_do),
        API_TEST(a_listener_that_cannot_bind_is_an_error),
        API_TEST(a_document_is_applied_and_exported),
        API_TEST(a_conflict_shows_both_values),
        API_TEST(resolving_writes_the_chosen_value_again),
        API_TEST(a_late_edit_is_resolved_by_life),
        API_TEST(clusters_tokens_and_nodes),
        API_TEST(keys_are_named_aged_and_rotated),
        API_TEST(every_get_without_id_answers),
        API_TEST(versions_link_to_the_host_that_was_asked),
        API_TEST(the_vip_port_and_subnet_can_be_looked_up),
        API_TEST(a_backup_comes_in_pages),
        API_TEST(a_restore_tells_what_was_new),
        API_TEST(a_new_cluster_is_made_of_a_backup_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
