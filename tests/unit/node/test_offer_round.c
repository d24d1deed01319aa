/* Whom a node that should not be active asks, one after the other. */
#include "lbnode/node/offer_round.h"

#include "lbnode/base/bytes.h"
#include "tests/support/test.h"

enum {
    ANSWER_MS = 1000
};

static const struct uuid fit[] = {{{7}}, {{3}}, {{5}}};

/* The first byte of the id of who is asked; 0: nobody. */
static int asks(struct offer_round *round, size_t fit_count, uint64_t now_ms)
{
    const struct uuid *next = offer_round_next(round, fit, fit_count, ANSWER_MS, now_ms);
    return next ? next->bytes[0] : 0;
}

static void each_fit_node_is_asked_once_when_the_one_before_had_time_to_answer(void **state)
{
    struct offer_round round = {0};
    assert_int_equal(asks(&round, ARRAY_LENGTH(fit), 10000), 3);
    assert_int_equal(asks(&round, ARRAY_LENGTH(fit), 10999), 0);
    assert_int_equal(asks(&round, ARRAY_LENGTH(fit), 11000), 5);
    assert_int_equal(asks(&round, ARRAY_LENGTH(fit), 12000), 7);
    assert_int_equal(asks(&round, ARRAY_LENGTH(fit), 13000), 0);
    assert_false(round.repeats);
}

static void after_a_round_it_waits_before_the_next_which_is_told_as_a_repetition(void **state)
{
    struct offer_round round = {0};
    assert_int_equal(asks(&round, 1, 10000), 7);
    assert_int_equal(asks(&round, 1, 10000 + OFFER_ROUND_PAUSE_MS - 1), 0);
    assert_int_equal(asks(&round, 1, 10000 + OFFER_ROUND_PAUSE_MS), 7);
    assert_true(round.repeats);
}

static void who_is_no_longer_fit_does_not_hold_the_others_up(void **state)
{
    struct offer_round round = {0};
    assert_int_equal(asks(&round, 2, 10000), 3);
    assert_int_equal(asks(&round, 1, 11000), 7);
}

static void where_nobody_is_fit_nobody_is_asked(void **state)
{
    struct offer_round round = {0};
    assert_int_equal(asks(&round, 0, 10000), 0);
    assert_int_equal(asks(&round, 1, 10001), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fit_node_is_asked_once_when_the_one_before_had_time_to_answer),
        cmocka_unit_test(after_a_round_it_waits_before_the_next_which_is_told_as_a_repetition),
        cmocka_unit_test(who_is_no_longer_fit_does_not_hold_the_others_up),
        cmocka_unit_test(where_nobody_is_fit_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
