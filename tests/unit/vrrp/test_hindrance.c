/* What speaks against being active, and the priority that follows. */
#include "tests/support/test.h"
#include "vrrp/router_hindrance.h"

#include <stdio.h>
#include <string.h>

static const struct uuid web = {{1}}, mail = {{2}}, all = {{0}};

static struct message_hindrance word(const struct uuid *group, enum hindrance kind, bool holds)
{
    struct message_hindrance out = {.group_id = *group, .kind = (uint8_t)kind, .holds = holds};
    snprintf(out.text, sizeof(out.text), "because of %d", (int)kind);
    return out;
}

static bool set(struct vrrp_host *host, const struct uuid *group, enum hindrance kind, bool on)
{
    struct message_hindrance message = word(group, kind, on);
    return hindrance_list_set(&host->hindrances, &message);
}

static uint8_t priority_of(struct vrrp_host *host, struct vrrp_router *router)
{
    struct vrrp_place place = {0};
    router_hindrance_find(router, host, &place);
    router_hindrance_rank(router, host);
    return router->machine.settings.priority;
}

static struct vrrp_router router_of(const struct uuid *group, uint8_t priority)
{
    struct vrrp_router router = {0};
    router.group.group_id = *group;
    router.group.priority = priority;
    router.group.preempt = 1;
    router.machine.state = VRRP_BACKUP;
    return router;
}

static void a_word_is_about_one_group_or_all(void **state)
{
    struct vrrp_host host = {.eligibility_known = true, .eligible = true};
    struct vrrp_router first = router_of(&web, 100), second = router_of(&mail, 100);
    assert_true(set(&host, &web, HINDRANCE_IS_BIND, true));
    assert_int_equal(priority_of(&host, &first), PRIORITY_YIELDS);
    assert_string_equal(first.reason, "because of 6");
    assert_int_equal(priority_of(&host, &second), 100);
    assert_true(set(&host, &all, HINDRANCE_IS_COMMAND, true));
    assert_int_equal(priority_of(&host, &second), PRIORITY_YIELDS);
    assert_true(set(&host, &all, HINDRANCE_IS_COMMAND, false));
    assert_int_equal(priority_of(&host, &second), 100);
    assert_true(second.machine.settings.preempt);
    hindrance_list_free(&host.hindrances);
}

static void a_word_about_a_group_concerns_no_other(void **state)
{
    struct message_hindrance about_web = word(&web, HINDRANCE_IS_BIND, true);
    struct message_hindrance about_all = word(&all, HINDRANCE_IS_COMMAND, true);
    assert_true(hindrance_concerns(&about_web, &web));
    assert_false(hindrance_concerns(&about_web, &mail));
    assert_true(hindrance_concerns(&about_all, &web));
    assert_true(hindrance_concerns(&about_all, &mail));
}

static void the_same_word_twice_is_no_news(void **state)
{
    struct vrrp_host host = {0};
    assert_true(set(&host, &web, HINDRANCE_IS_BIND, true));
    assert_false(set(&host, &web, HINDRANCE_IS_BIND, true));
    assert_true(set(&host, &web, HINDRANCE_IS_BIND, false));
    assert_false(set(&host, &web, HINDRANCE_IS_BIND, false));
    assert_false(set(&host, &web, HINDRANCE_COUNT, true));
    assert_false(set(&host, &web, HINDRANCE_IS_NONE, true));
    hindrance_list_free(&host.hindrances);
}

static void an_unsynced_node_neither_preempts_nor_resigns(void **state)
{
    struct vrrp_host host = {.eligibility_known = true, .eligible = true};
    struct vrrp_router router = router_of(&web, 200);
    set(&host, &all, HINDRANCE_IS_UNSYNCED, true);
    assert_int_equal(priority_of(&host, &router), PRIORITY_WAITS);
    assert_false(router.machine.settings.preempt);
    assert_false(router_hindrance_is_out(&router));
    router.machine.state = VRRP_ACTIVE;
    assert_int_equal(priority_of(&host, &router), 200);
    assert_int_equal(router.hindrance, HINDRANCE_IS_UNSYNCED);
    hindrance_list_free(&host.hindrances);
}

static void what_a_node_cannot_do_outweighs_what_it_should_not(void **state)
{
    struct vrrp_host host = {.eligibility_known = true, .eligible = false};
    struct vrrp_router router = router_of(&web, 100);
    struct vrrp_place place = {.hindrance = HINDRANCE_IS_INTERFACE};
    snprintf(host.ineligible_reason, sizeof(host.ineligible_reason), "no proxy");
    set(&host, &web, HINDRANCE_IS_BIND, true);
    router_hindrance_find(&router, &host, &place);
    assert_true(router_hindrance_is_out(&router));
    assert_string_equal(router.reason, "no proxy");
    snprintf(place.reason, sizeof(place.reason), "interface eth0 is down");
    router_hindrance_find(&router, &host, &place);
    assert_string_equal(router.reason, "interface eth0 is down");
    hindrance_list_free(&host.hindrances);
}

static void a_preference_below_that_of_hindered_nodes_is_kept(void **state)
{
    struct vrrp_host host = {.eligibility_known = true, .eligible = true};
    struct vrrp_router router = router_of(&web, 1);
    set(&host, &web, HINDRANCE_IS_GATEWAY, true);
    assert_int_equal(priority_of(&host, &router), 1);
    hindrance_list_free(&host.hindrances);
}

static void every_kind_has_words_and_a_remedy(void **state)
{
    for (unsigned kind = HINDRANCE_IS_NONE + 1; kind < HINDRANCE_COUNT; kind++) {
        assert_true(hindrance_words(kind)[0] && hindrance_remedy(kind)[0]);
        assert_true(strlen(hindrance_words(kind)) < VRRP_REASON_SIZE);
    }
    assert_int_equal(hindrance_effect(HINDRANCE_COUNT), HINDRANCE_OUT);
    assert_true(hindrance_words(HINDRANCE_COUNT)[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_about_one_group_or_all),
        cmocka_unit_test(a_word_about_a_group_concerns_no_other),
        cmocka_unit_test(the_same_word_twice_is_no_news),
        cmocka_unit_test(an_unsynced_node_neither_preempts_nor_resigns),
        cmocka_unit_test(what_a_node_cannot_do_outweighs_what_it_should_not),
        cmocka_unit_test(a_preference_below_that_of_hindered_nodes_is_kept),
        cmocka_unit_test(every_kind_has_words_and_a_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
