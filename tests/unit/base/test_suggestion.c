#include "lbnode/base/suggestion.h"
#include "tests/support/test.h"

static const char *nearest(const char *word)
{
    static const char *const valid[] = {"listener", "list",     "loadbalancer", "pool",
                                        "member",   "protocol", "protocol_port"};
    struct suggestion suggestion;
    suggestion_init(&suggestion, word);
    for (unsigned i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
        suggestion_offer(&suggestion, valid[i]);
    return suggestion.nearest;
}

static void a_slip_finds_its_word(void **state)
{
    assert_string_equal(nearest("listner"), "listener");     /* a letter is missing */
    assert_string_equal(nearest("memeber"), "member");       /* one too many */
    assert_string_equal(nearest("pool"), "pool");            /* itself */
    assert_string_equal(nearest("opol"), "pool");            /* two are swapped */
    assert_string_equal(nearest("loadbal"), "loadbalancer"); /* cut short */
    assert_string_equal(nearest("protocl"), "protocol");     /* not the longer one */
}

static void a_stranger_finds_nothing(void **state)
{
    assert_null(nearest("colour"));
    assert_null(nearest("x"));
    assert_null(nearest(""));
    assert_null(nearest("a word that is far longer than any valid word could ever be here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_finds_its_word),
        cmocka_unit_test(a_stranger_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
