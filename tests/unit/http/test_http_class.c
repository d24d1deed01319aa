#include "lbnode/base/random.h"
#include "lbnode/http/http_class.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const unsigned scanned[] = {HTTP_CLASS_VALUE, HTTP_CLASS_TARGET, HTTP_CLASS_TCHAR};

static void assert_twins_agree(const uint8_t *data, size_t size)
{
    struct bytes text = {data, size};
    for (size_t i = 0; i < ARRAY_LENGTH(scanned); i++)
        assert_int_equal(http_all(text, scanned[i]), http_all_scalar(text, scanned[i]));
}

static void every_byte_at_every_place_is_judged_alike(void **state)
{
    uint8_t text[64];
    for (size_t size = 1; size <= sizeof(text); size++) {
        for (size_t at = 0; at < size; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                memset(text, 'a', sizeof(text));
                text[at] = (uint8_t)byte;
                assert_twins_agree(text, size);
            }
        }
    }
}

/* Where in memory a text begins makes no difference either. */
static void every_alignment_is_judged_alike(void **state)
{
    _Alignas(64) uint8_t text[128];
    for (size_t start = 0; start < 64; start++) {
        for (size_t at = 0; at < 48; at++) {
            for (unsigned byte = 0; byte < 256; byte += at % 7 + 1) {
                memset(text, 'a', sizeof(text));
                text[start + at] = (uint8_t)byte;
                assert_twins_agree(text + start, 48);
                assert_twins_agree(text + start, 47);
            }
        }
    }
}

/* Mostly good bytes, or nothing would ever be accepted. */
static void random_texts_are_judged_alike(void **state)
{
    struct random_sequence random;
    uint8_t text[300];
    random_sequence_init(&random, 1);
    for (unsigned round = 0; round < 20000; round++) {
        size_t size = random_sequence_below(&random, sizeof(text));
        for (size_t i = 0; i < size; i++)
            text[i] =
                (uint8_t)(random_sequence_below(&random, 100) ? '!'
                                                              : random_sequence_next(&random));
        assert_twins_agree(text, size);
    }
}

/* The last byte stands before a page that must not be touched. */
static void nothing_behind_the_text_is_read(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    memset(pages, 'x', page);
    for (size_t size = 0; size < 64; size++)
        assert_true(http_all((struct bytes){pages + page - size, size}, HTTP_CLASS_VALUE));
    munmap(pages, 2 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_at_every_place_is_judged_alike),
        cmocka_unit_test(every_alignment_is_judged_alike),
        cmocka_unit_test(random_texts_are_judged_alike),
        cmocka_unit_test(nothing_behind_the_text_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
