#include "lbnode/model/verdict_board.h"
#include "lbnode/node/peer_views.h"
#include "tests/support/test.h"

enum {
    SLOT = 5,
    INCARNATION = 77
};

static const struct uuid lb2 = {{2}}, lb3 = {{3}};

static struct shared_verdict error_of(uint32_t age_ms)
{
    return (struct shared_verdict){
        .state = VERDICT_ERROR, .reason = 1, .age_ms = age_ms, .probe_age_ms = age_ms};
}

static void a_view_grows_older_until_it_is_told_anew(void **state)
{
    struct peer_views *verdicts = peer_views_new();
    struct shared_verdict verdict = error_of(100), found;
    peer_views_put(verdicts, &lb2, SLOT, INCARNATION, &verdict, 1000);
    assert_true(peer_views_find(verdicts, &lb2, SLOT, INCARNATION, 1500, &found));
    assert_int_equal(found.state, VERDICT_ERROR);
    assert_int_equal(found.age_ms, 600);
    assert_int_equal(found.probe_age_ms, 600);
    verdict.state = VERDICT_ONLINE;
    peer_views_put(verdicts, &lb2, SLOT, INCARNATION, &verdict, 2000);
    assert_true(peer_views_find(verdicts, &lb2, SLOT, INCARNATION, 2000, &found));
    assert_int_equal(found.state, VERDICT_ONLINE);
    assert_int_equal(found.age_ms, 100);
    peer_views_free(verdicts);
}

static void each_peer_has_its_own_view(void **state)
{
    struct peer_views *verdicts = peer_views_new();
    struct shared_verdict verdict = error_of(0), found;
    peer_views_put(verdicts, &lb2, SLOT, INCARNATION, &verdict, 1000);
    assert_false(peer_views_find(verdicts, &lb3, SLOT, INCARNATION, 1000, &found));
    verdict.state = VERDICT_ONLINE;
    peer_views_put(verdicts, &lb3, SLOT, INCARNATION, &verdict, 1000);
    assert_true(peer_views_find(verdicts, &lb2, SLOT, INCARNATION, 1000, &found));
    assert_int_equal(found.state, VERDICT_ERROR);
    peer_views_free(verdicts);
}

static void what_was_told_of_an_earlier_member_does_not_count(void **state)
{
    struct peer_views *verdicts = peer_views_new();
    struct shared_verdict verdict = error_of(0), found;
    peer_views_put(verdicts, &lb2, SLOT, INCARNATION, &verdict, 1000);
    assert_false(peer_views_find(verdicts, &lb2, SLOT, INCARNATION + 1, 1000, &found));
    assert_false(peer_views_find(verdicts, &lb2, MEMBER_SLOTS, INCARNATION, 1000, &found));
    peer_views_put(verdicts, &lb2, MEMBER_SLOTS, INCARNATION, &verdict, 1000);
    peer_views_free(verdicts);
}

static void a_probe_that_never_was_stays_so(void **state)
{
    struct peer_views *verdicts = peer_views_new();
    struct shared_verdict verdict = error_of(UINT32_MAX), found;
    peer_views_put(verdicts, &lb2, SLOT, INCARNATION, &verdict, 1000);
    assert_true(peer_views_find(verdicts, &lb2, SLOT, INCARNATION, 9000, &found));
    assert_int_equal(found.probe_age_ms, UINT32_MAX);
    peer_views_free(verdicts);
}

static void of_too_many_peers_the_most_silent_one_is_forgotten(void **state)
{
    struct peer_views *verdicts = peer_views_new();
    struct shared_verdict verdict = error_of(0), found;
    for (uint8_t i = 1; i <= PEER_VIEWS_MAXIMUM; i++)
        peer_views_put(verdicts, &(struct uuid){{i}}, SLOT, INCARNATION, &verdict, i);
    peer_views_put(verdicts, &(struct uuid){{1}}, SLOT, INCARNATION, &verdict, 500);
    peer_views_put(verdicts, &(struct uuid){{100}}, SLOT, INCARNATION, &verdict, 501);
    assert_true(peer_views_find(verdicts, &(struct uuid){{1}}, SLOT, INCARNATION, 501, &found));
    assert_false(
        peer_views_find(verdicts, &(struct uuid){{2}}, SLOT, INCARNATION, 501, &found));
    peer_views_free(verdicts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_grows_older_until_it_is_told_anew),
        cmocka_unit_test(each_peer_has_its_own_view),
        cmocka_unit_test(what_was_told_of_an_earlier_member_does_not_count),
        cmocka_unit_test(a_probe_that_never_was_stays_so),
        cmocka_unit_test(of_too_many_peers_the_most_silent_one_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
