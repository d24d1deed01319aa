#include "tests/unit/replication/evidence_net.h"

static void ask(struct net *net, uint8_t pool)
{
    step(net, 0, &(struct core_event){.kind = CORE_ASK_PROBE, .pool = {{pool}}});
    run(net, 20);
}

static void all_peers_are_asked_to_probe_a_pool(void **state)
{
    struct net *net = *state;
    run(net, 1000);
    ask(net, 7);
    assert_int_equal(net->probe_asked[0], 0);
    assert_int_equal(net->probe_asked[1], 1);
    assert_int_equal(net->probe_asked[2], 1);
    assert_true(uuid_equal(&net->last_probe_asked.pool, &(struct uuid){{7}}));
    assert_true(uuid_equal(&net->last_probe_asked.peer, &(struct uuid){{1}}));
}

static void a_peer_is_listened_to_once_a_second_about_a_pool(void **state)
{
    struct net *net = *state;
    run(net, 1000);
    ask(net, 7);
    ask(net, 7);
    assert_int_equal(net->probe_asked[1], 1);
    ask(net, 8);
    assert_int_equal(net->probe_asked[1], 2);
    run(net, 1000);
    ask(net, 7);
    assert_int_equal(net->probe_asked[1], 3);
}

static void a_peer_is_listened_to_about_eight_pools_a_second(void **state)
{
    struct net *net = *state;
    run(net, 1000);
    for (uint8_t pool = 1; pool <= 20; pool++)
        ask(net, pool);
    assert_int_equal(net->probe_asked[1], 8);
    run(net, 1000);
    ask(net, 20);
    assert_int_equal(net->probe_asked[1], 9);
}

static void a_malformed_wish_is_dropped(void **state)
{
    struct net *net = *state;
    static const uint8_t short_id[] = {0x0a, 3, 1, 2, 3}, number[] = {0x08, 1}, cut[] = {0x0a};
    static const uint8_t zero[18] = {0x0a, 16};
    const struct bytes bodies[] = {{short_id, sizeof(short_id)},
                                   {number, sizeof(number)},
                                   {cut, sizeof(cut)},
                                   {zero, sizeof(zero)},
                                   {NULL, 0}};
    run(net, 1000);
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++)
        step(net, 1,
             &(struct core_event){.kind = CORE_FRAME,
                                  .node = id_of(0),
                                  .frame_type = FRAME_PROBE,
                                  .body = bodies[i]});
    assert_int_equal(net->probe_asked[1], 0);
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(all_peers_are_asked_to_probe_a_pool),
        RULE(a_peer_is_listened_to_once_a_second_about_a_pool),
        RULE(a_peer_is_listened_to_about_eight_pools_a_second),
        RULE(a_malformed_wish_is_dropped),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
