#include "proxy/member_pick.h"

#include "tests/support/test.h"
#include "tests/unit/proxy/image.h"

#include <pthread.h>
#include <string.h>

struct fixture {
    struct image image;
    struct verdict_board *verdicts;
    struct pool_runtime runtime;
    struct member_runtime members[IMAGE_MEMBERS];
    struct member_pick pick;
};

static struct fixture fixture;

static int setup(void **state)
{
    memset(&fixture, 0, sizeof(fixture));
    image_init(&fixture.image, 1, 3);
    fixture.verdicts = verdict_board_create();
    fixture.pick = (struct member_pick){
        .snapshot = &fixture.image.header,
        .verdicts = fixture.verdicts,
        .runtime = &fixture.runtime,
        .members = fixture.members,
        .client = {{4, {192, 0, 2, 1}}, 1000},
    };
    return fixture.verdicts ? 0 : -1;
}

static void monitor(void)
{
    fixture.image.header.monitors.count = 1;
    fixture.image.monitor = (struct snapshot_monitor){.enabled = 1};
    fixture.image.pool.monitor = 0;
}

static void verdict(uint32_t slot, enum verdict_state state)
{
    fixture.verdicts->slots[slot].word = verdict_word_make(1, state, 0);
    fixture.verdicts->changes++;
}

/* How often each member is picked in COUNT requests. */
static void count_picks(unsigned count, unsigned out[IMAGE_MEMBERS])
{
    memset(out, 0, IMAGE_MEMBERS * sizeof(*out));
    for (unsigned i = 0; i < count; i++) {
        uint32_t member = member_pick(&fixture.pick);
        assert_true(member < fixture.image.pool.member_count);
        out[member]++;
    }
}

static void round_robin_alternates_strictly(void **state)
{
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(member_pick(&fixture.pick), i % 3);
}

static void *pick_many(void *context)
{
    unsigned *counts = context;
    for (int i = 0; i < 600; i++)
        counts[member_pick(&fixture.pick)]++;
    return NULL;
}

static void weights_are_exact_across_threads(void **state)
{
    static unsigned counts[4][IMAGE_MEMBERS];
    pthread_t threads[4];
    fixture.image.members[1].weight = 2;
    fixture.image.members[2].weight = 5;
    image_schedule(&fixture.image);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pick_many, counts[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned m = 0; m < 3; m++) {
        unsigned sum = counts[0][m] + counts[1][m] + counts[2][m] + counts[3][m];
        assert_int_equal(sum, 2400 / 8 * fixture.image.members[m].weight);
    }
}

static void a_member_in_error_gets_nothing_and_its_share_is_spread(void **state)
{
    unsigned counts[IMAGE_MEMBERS];
    monitor();
    verdict(0, VERDICT_ONLINE);
    verdict(1, VERDICT_ERROR);
    verdict(2, VERDICT_ONLINE);
    count_picks(100, counts);
    assert_int_equal(counts[1], 0);
    assert_int_equal(counts[0], 50);
}

static void a_verdict_about_another_incarnation_does_not_count(void **state)
{
    unsigned counts[IMAGE_MEMBERS];
    monitor();
    fixture.image.pool.initial_state = SNAPSHOT_INITIAL_ONLINE;
    fixture.verdicts->slots[0].word = verdict_word_make(7, VERDICT_ERROR, 0);
    count_picks(3, counts);
    assert_int_equal(counts[0], 1);
}

static void members_without_a_verdict_are_what_the_initial_state_says(void **state)
{
    unsigned counts[IMAGE_MEMBERS];
    monitor();
    assert_int_equal(member_pick(&fixture.pick), BALANCE_NONE);
    verdict(2, VERDICT_ONLINE);
    count_picks(30, counts);
    assert_int_equal(counts[2], 30);
    fixture.image.pool.initial_state = SNAPSHOT_INITIAL_ONLINE;
    fixture.image.header.generation++;
    count_picks(30, counts);
    assert_int_equal(counts[0], 10);
}

static void in_a_pool_with_a_new_monitor_they_go_on_to_serve(void **state)
{
    unsigned counts[IMAGE_MEMBERS];
    monitor();
    fixture.runtime.leniency = PICK_UNKNOWN;
    verdict(1, VERDICT_ERROR);
    count_picks(30, counts);
    assert_int_equal(counts[0], 15);
    assert_int_equal(counts[1], 0);
}

static void a_pool_that_fails_open_serves_with_all(void **state)
{
    unsigned counts[IMAGE_MEMBERS];
    monitor();
    for (uint32_t i = 0; i < 3; i++)
        verdict(i, VERDICT_ERROR);
    assert_int_equal(member_pick(&fixture.pick), BALANCE_NONE);
    fixture.runtime.leniency = PICK_ANY; /* and that nobody was found is no more true */
    count_picks(30, counts);
    assert_int_equal(counts[1], 10);
}

static void nothing_is_picked_when_all_are_in_error(void **state)
{
    monitor();
    for (uint32_t i = 0; i < 3; i++)
        verdict(i, VERDICT_ERROR);
    assert_int_equal(member_pick(&fixture.pick), BALANCE_NONE);
}

static void without_an_enabled_monitor_verdicts_do_not_matter(void **state)
{
    unsigned counts[IMAGE_MEMBERS];
    monitor();
    fixture.image.monitor.enabled = 0;
    verdict(0, VERDICT_ERROR);
    count_picks(3, counts);
    assert_int_equal(counts[0], 1);
}

static void backups_serve_only_when_no_primary_can(void **state)
{
    unsigned counts[IMAGE_MEMBERS];
    fixture.image.members[2].backup = 1;
    image_schedule(&fixture.image);
    count_picks(10, counts);
    assert_int_equal(counts[2], 0);
    fixture.image.members[0].enabled = 0;
    fixture.image.members[1].weight = 0;
    count_picks(10, counts);
    assert_int_equal(counts[2], 10);
}

/* However idle they are. */
static void backups_stay_out_under_every_algorithm(void **state)
{
    static const enum snapshot_algorithm algorithms[] = {
        SNAPSHOT_ROUND_ROBIN, SNAPSHOT_LEAST_CONNECTIONS, SNAPSHOT_SOURCE_IP,
        SNAPSHOT_SOURCE_IP_PORT};
    unsigned counts[IMAGE_MEMBERS];
    fixture.image.members[2].backup = 1;
    fixture.members[0].active = fixture.members[1].active = 100;
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        fixture.image.pool.algorithm = algorithms[i];
        fixture.image.members[0].enabled = fixture.image.members[1].enabled = 1;
        image_schedule(&fixture.image);
        count_picks(10, counts);
        assert_int_equal(counts[2], 0);
        fixture.image.members[0].enabled = fixture.image.members[1].enabled = 0;
        count_picks(10, counts);
        assert_int_equal(counts[2], 10);
    }
}

static void what_was_tried_is_not_picked_again(void **state)
{
    fixture.pick.tried[0] = 0;
    fixture.pick.tried[1] = 2;
    fixture.pick.tried_count = 2;
    for (int i = 0; i < 5; i++)
        assert_int_equal(member_pick(&fixture.pick), 1);
}

static void a_disabled_pool_serves_nobody(void **state)
{
    fixture.image.pool.enabled = 0;
    assert_int_equal(member_pick(&fixture.pick), BALANCE_NONE);
}

static void least_connections_weighs_the_load(void **state)
{
    unsigned counts[IMAGE_MEMBERS];
    fixture.image.pool.algorithm = SNAPSHOT_LEAST_CONNECTIONS;
    fixture.image.members[2].weight = 4;
    fixture.members[0].active = 1;
    fixture.members[1].active = 2;
    fixture.members[2].active = 9;
    assert_int_equal(member_pick(&fixture.pick), 0); /* 2/1, 3/1, 10/4 */
    fixture.members[0].active = 2;
    assert_int_equal(member_pick(&fixture.pick), 2);
    fixture.image.members[2].enabled = 0;
    count_picks(10, counts); /* equals take turns */
    assert_true(counts[0] >= 3 && counts[1] >= 3);
}

static void set_client(unsigned number)
{
    fixture.pick.client.address.bytes[2] = (uint8_t)(number >> 8);
    fixture.pick.client.address.bytes[3] = (uint8_t)number;
}

static void use_source(enum snapshot_algorithm algorithm)
{
    fixture.image.pool.algorithm = algorithm;
    image_schedule(&fixture.image);
}

static void source_ip_keeps_clients_by_weight(void **state)
{
    unsigned share[3] = {0};
    fixture.image.members[2].weight = 2;
    use_source(SNAPSHOT_SOURCE_IP);
    for (unsigned i = 0; i < 3000; i++) {
        set_client(i);
        uint32_t member = member_pick(&fixture.pick);
        fixture.pick.client.port++;
        assert_int_equal(member_pick(&fixture.pick), member);
        share[member]++;
    }
    assert_in_range(share[0], 650, 850);
    assert_in_range(share[2], 1350, 1650);
}

static void clients_of_a_dead_member_spread_and_return_with_it(void **state)
{
    uint32_t before[3000];
    unsigned share[3] = {0};
    use_source(SNAPSHOT_SOURCE_IP);
    monitor();
    for (uint32_t i = 0; i < 3; i++)
        verdict(i, VERDICT_ONLINE);
    for (unsigned i = 0; i < 3000; i++) {
        set_client(i);
        before[i] = member_pick(&fixture.pick);
    }
    verdict(0, VERDICT_ERROR);
    for (unsigned i = 0; i < 3000; i++) {
        set_client(i);
        uint32_t after = member_pick(&fixture.pick);
        assert_true(before[i] == 0 ? after != 0 : after == before[i]);
        share[after] += before[i] == 0;
    }
    assert_true(share[1] > 300 && share[2] > 300);
    verdict(0, VERDICT_ONLINE);
    for (unsigned i = 0; i < 3000; i++) {
        set_client(i);
        assert_int_equal(member_pick(&fixture.pick), before[i]);
    }
}

static void source_ip_port_tells_the_connections_of_a_client_apart(void **state)
{
    unsigned counts[IMAGE_MEMBERS] = {0};
    use_source(SNAPSHOT_SOURCE_IP_PORT);
    for (uint16_t port = 1; port <= 300; port++) {
        fixture.pick.client.port = port;
        counts[member_pick(&fixture.pick)]++;
    }
    assert_true(counts[0] > 60 && counts[1] > 60 && counts[2] > 60);
}

static void source_ip_does_not_depend_on_order_or_slots(void **state)
{
    uint32_t before[200];
    use_source(SNAPSHOT_SOURCE_IP_PORT);
    for (unsigned i = 0; i < 200; i++) {
        set_client(i);
        before[i] = member_pick(&fixture.pick);
    }
    struct snapshot_member first = fixture.image.members[0];
    fixture.image.members[0] = fixture.image.members[2];
    fixture.image.members[2] = first;
    fixture.image.members[2].slot = 77;
    use_source(SNAPSHOT_SOURCE_IP_PORT);
    for (unsigned i = 0; i < 200; i++) {
        set_client(i);
        assert_int_equal(member_pick(&fixture.pick), 2 - before[i]);
    }
}

/* An empty search is remembered: it must be forgotten when a verdict comes. */
static void a_pool_that_had_nobody_serves_again_at_the_first_good_verdict(void **state)
{
    monitor();
    for (uint32_t i = 0; i < 3; i++)
        verdict(i, VERDICT_ERROR);
    for (int i = 0; i < 3; i++)
        assert_int_equal(member_pick(&fixture.pick), BALANCE_NONE);
    verdict(1, VERDICT_ONLINE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(member_pick(&fixture.pick), 1);
}

static void a_full_member_is_passed_over_and_all_full_is_told(void **state)
{
    for (uint32_t i = 0; i < 3; i++)
        fixture.image.members[i].connection_limit = 2;
    fixture.members[1].active = 2;
    for (unsigned i = 0; i < 6; i++)
        assert_int_not_equal(member_pick(&fixture.pick), 1);
    fixture.members[0].active = fixture.members[2].active = 2;
    assert_int_equal(member_pick(&fixture.pick), PICK_FULL);
    fixture.image.pool.first_member = 1; /* members 1 and 2 */
    fixture.image.pool.member_count = 2;
    assert_int_equal(member_pick(&fixture.pick), PICK_FULL);
    fixture.image.pool.first_member = 0;
    fixture.image.pool.member_count = 3;
    assert_false(member_pick_is_free(&fixture.pick, 1, 1));
    fixture.members[1].active = 1;
    assert_int_equal(member_pick(&fixture.pick), 1);
    assert_true(member_pick_is_free(&fixture.pick, 1, 1));
    assert_false(member_pick_is_free(&fixture.pick, 1, 2)); /* of another configuration */
}

static void a_member_that_comes_back_takes_its_share_step_by_step(void **state)
{
    unsigned picks[IMAGE_MEMBERS];
    monitor();
    fixture.image.pool.slow_start_ms = 10000;
    fixture.pick.now_ms = 1000;
    for (uint32_t i = 0; i < 3; i++)
        verdict(i, i == 0 ? VERDICT_ERROR : VERDICT_ONLINE);
    count_picks(30, picks);
    assert_int_equal(picks[0], 0);
    verdict(0, VERDICT_ONLINE);
    count_picks(300, picks);
    assert_in_range(picks[0], 5, 15);
    fixture.pick.now_ms = 5500;
    count_picks(300, picks);
    assert_in_range(picks[0], 45, 75); /* half a share */
    fixture.pick.now_ms = 11000;
    count_picks(300, picks);
    assert_int_equal(picks[0], 100);
}

static void a_slow_member_that_is_the_only_one_takes_all(void **state)
{
    unsigned picks[IMAGE_MEMBERS];
    monitor();
    fixture.image.pool.slow_start_ms = 10000;
    fixture.pick.now_ms = 1000;
    verdict(0, VERDICT_ERROR);
    assert_int_not_equal(member_pick(&fixture.pick), 0);
    verdict(0, VERDICT_ONLINE);
    verdict(1, VERDICT_ERROR);
    verdict(2, VERDICT_ERROR);
    count_picks(20, picks);
    assert_int_equal(picks[0], 20);
}

static void least_connections_weighs_a_slow_member_by_its_share(void **state)
{
    fixture.image.pool.algorithm = SNAPSHOT_LEAST_CONNECTIONS;
    monitor();
    fixture.image.pool.slow_start_ms = 10000;
    fixture.pick.now_ms = 1000;
    for (uint32_t i = 0; i < 3; i++)
        verdict(i, i == 0 ? VERDICT_ERROR : VERDICT_ONLINE);
    member_pick(&fixture.pick);
    verdict(0, VERDICT_ONLINE);
    fixture.members[1].active = fixture.members[2].active = 8;
    assert_int_not_equal(member_pick(&fixture.pick), 0); /* 1 / 0.1 is more than 9 / 1 */
    fixture.members[1].active = fixture.members[2].active = 10;
    assert_int_equal(member_pick(&fixture.pick), 0);
}

static void a_client_by_source_address_meets_one_member_while_it_is_slow(void **state)
{
    fixture.image.pool.algorithm = SNAPSHOT_SOURCE_IP;
    monitor();
    fixture.image.pool.slow_start_ms = 10000;
    fixture.pick.now_ms = 1000;
    image_schedule(&fixture.image);
    for (uint32_t i = 0; i < 3; i++)
        verdict(i, i == 0 ? VERDICT_ERROR : VERDICT_ONLINE);
    for (uint8_t i = 0; i < 100; i++) {
        fixture.pick.client.address.bytes[3] = i;
        member_pick(&fixture.pick);
    }
    verdict(0, VERDICT_ONLINE);
    unsigned at_slow = 0;
    for (uint8_t i = 0; i < 100; i++) {
        fixture.pick.client.address.bytes[3] = i;
        uint32_t member = member_pick(&fixture.pick);
        for (uint16_t port = 1; port < 5; port++) {
            fixture.pick.client.port = port;
            assert_int_equal(member_pick(&fixture.pick), member);
        }
        at_slow += member == 0;
    }
    assert_in_range(at_slow, 1, 15); /* a third without slow start */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(round_robin_alternates_strictly, setup),
        cmocka_unit_test_setup(weights_are_exact_across_threads, setup),
        cmocka_unit_test_setup(a_member_in_error_gets_nothing_and_its_share_is_spread, setup),
        cmocka_unit_test_setup(a_verdict_about_another_incarnation_does_not_count, setup),
        cmocka_unit_test_setup(members_without_a_verdict_are_what_the_initial_state_says,
                               setup),
        cmocka_unit_test_setup(in_a_pool_with_a_new_monitor_they_go_on_to_serve, setup),
        cmocka_unit_test_setup(a_pool_that_fails_open_serves_with_all, setup),
        cmocka_unit_test_setup(nothing_is_picked_when_all_are_in_error, setup),
        cmocka_unit_test_setup(without_an_enabled_monitor_verdicts_do_not_matter, setup),
        cmocka_unit_test_setup(backups_serve_only_when_no_primary_can, setup),
        cmocka_unit_test_setup(backups_stay_out_under_every_algorithm, setup),
        cmocka_unit_test_setup(what_was_tried_is_not_picked_again, setup),
        cmocka_unit_test_setup(a_disabled_pool_serves_nobody, setup),
        cmocka_unit_test_setup(least_connections_weighs_the_load, setup),
        cmocka_unit_test_setup(source_ip_keeps_clients_by_weight, setup),
        cmocka_unit_test_setup(clients_of_a_dead_member_spread_and_return_with_it, setup),
        cmocka_unit_test_setup(source_ip_port_tells_the_connections_of_a_client_apart, setup),
        cmocka_unit_test_setup(a_pool_that_had_nobody_serves_again_at_the_first_good_verdict,
                               setup),
        cmocka_unit_test_setup(source_ip_does_not_depend_on_order_or_slots, setup),
        cmocka_unit_test_setup(a_full_member_is_passed_over_and_all_full_is_told, setup),
        cmocka_unit_test_setup(a_member_that_comes_back_takes_its_share_step_by_step, setup),
        cmocka_unit_test_setup(a_slow_member_that_is_the_only_one_takes_all, setup),
        cmocka_unit_test_setup(least_connections_weighs_a_slow_member_by_its_share, setup),
        cmocka_unit_test_setup(a_client_by_source_address_meets_one_member_while_it_is_slow,
                               setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
