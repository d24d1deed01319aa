#include "lbnode/crypto/crypto.h"
#include "lbnode/crypto/passphrase_box.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct bytes text(const char *value)
{
    return (struct bytes){(const uint8_t *)value, strlen(value)};
}

static void release(struct bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static void expect_same(size_t size)
{
    struct bytes box, out, content = {calloc(1, size + 1), size};
    memset((void *)(uintptr_t)content.data, 'x', size);
    assert_true(passphrase_box_seal(text("correct horse"), content, &box));
    assert_int_equal(passphrase_box_open(text("correct horse"), box, &out),
                     PASSPHRASE_BOX_OPENED);
    assert_true(bytes_equal(content, out));
    release(box);
    release(out);
    release(content);
}

static void content_of_any_size_comes_back(void **state)
{
    expect_same(0);
    expect_same(1);
    expect_same(64 << 10);
    expect_same((64 << 10) + 1);
    expect_same(200000);
}

static void another_passphrase_opens_nothing(void **state)
{
    struct bytes box, out;
    assert_true(passphrase_box_seal(text("correct horse"), text("secret"), &box));
    assert_null(memmem(box.data, box.size, "secret", 6));
    assert_int_equal(passphrase_box_open(text("correct horsf"), box, &out),
                     PASSPHRASE_BOX_REFUSED);
    assert_null(out.data);
    release(box);
}

static void a_changed_or_shortened_box_is_refused(void **state)
{
    struct bytes box, out;
    uint8_t *content = calloc(1, 130000);
    assert_true(
        passphrase_box_seal(text("correct horse"), (struct bytes){content, 130000}, &box));
    uint8_t *bytes = (uint8_t *)(uintptr_t)box.data;
    bytes[box.size - 1] ^= 1;
    assert_int_equal(passphrase_box_open(text("correct horse"), box, &out),
                     PASSPHRASE_BOX_REFUSED);
    bytes[box.size - 1] ^= 1;
    /* Without the last chunk. */
    const size_t head = 56, chunk = (64 << 10) + 17;
    assert_int_equal(passphrase_box_open(text("correct horse"),
                                         (struct bytes){box.data, head + chunk}, &out),
                     PASSPHRASE_BOX_REFUSED);
    release(box);
    free(content);
}

static void something_else_is_foreign(void **state)
{
    struct bytes out;
    char other[200] = "not a backup";
    assert_int_equal(passphrase_box_open(text("correct horse"),
                                         (struct bytes){(uint8_t *)other, sizeof(other)}, &out),
                     PASSPHRASE_BOX_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_of_any_size_comes_back),
        cmocka_unit_test(another_passphrase_opens_nothing),
        cmocka_unit_test(a_changed_or_shortened_box_is_refused),
        cmocka_unit_test(something_else_is_foreign),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
