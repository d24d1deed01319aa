#include "lbnode/node/peer_verdicts.h"
#include "tests/support/test.h"

enum {
    SLOT = 5,
    INCARNATION = 77,
    LIMIT_MS = 1000
};

static const struct uuid lb2 = {{2}}, lb3 = {{3}};

static struct shared_verdict verdict_of(enum verdict_state state, uint32_t age_ms)
{
    return (struct shared_verdict){
        .state = (uint8_t)state, .reason = 1, .age_ms = age_ms, .probe_age_ms = age_ms};
}

static bool put(struct peer_verdicts *table,
                const struct uuid *peer,
                const struct shared_verdict *verdict,
                uint64_t now_ms)
{
    return peer_verdicts_put(table, peer, SLOT, INCARNATION, verdict, now_ms);
}

static enum verdict_state
best(const struct peer_verdicts *table, const struct uuid *active, uint64_t now_ms)
{
    uint64_t held_ms;
    const struct peer_verdict *verdict =
        peer_verdicts_best(table, SLOT, INCARNATION, active, LIMIT_MS, now_ms, &held_ms);
    return verdict ? (enum verdict_state)verdict->state : VERDICT_UNKNOWN;
}

static void a_view_grows_older_until_it_is_told_anew(void **state)
{
    struct peer_verdicts *table = peer_verdicts_new();
    struct shared_verdict verdict = verdict_of(VERDICT_ERROR, 100), found;
    assert_true(put(table, &lb2, &verdict, 1000));
    assert_true(peer_verdicts_view(table, &lb2, SLOT, INCARNATION, 1500, &found));
    assert_int_equal(found.state, VERDICT_ERROR);
    assert_int_equal(found.age_ms, 600);
    assert_int_equal(found.probe_age_ms, 600);
    verdict.state = VERDICT_ONLINE;
    assert_true(put(table, &lb2, &verdict, 2000));
    assert_true(peer_verdicts_view(table, &lb2, SLOT, INCARNATION, 2000, &found));
    assert_int_equal(found.state, VERDICT_ONLINE);
    assert_int_equal(found.age_ms, 100);
    peer_verdicts_free(table);
}

static void each_peer_has_its_own_view(void **state)
{
    struct peer_verdicts *table = peer_verdicts_new();
    struct shared_verdict error = verdict_of(VERDICT_ERROR, 0), found;
    struct shared_verdict online = verdict_of(VERDICT_ONLINE, 0);
    assert_true(put(table, &lb2, &error, 1000));
    assert_false(peer_verdicts_view(table, &lb3, SLOT, INCARNATION, 1000, &found));
    assert_true(put(table, &lb3, &online, 1000));
    assert_true(peer_verdicts_view(table, &lb2, SLOT, INCARNATION, 1000, &found));
    assert_int_equal(found.state, VERDICT_ERROR);
    peer_verdicts_free(table);
}

static void what_was_told_of_an_earlier_member_does_not_count(void **state)
{
    struct peer_verdicts *table = peer_verdicts_new();
    struct shared_verdict verdict = verdict_of(VERDICT_ERROR, 0), found;
    assert_true(put(table, &lb2, &verdict, 1000));
    assert_false(peer_verdicts_view(table, &lb2, SLOT, INCARNATION + 1, 1000, &found));
    assert_false(peer_verdicts_view(table, &lb2, MEMBER_SLOTS, INCARNATION, 1000, &found));
    assert_false(peer_verdicts_put(table, &lb2, MEMBER_SLOTS, INCARNATION, &verdict, 1000));
    peer_verdicts_free(table);
}

static void a_probe_that_never_was_stays_so(void **state)
{
    struct peer_verdicts *table = peer_verdicts_new();
    struct shared_verdict verdict = verdict_of(VERDICT_ERROR, UINT32_MAX), found;
    assert_true(put(table, &lb2, &verdict, 1000));
    assert_true(peer_verdicts_view(table, &lb2, SLOT, INCARNATION, 9000, &found));
    assert_int_equal(found.probe_age_ms, UINT32_MAX);
    peer_verdicts_free(table);
}

static void a_node_that_left_makes_room_for_another(void **state)
{
    struct peer_verdicts *table = peer_verdicts_new();
    struct shared_verdict verdict = verdict_of(VERDICT_ERROR, 0), found;
    for (uint8_t i = 1; i <= PEER_VERDICTS_PEERS; i++)
        assert_true(put(table, &(struct uuid){{i}}, &verdict, i));
    assert_false(put(table, &(struct uuid){{100}}, &verdict, 500));
    peer_verdicts_forget(table, &(struct uuid){{7}});
    assert_false(
        peer_verdicts_view(table, &(struct uuid){{7}}, SLOT, INCARNATION, 500, &found));
    assert_true(put(table, &(struct uuid){{100}}, &verdict, 500));
    peer_verdicts_free(table);
}

static void the_active_nodes_verdict_is_worth_most(void **state)
{
    struct peer_verdicts *table = peer_verdicts_new();
    struct shared_verdict error = verdict_of(VERDICT_ERROR, 0);
    struct shared_verdict online = verdict_of(VERDICT_ONLINE, 0);
    assert_true(put(table, &lb2, &error, 1000));
    assert_true(put(table, &lb3, &online, 1200));
    assert_int_equal(best(table, &lb2, 1300), VERDICT_ERROR);
    assert_int_equal(best(table, NULL, 1300), VERDICT_ONLINE); /* the later probe */
    peer_verdicts_free(table);
}

static void who_probes_rarely_is_worth_less(void **state)
{
    struct peer_verdicts *table = peer_verdicts_new();
    struct shared_verdict error = verdict_of(VERDICT_ERROR, 0);
    struct shared_verdict online = verdict_of(VERDICT_ONLINE, 0);
    online.rare = true;
    assert_true(put(table, &lb2, &error, 1000));
    assert_true(put(table, &lb3, &online, 1200));
    assert_int_equal(best(table, NULL, 1300), VERDICT_ERROR);
    peer_verdicts_free(table);
}

static void a_verdict_counts_as_long_as_its_author_confirms_it(void **state)
{
    struct peer_verdicts *table = peer_verdicts_new();
    struct shared_verdict error = verdict_of(VERDICT_ERROR, 0);
    assert_true(put(table, &lb2, &error, 1000));
    assert_int_equal(best(table, &lb2, 1000 + LIMIT_MS - 1), VERDICT_ERROR);
    assert_int_equal(best(table, &lb2, 1000 + LIMIT_MS), VERDICT_UNKNOWN);
    peer_verdicts_confirm(table, &lb2, 1800);
    assert_int_equal(best(table, &lb2, 1800 + LIMIT_MS - 1), VERDICT_ERROR);
    assert_int_equal(best(table, &lb2, 1800 + LIMIT_MS), VERDICT_UNKNOWN);
    peer_verdicts_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_grows_older_until_it_is_told_anew),
        cmocka_unit_test(each_peer_has_its_own_view),
        cmocka_unit_test(what_was_told_of_an_earlier_member_does_not_count),
        cmocka_unit_test(a_probe_that_never_was_stays_so),
        cmocka_unit_test(a_node_that_left_makes_room_for_another),
        cmocka_unit_test(the_active_nodes_verdict_is_worth_most),
        cmocka_unit_test(who_probes_rarely_is_worth_less),
        cmocka_unit_test(a_verdict_counts_as_long_as_its_author_confirms_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
