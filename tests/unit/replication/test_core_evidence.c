/* What three nodes conclude from who hears whom and who claims to be active. */
#include "lbnode/model/message.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

enum {
    NODES = 3,
    GROUP = 9
};

struct frame {
    unsigned from, to;
    uint32_t type;
    uint8_t *body;
    size_t size;
};

struct net {
    struct store *stores[NODES];
    struct sign_key *keys[NODES];
    struct core *cores[NODES];
    bool cut[NODES][NODES]; /* from, to */
    struct frame *frames;
    size_t count, capacity;
    uint64_t now_us;
    uint8_t *record; /* the one that founded the cluster */
    size_t record_size;
    unsigned events[NODES][EVENT_CODE_COUNT];
    unsigned asked[NODES]; /* to give a group away */
    struct core_action last_asked;
};

static struct uuid id_of(unsigned node)
{
    return (struct uuid){{(uint8_t)(node + 1)}};
}

static void transmit(struct net *net, unsigned from, const struct core_action *action)
{
    unsigned to = action->peer.bytes[0] - 1u;
    if (net->cut[from][to])
        return;
    net->frames = memory_grow(net->frames, net->count, &net->capacity, sizeof(*net->frames));
    net->frames[net->count++] =
        (struct frame){from, to, action->frame_type,
                       memory_copy(action->body, action->body_size), action->body_size};
}

static void step(struct net *net, unsigned node, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool committed = false;
    core_step(net->cores[node], event, (struct core_now){net->now_us, 1800000000000}, &actions);
    for (size_t i = 0; i < actions.count; i++) {
        struct core_action *action = &actions.items[i];
        if (action->kind == CORE_SEND)
            transmit(net, node, action);
        else if (action->kind == CORE_EVENT)
            net->events[node][action->code]++;
        else if (action->kind == CORE_SWITCH_ASKED) {
            net->asked[node]++;
            net->last_asked = *action;
        } else if (action->kind == CORE_PERSIST)
            committed = store_commit(net->stores[node], &action->batch) == 0;
        for (size_t k = 0; action->kind == CORE_PERSIST && k < action->batch.count; k++)
            if (action->batch.ops[k].table == STORE_LOG && !net->record) {
                net->record_size = action->batch.ops[k].value_size;
                net->record = memory_copy(action->batch.ops[k].value, net->record_size);
            }
    }
    core_actions_free(&actions);
    if (committed)
        step(net, node, &(struct core_event){.kind = CORE_PERSISTED});
    else if (core_wants_stage(net->cores[node]))
        step(net, node, &(struct core_event){.kind = CORE_STAGE});
}

static void run(struct net *net, unsigned duration_ms)
{
    for (unsigned at = 0; at < duration_ms; at += 20) {
        net->now_us += 20000;
        for (unsigned node = 0; node < NODES; node++)
            if (core_next_tick_us(net->cores[node]) <= net->now_us)
                step(net, node, &(struct core_event){.kind = CORE_TICK});
        while (net->count > 0) {
            struct frame frame = net->frames[--net->count];
            step(net, frame.to,
                 &(struct core_event){.kind = CORE_FRAME,
                                      .node = id_of(frame.from),
                                      .frame_type = frame.type,
                                      .body = {frame.body, frame.size}});
            free(frame.body);
        }
    }
}

static void claim(struct net *net, unsigned node, enum vrrp_state state, uint8_t priority)
{
    const struct vrrp_claim claim = {.group_id = {{GROUP}},
                                     .family = 4,
                                     .vrid = 7,
                                     .state = (uint8_t)state,
                                     .priority = priority,
                                     .advert_ms = 20};
    step(net, node,
         &(struct core_event){.kind = CORE_CLAIMS, .claims = &claim, .claim_count = 1});
}

struct wanted {
    enum evidence_kind kind;
    struct evidence found;
    unsigned count;
};

static void look(void *context, const struct evidence *evidence)
{
    struct wanted *wanted = context;
    if (evidence->kind != wanted->kind)
        return;
    wanted->found = *evidence;
    wanted->count++;
}

static struct wanted evidence_of(const struct net *net, unsigned node, enum evidence_kind kind)
{
    struct wanted wanted = {.kind = kind};
    core_visit_evidence(net->cores[node], (struct core_now){net->now_us, 0}, look, &wanted);
    return wanted;
}

static void plan_nodes(const struct net *net, struct change_set *changes)
{
    struct text_list addresses = {0};
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    for (unsigned node = 0; node < NODES; node++) {
        const char *const names[NODES] = {"lb1", "lb2", "lb3"};
        const struct node_facts facts = {.id = id_of(node),
                                         .name = names[node],
                                         .public_key = sign_key_public(net->keys[node]),
                                         .addresses = &addresses};
        assert_true(membership_plan_node(NULL, &facts, changes));
    }
    text_list_free(&addresses);
}

static int set_up(void **state)
{
    struct net *net = memory_new(sizeof(*net));
    struct wire_writer bytes = {0};
    struct genesis genesis;
    struct change_set changes = {0};
    struct error error;
    const struct uuid first = id_of(0);
    net->now_us = 1000000;
    for (unsigned node = 0; node < NODES; node++)
        net->keys[node] = sign_key_generate();
    assert_true(
        genesis_build(net->keys[0], "t", 1, &first, sign_key_public(net->keys[0]), &bytes));
    assert_true(genesis_parse(wire_written(&bytes), &genesis));
    for (unsigned node = 0; node < NODES; node++) {
        const struct core_settings settings = {
            .node_id = id_of(node), .key = net->keys[node], .incarnation = 1};
        net->stores[node] = store_mem_open();
        net->cores[node] =
            core_load(&settings, net->stores[node], (struct core_now){net->now_us, 0}, &error);
        core_found(net->cores[node], &genesis);
    }
    plan_nodes(net, &changes);
    step(net, 0,
         &(struct core_event){
             .kind = CORE_SUBMIT,
             .submit = {.changes = &changes, .change_id = {{1}}, .kind = RECORD_ROSTER}});
    for (unsigned node = 1; node < NODES; node++)
        step(
            net, node,
            &(struct core_event){.kind = CORE_RECORD, .body = {net->record, net->record_size}});
    change_set_free(&changes);
    wire_writer_free(&bytes);
    run(net, 2000);
    *state = net;
    return 0;
}

static int tear_down(void **state)
{
    struct net *net = *state;
    for (unsigned node = 0; node < NODES; node++) {
        core_free(net->cores[node]);
        store_close(net->stores[node]);
        sign_key_free(net->keys[node]);
    }
    free(net->frames);
    free(net->record);
    free(net);
    return 0;
}

static void nodes_that_hear_each_other_conclude_nothing(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 200);
    claim(net, 1, VRRP_BACKUP, 100);
    run(net, 10000);
    for (unsigned node = 0; node < NODES; node++)
        for (unsigned kind = EVIDENCE_LINK_DOWN; kind <= EVIDENCE_ISOLATED; kind++)
            assert_int_equal(evidence_of(net, node, (enum evidence_kind)kind).count, 0);
}

static void e1_a_node_that_others_hear_is_not_dead_but_behind_a_cut_link(void **state)
{
    struct net *net = *state;
    net->cut[0][1] = net->cut[1][0] = true;
    run(net, 6000);
    struct wanted wanted = evidence_of(net, 0, EVIDENCE_LINK_DOWN);
    assert_int_equal(wanted.count, 1);
    assert_int_equal(wanted.found.other_id.bytes[0], 2);
    assert_int_equal(net->events[0][EVENT_LINK_DOWN], 1);
    net->cut[0][1] = net->cut[1][0] = false;
    run(net, 2000);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_LINK_DOWN).count, 0);
}

static void e2_who_is_heard_and_does_not_hear_is_behind_a_one_way_link(void **state)
{
    struct net *net = *state;
    net->cut[0][1] = true;
    run(net, 6000);
    struct wanted wanted = evidence_of(net, 0, EVIDENCE_ONE_WAY);
    assert_int_equal(wanted.count, 1);
    assert_int_equal(wanted.found.other_id.bytes[0], 2);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_TRANSMIT_DEAD).count, 0);
}

static void e3_whom_nobody_hears_cannot_send(void **state)
{
    struct net *net = *state;
    net->cut[0][1] = net->cut[0][2] = true;
    run(net, 6000);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_TRANSMIT_DEAD).count, 1);
    assert_int_equal(net->events[0][EVENT_TRANSMIT_DEAD], 1);
}

static void e4_two_that_stay_active_know_of_each_other(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 200);
    claim(net, 1, VRRP_ACTIVE, 100);
    run(net, 1000);
    struct wanted wanted = evidence_of(net, 1, EVIDENCE_DUAL_ACTIVE);
    assert_int_equal(wanted.count, 1);
    assert_int_equal(wanted.found.group_id.bytes[0], GROUP);
    assert_int_equal(wanted.found.other_priority, 200);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_DUAL_ACTIVE).found.other_priority, 100);
    claim(net, 1, VRRP_BACKUP, 100);
    run(net, 1000);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_DUAL_ACTIVE).count, 0);
}

static void e5_a_group_without_active_node_is_noticed_when_all_answer(void **state)
{
    struct net *net = *state;
    for (unsigned node = 0; node < NODES; node++)
        claim(net, node, VRRP_BACKUP, 100);
    run(net, 2500);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_NO_ACTIVE).count, 1);
    claim(net, 2, VRRP_ACTIVE, 100);
    run(net, 1000);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_NO_ACTIVE).count, 0);
}

static void e5_a_first_election_is_no_missing_owner(void **state)
{
    struct net *net = *state;
    for (unsigned node = 0; node < NODES; node++)
        claim(net, node, VRRP_BACKUP, 100);
    run(net, 1300);
    claim(net, 2, VRRP_ACTIVE, 100);
    run(net, 1000);
    assert_int_equal(net->events[0][EVENT_NO_ACTIVE], 0);
}

static void e4_a_planned_switch_is_no_second_owner(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 200);
    run(net, 1000);
    net->cut[0][1] = true; /* its next heartbeat is late */
    claim(net, 1, VRRP_ACTIVE, 100);
    claim(net, 0, VRRP_BACKUP, 100);
    run(net, 100);
    net->cut[0][1] = false;
    run(net, 1000);
    assert_int_equal(net->events[1][EVENT_DUAL_ACTIVE], 0);
}

static void the_owner_of_a_group_is_who_says_so(void **state)
{
    struct net *net = *state;
    const struct uuid group = {{GROUP}};
    struct uuid owner = {{0}};
    claim(net, 1, VRRP_ACTIVE, 100);
    run(net, 1000);
    assert_true(core_find_owner(net->cores[0], &group, 4, &owner));
    assert_int_equal(owner.bytes[0], id_of(1).bytes[0]);
    assert_false(core_find_owner(net->cores[0], &group, 6, &owner));
    claim(net, 1, VRRP_BACKUP, 100);
    run(net, 1000);
    assert_false(core_find_owner(net->cores[0], &group, 4, &owner));
}

static void e6_a_node_alone_cannot_tell_why(void **state)
{
    struct net *net = *state;
    for (unsigned node = 1; node < NODES; node++)
        net->cut[0][node] = net->cut[node][0] = true;
    run(net, 6000);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_ISOLATED).count, 1);
    assert_int_equal(evidence_of(net, 0, EVIDENCE_LINK_DOWN).count, 0);
}

static void a_record_reaches_a_peer_that_does_not_hear_its_author(void **state)
{
    struct net *net = *state;
    struct change_set changes = {0};
    const struct uuid object = {{5}}, none = {0};
    net->cut[0][1] = net->cut[1][0] = true;
    run(net, 6000);
    change_set_add(&changes, &object, &none, 5, 10, (struct bytes){(const uint8_t *)"v", 1});
    step(net, 0,
         &(struct core_event){
             .kind = CORE_SUBMIT,
             .submit = {.changes = &changes, .change_id = {{2}}, .kind = RECORD_CONFIG}});
    change_set_free(&changes);
    run(net, 60); /* less than comparing vectors takes */
    assert_true(vv_equal(core_vector(net->cores[0]), core_vector(net->cores[1])));
}

static void a_claim_says_why_a_node_should_not_be_active(void **state)
{
    struct net *net = *state;
    const struct vrrp_claim said = {.group_id = {{GROUP}},
                                    .family = 4,
                                    .state = VRRP_BACKUP,
                                    .hindrance = 6,
                                    .advert_ms = 20};
    struct vrrp_claim heard;
    const struct uuid node = id_of(1);
    assert_false(core_find_claim(net->cores[0], &node, &said, &heard));
    step(net, 1, &(struct core_event){.kind = CORE_CLAIMS, .claims = &said, .claim_count = 1});
    run(net, 1000);
    assert_true(core_find_claim(net->cores[0], &node, &said, &heard));
    assert_int_equal(heard.hindrance, 6);
    net->cut[1][0] = true;
    run(net, 6000);
    assert_false(core_find_claim(net->cores[0], &node, &said, &heard));
}

static void ask(struct net *net, const struct uuid *group)
{
    step(net, 0,
         &(struct core_event){.kind = CORE_ASK_SWITCH,
                              .node = id_of(1),
                              .switch_group = *group,
                              .switch_to = id_of(2)});
    run(net, 20);
}

static void a_member_may_ask_another_for_a_switch_once_a_second(void **state)
{
    struct net *net = *state;
    const struct uuid group = {{GROUP}}, all = {{0}}, to = id_of(2), from = id_of(0);
    run(net, 1000);
    ask(net, &group);
    assert_int_equal(net->asked[1], 1);
    assert_true(uuid_equal(&net->last_asked.peer, &from));
    assert_true(uuid_equal(&net->last_asked.switch_group, &group));
    assert_true(uuid_equal(&net->last_asked.switch_to, &to));
    ask(net, &group);
    assert_int_equal(net->asked[1], 1);
    run(net, 1000);
    ask(net, &all);
    assert_int_equal(net->asked[1], 2);
    assert_true(uuid_is_zero(&net->last_asked.switch_group));
}

static void a_malformed_wish_for_a_switch_is_dropped(void **state)
{
    struct net *net = *state;
    static const uint8_t short_id[] = {0x0a, 3, 1, 2, 3}, number[] = {0x08, 1}, cut[] = {0x0a};
    const struct bytes bodies[] = {
        {short_id, sizeof(short_id)}, {number, sizeof(number)}, {cut, sizeof(cut)}};
    run(net, 1000);
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++)
        step(net, 1,
             &(struct core_event){.kind = CORE_FRAME,
                                  .node = id_of(0),
                                  .frame_type = FRAME_SWITCH,
                                  .body = bodies[i]});
    assert_int_equal(net->asked[1], 0);
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(nodes_that_hear_each_other_conclude_nothing),
        RULE(e1_a_node_that_others_hear_is_not_dead_but_behind_a_cut_link),
        RULE(e2_who_is_heard_and_does_not_hear_is_behind_a_one_way_link),
        RULE(e3_whom_nobody_hears_cannot_send),
        RULE(e4_two_that_stay_active_know_of_each_other),
        RULE(e4_a_planned_switch_is_no_second_owner),
        RULE(e5_a_group_without_active_node_is_noticed_when_all_answer),
        RULE(e5_a_first_election_is_no_missing_owner),
        RULE(the_owner_of_a_group_is_who_says_so),
        RULE(a_claim_says_why_a_node_should_not_be_active),
        RULE(a_member_may_ask_another_for_a_switch_once_a_second),
        RULE(a_malformed_wish_for_a_switch_is_dropped),
        RULE(e6_a_node_alone_cannot_tell_why),
        RULE(a_record_reaches_a_peer_that_does_not_hear_its_author),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
