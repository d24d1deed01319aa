#include "lbnode/base/random.h"
#include "lbnode/base/uuid_map.h"
#include "tests/support/test.h"

#include <string.h>

static struct uuid numbered(uint64_t n)
{
    struct uuid id = {{0}};
    memcpy(id.bytes, &n, sizeof(n));
    return id;
}

/* The map agrees with a plain array under random sets and removals (no probe chain breaks). */
static void agrees_with_an_array(void **state)
{
    enum {
        KEYS = 300,
        ROUNDS = 20000
    };
    static char present[KEYS];
    struct uuid_map map = {0};
    struct random_sequence random;
    random_sequence_init(&random, 7);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t n = random_sequence_below(&random, KEYS);
        struct uuid id = numbered(n);
        if (random_sequence_below(&random, 2)) {
            assert_true(uuid_map_set(&map, &id, &present[n]));
            present[n] = 1;
        } else {
            assert_ptr_equal(uuid_map_remove(&map, &id), present[n] ? &present[n] : NULL);
            present[n] = 0;
        }
    }
    size_t expected = 0, seen = 0, position = 0;
    for (uint64_t n = 0; n < KEYS; n++) {
        struct uuid id = numbered(n);
        assert_ptr_equal(uuid_map_get(&map, &id), present[n] ? &present[n] : NULL);
        expected += (size_t)present[n];
    }
    while (uuid_map_next(&map, &position))
        seen++;
    assert_int_equal(seen, expected);
    assert_int_equal(map.count, expected);
    uuid_map_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_an_array)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
