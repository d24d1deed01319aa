#include "lbnode/model/counter_board.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static void a_bucket_reaches_up_to_its_bound(void **state)
{
    for (unsigned bucket = 0; bucket + 1 < LATENCY_BUCKETS; bucket++) {
        assert_int_equal(latency_bucket(latency_bound_us(bucket)), bucket);
        assert_int_equal(latency_bucket(latency_bound_us(bucket) + 1), bucket + 1);
    }
    assert_int_equal(latency_bucket(0), 0);
    assert_int_equal(latency_bucket(UINT32_MAX), LATENCY_BUCKETS - 1);
}

static void bounds_rise_and_are_written_in_seconds(void **state)
{
    for (unsigned bucket = 0; bucket + 1 < LATENCY_BUCKETS; bucket++) {
        assert_true(latency_bound_us(bucket) < latency_bound_us(bucket + 1));
        double seconds = strtod(latency_bound_text(bucket), NULL);
        assert_int_equal((uint32_t)(seconds * 1e6 + 0.5), latency_bound_us(bucket));
    }
    assert_string_equal(latency_bound_text(LATENCY_BUCKETS - 1), "+Inf");
}

static void every_termination_has_a_name_of_its_own(void **state)
{
    for (unsigned i = 0; i < TERMINATION_COUNT; i++) {
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(termination_text((enum termination)i),
                                    termination_text((enum termination)j));
    }
    assert_string_equal(termination_text(TERMINATION_COUNT), "unknown");
}

static void every_suspicion_has_a_name_of_its_own(void **state)
{
    for (unsigned i = 0; i < SUSPICION_KIND_COUNT; i++) {
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(suspicion_text((enum suspicion_kind)i),
                                    suspicion_text((enum suspicion_kind)j));
        assert_true(suspicion_help((enum suspicion_kind)i)[0] != '\0');
    }
    assert_string_equal(suspicion_text(SUSPICION_KIND_COUNT), "unknown");
    assert_int_equal(suspicion_in_a_row(SUSPICION_KIND_COUNT), UINT32_MAX);
}

static void a_worker_takes_no_more_than_the_stated_bound(void **state)
{
    assert_true(sizeof(struct worker_counters) <= 14 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_reaches_up_to_its_bound),
        cmocka_unit_test(bounds_rise_and_are_written_in_seconds),
        cmocka_unit_test(every_suspicion_has_a_name_of_its_own),
        cmocka_unit_test(every_termination_has_a_name_of_its_own),
        cmocka_unit_test(a_worker_takes_no_more_than_the_stated_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
