#include "tests/unit/replication/evidence_net.h"

static struct shared_verdict verdict_of(uint32_t member, uint8_t state)
{
    struct shared_verdict verdict = {.state = state, .reason = 3, .probe_age_ms = 40};
    store_be32(verdict.member_id.bytes, member);
    return verdict;
}

static void publish(struct net *net, size_t count)
{
    struct shared_verdict verdicts[200];
    for (size_t i = 0; i < count; i++)
        verdicts[i] = verdict_of((uint32_t)i, 1);
    step(net, 0,
         &(struct core_event){
             .kind = CORE_VERDICTS, .verdicts = verdicts, .verdict_count = count});
    run(net, 20);
}

static void send_all(struct net *net, unsigned to, size_t count)
{
    struct shared_verdict verdicts[200];
    const struct uuid peer = id_of(to);
    for (size_t i = 0; i < count; i++)
        verdicts[i] = verdict_of((uint32_t)i, 2);
    step(net, 0,
         &(struct core_event){.kind = CORE_ALL_VERDICTS,
                              .node = peer,
                              .verdicts = verdicts,
                              .verdict_count = count});
    run(net, 20);
}

struct seen {
    struct uuid of;
    uint64_t ms_ago;
};

static void see(void *context, const struct peer_view *peer)
{
    struct seen *seen = context;
    if (uuid_equal(&peer->node_id, &seen->of))
        seen->ms_ago = peer->verdicts_ms_ago;
}

/* Since node AT last knew that it has all verdicts of node 0. */
static uint64_t confirmed_ms_ago(const struct net *net, unsigned at)
{
    struct seen seen = {.of = id_of(0)};
    core_visit_peers(net->cores[at], (struct core_now){net->now_us, 0}, see, &seen);
    return seen.ms_ago;
}

static void a_verdict_reaches_all_peers_as_it_was(void **state)
{
    struct net *net = *state;
    struct shared_verdict sent = {.member_id = {{1, 2, 3, 4, 5, 6, 7, 8}},
                                  .state = 2,
                                  .rare = true,
                                  .last_failed = true,
                                  .reason = 250,
                                  .round_trip_ms = 12,
                                  .age_ms = 70000,
                                  .status = 503,
                                  .probe_age_ms = UINT32_MAX};
    step(net, 0,
         &(struct core_event){.kind = CORE_VERDICTS, .verdicts = &sent, .verdict_count = 1});
    run(net, 20);
    for (unsigned node = 1; node < NODES; node++) {
        const struct shared_verdict *got = &net->last_verdict[node];
        assert_int_equal(net->verdicts[node], 1);
        assert_memory_equal(got->member_id.bytes, sent.member_id.bytes, 8);
        assert_int_equal(got->state, 2);
        assert_true(got->rare);
        assert_true(got->last_failed);
        assert_int_equal(got->reason, 250);
        assert_int_equal(got->round_trip_ms, 12);
        assert_int_equal(got->age_ms, 70000);
        assert_int_equal(got->status, 503);
        assert_int_equal(got->probe_age_ms, UINT32_MAX);
    }
    assert_int_equal(net->verdicts[0], 0);
}

static void heartbeats_confirm_what_came_without_a_loss(void **state)
{
    struct net *net = *state;
    assert_true(confirmed_ms_ago(net, 1) == UINT64_MAX);
    publish(net, 200); /* five batches, delivered newest first by this network: asked for */
    send_all(net, 1, 200);
    run(net, 5000);
    assert_true(confirmed_ms_ago(net, 1) < 500);
    net->cut[0][1] = true;
    run(net, 3000);
    assert_in_range(confirmed_ms_ago(net, 1), 2500, 4000);
}

static void who_lost_a_batch_asks_for_all_and_no_longer_counts_on_what_it_has(void **state)
{
    struct net *net = *state;
    publish(net, 1);
    run(net, 500);
    assert_true(confirmed_ms_ago(net, 1) < 500);
    net->cut[0][1] = true;
    publish(net, 1);
    net->cut[0][1] = false;
    run(net, 2000);
    assert_int_equal(net->verdicts_wanted[0], 1); /* twice in 2 s it does not ask */
    assert_in_range(confirmed_ms_ago(net, 1), 2000, 2900);
    assert_true(confirmed_ms_ago(net, 2) < 500);
    send_all(net, 1, 150);
    assert_int_equal(net->verdicts[1], 1 + 150);
    run(net, 500);
    assert_true(confirmed_ms_ago(net, 1) < 500);
}

static void a_batch_that_shows_a_loss_counts_itself(void **state)
{
    struct net *net = *state;
    net->cut[0][1] = true;
    publish(net, 1);
    net->cut[0][1] = false;
    publish(net, 1);
    assert_int_equal(net->verdicts[1], 1);
    assert_int_equal(net->verdicts_wanted[0], 1);
}

static void a_node_that_starts_again_asks_for_all(void **state)
{
    struct net *net = *state;
    publish(net, 1);
    core_free(net->cores[1]);
    start(net, 1);
    run(net, 1500);
    assert_int_equal(net->verdicts_wanted[0], 1);
}

static void malformed_batches_are_dropped(void **state)
{
    struct net *net = *state;
    static const uint8_t old_size[] = {0x08, 1, 0x10, 9, 0x1a, 16, 0, 0, 0, 0, 0,
                                       0,    0, 0,    0, 0,    0,  0, 0, 0, 0, 0};
    static const uint8_t cut[] = {0x08, 1, 0x10, 9, 0x1a, 22, 0};
    static const uint8_t no_such_state[] = {0x08, 1, 0x10, 9, 0x1a, 22, 1, 2, 3, 4, 5, 6, 7, 8,
                                            0x83, 0, 0,    0, 0,    0,  0, 0, 0, 0, 0, 0, 0, 0};
    const struct bytes bodies[] = {{old_size, sizeof(old_size)},
                                   {cut, sizeof(cut)},
                                   {no_such_state, sizeof(no_such_state)}};
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++)
        step(net, 1,
             &(struct core_event){.kind = CORE_FRAME,
                                  .node = id_of(0),
                                  .frame_type = FRAME_HEALTH,
                                  .body = bodies[i]});
    assert_int_equal(net->verdicts[1], 0);
    publish(net, 1);
    assert_int_equal(net->verdicts[1], 1);
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(a_verdict_reaches_all_peers_as_it_was),
        RULE(heartbeats_confirm_what_came_without_a_loss),
        RULE(who_lost_a_batch_asks_for_all_and_no_longer_counts_on_what_it_has),
        RULE(a_batch_that_shows_a_loss_counts_itself),
        RULE(a_node_that_starts_again_asks_for_all),
        RULE(malformed_batches_are_dropped),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
