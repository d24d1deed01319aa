#include "lbnode/base/siphash.h"

#include "tests/support/test.h"

static uint8_t key[SIPHASH_KEY_SIZE], text[64];

static int setup(void **state)
{
    for (uint8_t i = 0; i < sizeof(text); i++)
        text[i] = i;
    for (uint8_t i = 0; i < sizeof(key); i++)
        key[i] = i;
    return 0;
}

/* From the authors' reference implementation: key 00 01 .. 0f, text 00 01 .. n-1. */
static void the_published_vectors_hold(void **state)
{
    static const struct {
        size_t size;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)}, {63, UINT64_C(0x958a324ceb064572)},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_true(siphash(key, text, vectors[i].size) == vectors[i].hash);
}

static void another_key_gives_another_hash(void **state)
{
    uint64_t before = siphash(key, text, 16);
    key[15] ^= 1;
    assert_true(siphash(key, text, 16) != before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_published_vectors_hold, setup),
        cmocka_unit_test_setup(another_key_gives_another_hash, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
