#include "replication/vv.h"
#include "tests/support/test.h"

static struct bytes encoded(struct wire_writer *writer, const struct vv *vv)
{
    vv_put(writer, 1, vv);
    return wire_written(writer);
}

static void an_entry_only_rises(void **state)
{
    struct vv vv = {0};
    assert_true(vv_raise(&vv, 7, 3));
    assert_false(vv_raise(&vv, 7, 2));
    assert_false(vv_raise(&vv, 9, 0));
    assert_int_equal(vv_get(&vv, 7), 3);
    assert_int_equal(vv_get(&vv, 9), 0);
    assert_int_equal(vv.count, 1);
    vv_free(&vv);
}

static void merging_takes_the_higher_of_each(void **state)
{
    struct vv a = {0}, b = {0};
    vv_raise(&a, 1, 5);
    vv_raise(&a, 2, 1);
    vv_raise(&b, 2, 4);
    vv_raise(&b, 3, 1);
    assert_false(vv_covers(&a, &b));
    assert_true(vv_merge(&a, &b));
    assert_true(vv_covers(&a, &b));
    assert_int_equal(vv_get(&a, 1), 5);
    assert_int_equal(vv_get(&a, 2), 4);
    assert_int_equal(vv_get(&a, 3), 1);
    assert_false(vv_merge(&a, &b));
    vv_free(&a);
    vv_free(&b);
}

static void the_order_of_raising_does_not_matter(void **state)
{
    struct vv up = {0}, down = {0};
    for (uint64_t stream = 1; stream <= 50; stream++) {
        vv_raise(&up, stream, stream * 2);
        vv_raise(&down, 51 - stream, (51 - stream) * 2);
    }
    assert_true(vv_equal(&up, &down));
    assert_true(vv_digest(&up) == vv_digest(&down));
    vv_raise(&up, 50, 101);
    assert_false(vv_digest(&up) == vv_digest(&down));
    vv_free(&up);
    vv_free(&down);
}

static void a_vector_reads_back(void **state)
{
    struct vv vv = {0}, back;
    struct wire_writer writer = {0};
    vv_raise(&vv, UINT64_MAX, 1);
    vv_raise(&vv, 1, UINT64_MAX);
    assert_true(vv_parse(encoded(&writer, &vv), 1, &back));
    assert_true(vv_equal(&vv, &back));
    wire_writer_free(&writer);
    vv_free(&vv);
    vv_free(&back);
}

static void a_vector_out_of_order_is_refused(void **state)
{
    struct wire_writer writer = {0};
    struct vv low = {0}, high = {0}, back;
    vv_raise(&low, 1, 1);
    vv_raise(&high, 2, 1);
    encoded(&writer, &high);
    encoded(&writer, &low);
    assert_false(vv_parse(wire_written(&writer), 1, &back));
    wire_writer_free(&writer);
    vv_free(&low);
    vv_free(&high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_only_rises),
        cmocka_unit_test(merging_takes_the_higher_of_each),
        cmocka_unit_test(the_order_of_raising_does_not_matter),
        cmocka_unit_test(a_vector_reads_back),
        cmocka_unit_test(a_vector_out_of_order_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
