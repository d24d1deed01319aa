#include "lbnode/base/base64.h"
#include "tests/support/test.h"

#include <string.h>

static struct bytes text(const char *value)
{
    return (struct bytes){(const uint8_t *)value, strlen(value)};
}

/* RFC 4648, section 10. */
static const char *const vectors[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};

static void the_vectors_of_the_rfc_hold(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++) {
        char encoded[16];
        uint8_t decoded[16];
        size_t size;
        base64_encode(text(vectors[i][0]), encoded);
        assert_string_equal(encoded, vectors[i][1]);
        assert_true(base64_decode(text(encoded), decoded, &size));
        assert_int_equal(size, strlen(vectors[i][0]));
        assert_memory_equal(decoded, vectors[i][0], size);
    }
}

static void every_byte_comes_back_and_may_take_the_place_of_its_text(void **state)
{
    uint8_t all[256];
    char encoded[BASE64_SIZE(256) + 1];
    size_t size;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    base64_encode((struct bytes){all, sizeof(all)}, encoded);
    assert_int_equal(strlen(encoded), BASE64_SIZE(256));
    assert_true(base64_decode(text(encoded), (uint8_t *)encoded, &size));
    assert_int_equal(size, sizeof(all));
    assert_memory_equal(encoded, all, sizeof(all));
}

static void what_is_not_exactly_base64_is_refused(void **state)
{
    static const char *const bad[] = {
        "Z",        "Zg",   "Zg=",  "Zg==Zg==", "Z===", "====", "Zm9v\n",
        "Zm 9v===", "Zh==", "Zm9=", "Zm-_",     "Zg=a", "Zm9vZ"};
    uint8_t out[16];
    size_t size;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(base64_decode(text(bad[i]), out, &size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold),
        cmocka_unit_test(every_byte_comes_back_and_may_take_the_place_of_its_text),
        cmocka_unit_test(what_is_not_exactly_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
