/* What three nodes conclude from who hears whom and who claims to be active. */
#include "replication/core_internal.h"
#include "tests/unit/replication/evidence_net.h"

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
    run(net, 2000);
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

static void a_node_that_stops_says_so_before_its_next_heartbeat_is_due(void **state)
{
    struct net *net = *state;
    struct vrrp_claim found;
    for (unsigned interval = 0; interval < 8; interval++) {
        claim(net, 0, VRRP_BACKUP, 100);
        run(net, 1000 + 20 * interval); /* at several moments between two heartbeats */
        net->elections[0].claim.hindrance = HINDRANCE_IS_STOPPING;
        tell(net, 0);
        run(net, 20);
        for (unsigned node = 1; node < NODES; node++) {
            assert_true(core_find_claim(net->cores[node], &(struct uuid){{1}},
                                        &net->elections[0].claim, &found));
            assert_int_equal(found.hindrance, HINDRANCE_IS_STOPPING);
        }
    }
}

static void a_session_begins_with_a_heartbeat(void **state)
{
    struct net *net = *state;
    step(net, 0, &(struct core_event){.kind = CORE_REACHABLE, .node = id_of(1)});
    assert_int_equal(net->count, 1);
    assert_int_equal(net->frames[0].to, 1);
    assert_int_equal(net->frames[0].type, FRAME_HEARTBEAT);
    run(net, 20);
}

/* Not only when the others' next heartbeats are due: they vouch for its adverts. */
static void who_has_just_started_is_answered_at_once(void **state)
{
    struct net *net = *state;
    const struct uuid other = id_of(0);
    for (unsigned interval = 0; interval < 8; interval++) {
        run(net, 1000 + 20 * interval);
        core_free(net->cores[1]);
        start(net, 1);
        run(net, 60);
        assert_true(core_peer(net->cores[1], &other)->in_session);
    }
}

static void the_claims_of_a_group_name_it_once(void **state)
{
    struct net *net = *state;
    const struct vrrp_claim claims[] = {
        {.group_id = {{GROUP}}, .family = 4},
        {.group_id = {{GROUP}}, .family = 6},
        {.group_id = {{GROUP + 1}}, .family = 4},
    };
    struct wire_writer together = {0}, apart = {0};
    step(net, 0, &(struct core_event){.kind = CORE_CLAIMS, .claims = claims, .claim_count = 3});
    core_put_liveness(net->cores[0], &together);
    run(net, 1000);
    const struct uuid first = id_of(0);
    const struct peer *peer = core_peer(net->cores[1], &first);
    assert_int_equal(peer->claims.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(uuid_equal(&peer->claims.items[i].group_id, &claims[i].group_id));
        assert_int_equal(peer->claims.items[i].family, claims[i].family);
    }
    const struct vrrp_claim scattered[] = {claims[0], claims[2], claims[1]};
    step(net, 0,
         &(struct core_event){.kind = CORE_CLAIMS, .claims = scattered, .claim_count = 3});
    core_put_liveness(net->cores[0], &apart);
    assert_int_equal(apart.size - together.size, 18);
    wire_writer_free(&together);
    wire_writer_free(&apart);
}

static void a_claim_without_a_group_needs_one_before_it(void **state)
{
    struct net *net = *state;
    const struct uuid first = id_of(0);
    struct wire_writer body = {0};
    struct peer *peer = core_peer(net->cores[1], &first);
    const struct bytes nameless = {(const uint8_t *)"\x10\x04", 2};
    const struct bytes unreadable = {(const uint8_t *)"\x0a\x01\x07", 3};
    uint8_t named[18] = {0x0a, 16, 5};
    wire_put_bytes(&body, 10, nameless);
    wire_put_bytes(&body, 10, (struct bytes){named, sizeof(named)});
    wire_put_bytes(&body, 10, nameless);
    wire_put_bytes(&body, 10, unreadable);
    wire_put_bytes(&body, 10, nameless);
    core_take_liveness(net->cores[1], peer, wire_written(&body));
    assert_int_equal(peer->claims.count, 2);
    assert_int_equal(peer->claims.items[0].family, 0);
    assert_int_equal(peer->claims.items[1].group_id.bytes[0], 5);
    assert_int_equal(peer->claims.items[1].family, 4);
    wire_writer_free(&body);
}

static void a_claim_of_any_age_grows_no_younger(void **state)
{
    struct net *net = *state;
    const struct uuid first = id_of(0), group = {{GROUP}};
    struct wire_writer body = {0};
    struct peer *peer = core_peer(net->cores[1], &first);
    run(net, 1000);
    size_t mark = wire_begin(&body, 10);
    wire_put_bytes(&body, 1, (struct bytes){group.bytes, 16});
    wire_put_varint(&body, 4, VRRP_ACTIVE);
    wire_put_varint(&body, 6, UINT64_MAX);
    wire_put_varint(&body, 10, UINT64_MAX);
    wire_end(&body, mark);
    core_take_liveness(net->cores[1], peer, wire_written(&body));
    net->cut[0][1] = true;
    run(net, 500);
    assert_int_equal(peer->claims.count, 1);
    assert_false(core_claim_is_active(net->cores[1], &peer->claims, &peer->claims.items[0]));
    peer->claims.items[0].told_ms_ago = 0;
    assert_true(core_claim_is_active(net->cores[1], &peer->claims, &peer->claims.items[0]));
    wire_writer_free(&body);
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

struct told {
    bool storage_trouble[NODES];
};

static void note_offset(void *context, const struct peer_view *peer)
{
    int64_t *offset_ms = context;
    const struct uuid id = id_of(1);
    if (uuid_equal(&peer->node_id, &id))
        *offset_ms = peer->clock_offset_ms;
}

/* What node 0 makes of the clock of node 1 when that says WALL_MS. */
static int64_t offset_of(struct net *net, uint64_t wall_ms)
{
    struct wire_writer body = {0};
    int64_t offset_ms = 0;
    wire_put_varint(&body, 1, net->now_us);
    wire_put_varint(&body, 2, net->now_us);
    wire_put_varint(&body, 4, wall_ms);
    step(net, 0,
         &(struct core_event){.kind = CORE_FRAME,
                              .node = id_of(1),
                              .frame_type = FRAME_HEARTBEAT,
                              .body = wire_written(&body)});
    wire_writer_free(&body);
    core_visit_peers(net->cores[0], (struct core_now){net->now_us, 0}, note_offset, &offset_ms);
    return offset_ms;
}

static void a_clock_may_say_any_number(void **state)
{
    struct net *net = *state;
    const int64_t now_ms = 1800000000000, most_ms = 1ll << 52;
    run(net, 1000);
    assert_int_equal(offset_of(net, (uint64_t)now_ms + 4000), 4000);
    assert_int_equal(net->events[0][EVENT_CLOCK_SKEW], 0);
    assert_int_equal(offset_of(net, (1ull << 63) + 498), most_ms);
    assert_int_equal(net->events[0][EVENT_CLOCK_SKEW], 1);
    assert_int_equal(offset_of(net, UINT64_MAX), most_ms);
    assert_int_equal(offset_of(net, (uint64_t)now_ms), 0);
    assert_int_equal(offset_of(net, 0), -now_ms);
    assert_int_equal(net->events[0][EVENT_CLOCK_SKEW], 2);
}

static void note_trouble(void *context, const struct peer_view *peer)
{
    struct told *told = context;
    told->storage_trouble[peer->node_id.bytes[0] - 1] = peer->storage_trouble;
}

static bool hears_of_trouble(const struct net *net, unsigned node, unsigned of)
{
    struct told told = {0};
    core_visit_peers(net->cores[node], (struct core_now){net->now_us, 0}, note_trouble, &told);
    return told.storage_trouble[of];
}

static void the_others_hear_that_a_store_takes_no_writes(void **state)
{
    struct net *net = *state;
    const struct core_now now = {net->now_us, 0};
    core_set_storage_problem(net->cores[0], "no room", now);
    run(net, 500);
    assert_true(hears_of_trouble(net, 1, 0));
    assert_false(hears_of_trouble(net, 1, 2));
    core_set_storage_problem(net->cores[0], "", now);
    run(net, 500);
    assert_false(hears_of_trouble(net, 1, 0));
    core_set_storage_problem(net->cores[0], "no room", now);
    run(net, 500);
    net->cut[0][1] = true; /* what it said last is old then */
    run(net, 5000);
    assert_false(hears_of_trouble(net, 1, 0));
}

/* It may have heard what it does not say as long as it is not on its disk. */
static void who_cannot_write_may_know_more_than_it_says(void **state)
{
    struct net *net = *state;
    const struct core_now now = {net->now_us, 0};
    struct error error = {0};
    run(net, 2000);
    assert_true(core_knows_all(net->cores[1], &error));
    core_set_storage_problem(net->cores[0], "no room", now);
    run(net, 500);
    assert_false(core_knows_all(net->cores[1], &error));
    assert_non_null(strstr(error.text, "cannot write"));
    core_set_storage_problem(net->cores[0], "", now);
    run(net, 500);
    assert_true(core_knows_all(net->cores[1], &error));
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
        RULE(a_node_that_stops_says_so_before_its_next_heartbeat_is_due),
        RULE(a_session_begins_with_a_heartbeat),
        RULE(who_has_just_started_is_answered_at_once),
        RULE(the_claims_of_a_group_name_it_once),
        RULE(a_claim_without_a_group_needs_one_before_it),
        RULE(a_member_may_ask_another_for_a_switch_once_a_second),
        RULE(a_malformed_wish_for_a_switch_is_dropped),
        RULE(e6_a_node_alone_cannot_tell_why),
        RULE(a_record_reaches_a_peer_that_does_not_hear_its_author),
        RULE(the_others_hear_that_a_store_takes_no_writes),
        RULE(who_cannot_write_may_know_more_than_it_says),
        RULE(a_clock_may_say_any_number),
        RULE(a_claim_of_any_age_grows_no_younger),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
