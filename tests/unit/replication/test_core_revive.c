/* Deleted objects that come back, while others may have purged them. */
#include "tests/unit/replication/retention_node.h"

static void who_revives_says_everything_anew(void **state)
{
    struct fixture *fixture = *state;
    make(fixture, object, (struct uuid){0});
    make(fixture, child, object);
    set(fixture, object, FACET_LIFE, 0);
    set(fixture, object, FACET_LIFE, 1);
    const struct object *revived = facet_object(core_facets(fixture->core), &object);
    const struct object *below = facet_object(core_facets(fixture->core), &child);
    struct dot dot = facet_of(revived, FACET_LIFE)->entries[0].dot;
    for (size_t f = 0; f < revived->count; f++)
        assert_int_equal(revived->facets[f].entries[0].dot.seq, dot.seq);
    for (size_t f = 0; f < below->count; f++)
        assert_int_equal(below->facets[f].entries[0].dot.seq, dot.seq);
    assert_int_equal(facet_of(revived, 11)->entries[0].value[0], 1);
}

int main(void)
{
    crypto_start();
#define WITH_CORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CORE(who_revives_says_everything_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
