#include "proxy/suspicion_ring.h"

#include "tests/support/test.h"

#include <string.h>

static struct suspicion_ring ring;

static int setup(void **state)
{
    memset(&ring, 0, sizeof(ring));
    return 0;
}

static void suspicions_come_out_in_the_order_in_which_they_went_in(void **state)
{
    struct suspicion out;
    for (uint32_t i = 0; i < 5; i++)
        assert_true(suspicion_ring_put(&ring, &(struct suspicion){i, 10 + i, SUSPICION_EMPTY}));
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(suspicion_ring_take(&ring, &out));
        assert_int_equal(out.slot, i);
        assert_int_equal(out.incarnation, 10 + i);
        assert_int_equal(out.kind, SUSPICION_EMPTY);
    }
    assert_false(suspicion_ring_take(&ring, &out));
}

static void a_full_ring_takes_no_more_until_one_is_out(void **state)
{
    struct suspicion item = {1, 1, SUSPICION_CONNECT}, out;
    for (uint32_t round = 0; round < 3; round++) {
        unsigned taken = 0;
        while (suspicion_ring_put(&ring, &item))
            taken++;
        assert_int_equal(taken, round == 0 ? SUSPICION_RING_SIZE : 1);
        assert_true(suspicion_ring_take(&ring, &out));
    }
}

/* The counts run over after 2^32. */
static void the_ring_goes_on_when_its_counts_run_over(void **state)
{
    struct suspicion item = {7, 1, SUSPICION_CONNECT}, out;
    ring.put = ring.taken = UINT32_MAX - 1;
    for (uint32_t i = 0; i < 4; i++)
        assert_true(suspicion_ring_put(&ring, &item));
    for (uint32_t i = 0; i < 4; i++)
        assert_true(suspicion_ring_take(&ring, &out));
    assert_false(suspicion_ring_take(&ring, &out));
}

static void a_member_is_suspected_once_a_second(void **state)
{
    _Atomic uint64_t last_ms = 0;
    assert_true(suspicion_is_due(&last_ms, 300));
    assert_false(suspicion_is_due(&last_ms, 300));
    assert_false(suspicion_is_due(&last_ms, 290)); /* by a worker whose clock is behind */
    assert_false(suspicion_is_due(&last_ms, 1299));
    assert_true(suspicion_is_due(&last_ms, 1300));
    assert_false(suspicion_is_due(&last_ms, 1301));
}

static void all_members_together_are_suspected_so_many_times_a_second(void **state)
{
    struct suspicion_allowance allowance = {0};
    for (unsigned i = 0; i < SUSPICIONS_PER_SECOND; i++)
        assert_true(suspicion_allowance_take(&allowance, 5000 + i));
    assert_false(suspicion_allowance_take(&allowance, 5999));
    assert_true(suspicion_allowance_take(&allowance, 6000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(suspicions_come_out_in_the_order_in_which_they_went_in, setup),
        cmocka_unit_test_setup(a_full_ring_takes_no_more_until_one_is_out, setup),
        cmocka_unit_test_setup(the_ring_goes_on_when_its_counts_run_over, setup),
        cmocka_unit_test(a_member_is_suspected_once_a_second),
        cmocka_unit_test(all_members_together_are_suspected_so_many_times_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
