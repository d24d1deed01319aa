/* Evidence against a router without sockets and addresses: what it may do to the election. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "vrrp/router_evidence.h"

#include <string.h>

enum {
    VALID_MS = 1000
};

static struct vrrp_router *active_router(void)
{
    struct message_vrrp_group group = MESSAGE_OF(VRRP_GROUP, struct message_vrrp_group);
    group.group_id.bytes[0] = 9;
    group.priority = 100;
    group.advert_interval_ms = 20;
    struct vrrp_router *router = vrrp_router_new(&group, 4);
    struct vrrp_event resume = {.kind = VRRP_EVENT_RESUME, .resume_state = VRRP_ACTIVE};
    assert_non_null(router);
    vrrp_machine_step(&router->machine, &resume, monotime_now_us());
    assert_int_equal(router->machine.state, VRRP_ACTIVE);
    return router;
}

static struct message_vrrp_evidence evidence(enum vrrp_evidence_kind kind)
{
    struct message_vrrp_evidence message =
        MESSAGE_OF(VRRP_EVIDENCE, struct message_vrrp_evidence);
    message.group_id.bytes[0] = 9;
    message.family = 4;
    message.kind = (uint8_t)kind;
    message.valid_ms = VALID_MS;
    memcpy(message.rival, "lb2", 4);
    return message;
}

static void the_worse_of_two_gives_way_until_the_end_of_validity(void **state)
{
    struct vrrp_host host = {0};
    struct vrrp_router *router = active_router();
    struct message_vrrp_evidence message = evidence(VRRP_EVIDENCE_YIELD);
    uint64_t now_us = monotime_now_us(), end_us = now_us + VALID_MS * 1000;
    assert_true(router_evidence_take(router, &host, &message, now_us));
    assert_int_equal(router->machine.state, VRRP_BACKUP);
    assert_int_equal(router->demoted_count, 1);
    assert_true(router_evidence_due_us(router) == end_us);
    router_evidence_expire(router, &host, end_us - 1);
    assert_true(router->machine.demoted);
    router_evidence_expire(router, &host, end_us);
    assert_false(router->machine.demoted);
    assert_true(router_evidence_due_us(router) == UINT64_MAX);
    vrrp_router_free(router);
}

static void no_evidence_makes_a_backup_active(void **state)
{
    struct vrrp_host host = {0};
    for (int kind = 0; kind <= UINT8_MAX; kind++) {
        struct vrrp_router *router = active_router();
        struct message_vrrp_evidence message = evidence((enum vrrp_evidence_kind)kind);
        struct vrrp_event demote = {.kind = VRRP_EVENT_DEMOTE, .hold_us = 1000000};
        uint64_t now_us = monotime_now_us();
        message.announce = 1;
        vrrp_machine_step(&router->machine, &demote, now_us);
        router_evidence_take(router, &host, &message, now_us);
        assert_int_not_equal(router->machine.state, VRRP_ACTIVE);
        vrrp_router_free(router);
    }
}

static void what_is_out_of_range_changes_nothing(void **state)
{
    struct vrrp_host host = {0};
    struct vrrp_router *router = active_router();
    struct message_vrrp_evidence message = evidence(VRRP_EVIDENCE_KIND_COUNT);
    uint64_t now_us = monotime_now_us();
    assert_false(router_evidence_take(router, &host, &message, now_us));
    message = evidence(VRRP_EVIDENCE_YIELD);
    message.valid_ms = VRRP_EVIDENCE_MAXIMUM_MS + 1;
    assert_false(router_evidence_take(router, &host, &message, now_us));
    message = evidence(VRRP_EVIDENCE_YIELD);
    memset(message.rival, 'x', sizeof(message.rival));
    assert_false(router_evidence_take(router, &host, &message, now_us));
    assert_int_equal(router->machine.state, VRRP_ACTIVE);
    vrrp_router_free(router);
}

static void other_groups_and_families_are_left_alone(void **state)
{
    struct vrrp_host host = {0};
    struct vrrp_router *router = active_router();
    struct message_vrrp_evidence message = evidence(VRRP_EVIDENCE_YIELD);
    message.family = 6;
    assert_true(router_evidence_take(router, &host, &message, monotime_now_us()));
    message.family = 4;
    message.group_id.bytes[0] = 8;
    assert_true(router_evidence_take(router, &host, &message, monotime_now_us()));
    assert_int_equal(router->machine.state, VRRP_ACTIVE);
    vrrp_router_free(router);
}

static void an_owner_announces_again_at_most_once_a_second(void **state)
{
    struct vrrp_host host = {.frame_fd = -1};
    struct vrrp_router *router = active_router();
    struct message_vrrp_evidence message = evidence(VRRP_EVIDENCE_NONE);
    uint64_t now_us = monotime_now_us();
    message.announce = 1;
    router_evidence_take(router, &host, &message, now_us);
    assert_true(announce_schedule_due_us(&router->announcements) != UINT64_MAX);
    announce_schedule_stop(&router->announcements);
    router_evidence_take(router, &host, &message, now_us + 500000);
    assert_true(announce_schedule_due_us(&router->announcements) == UINT64_MAX);
    vrrp_router_free(router);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worse_of_two_gives_way_until_the_end_of_validity),
        cmocka_unit_test(no_evidence_makes_a_backup_active),
        cmocka_unit_test(what_is_out_of_range_changes_nothing),
        cmocka_unit_test(other_groups_and_families_are_left_alone),
        cmocka_unit_test(an_owner_announces_again_at_most_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
