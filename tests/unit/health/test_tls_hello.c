/* The hello of a TLS-HELLO probe, and what comes in turn. */
#include "health/tls_hello.h"
#include "lbnode/base/bytes.h"
#include "tests/support/test.h"

#include <string.h>

static size_t number_at(const uint8_t *at, unsigned bytes)
{
    size_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

/* Walks the hello by its lengths (RFC 8446 4.1.2); returns the body of extension TYPE. */
static struct bytes extension(const uint8_t *hello, size_t size, unsigned type)
{
    size_t at = 5 + 4 + 2 + 32;
    struct bytes found = {NULL, 0};
    at += 1 + hello[at];
    at += 2 + number_at(hello + at, 2);
    at += 1 + hello[at];
    assert_int_equal(number_at(hello + at, 2), size - at - 2);
    for (at += 2; at < size; at += 4 + number_at(hello + at + 2, 2)) {
        if (number_at(hello + at, 2) == type)
            found = (struct bytes){hello + at + 4, number_at(hello + at + 2, 2)};
    }
    assert_int_equal(at, size);
    return found;
}

static void test_all_lengths_agree(void **state)
{
    uint8_t hello[TLS_HELLO_SIZE];
    size_t size = tls_hello_write(1, "", hello);
    assert_int_equal(number_at(hello + 3, 2), size - 5);
    assert_int_equal(number_at(hello + 6, 3), size - 9);
    assert_int_equal(extension(hello, size, 43).size, 9);  /* versions */
    assert_int_equal(extension(hello, size, 51).size, 38); /* key share */
}

static void test_a_name_is_sent_and_an_address_is_not(void **state)
{
    uint8_t hello[TLS_HELLO_SIZE];
    char name[257];
    struct bytes sent = extension(hello, tls_hello_write(1, "www.example.org", hello), 0);
    assert_int_equal(sent.size, 5 + strlen("www.example.org"));
    assert_memory_equal(sent.data + 5, "www.example.org", strlen("www.example.org"));
    assert_null(extension(hello, tls_hello_write(1, "192.0.2.1", hello), 0).data);
    assert_null(extension(hello, tls_hello_write(1, "2001:db8::1", hello), 0).data);
    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    assert_int_not_equal(tls_hello_write(1, name, hello), 0);
    name[255] = 'n';
    name[256] = '\0';
    assert_int_equal(tls_hello_write(1, name, hello), 0);
}

static void test_a_seed_gives_the_same_hello_again(void **state)
{
    uint8_t first[TLS_HELLO_SIZE], again[TLS_HELLO_SIZE], other[TLS_HELLO_SIZE];
    size_t size = tls_hello_write(1, "a", first);
    assert_int_equal(tls_hello_write(1, "a", again), size);
    assert_int_equal(tls_hello_write(2, "a", other), size);
    assert_memory_equal(first, again, size);
    assert_memory_not_equal(first, other, size);
}

#define SERVER_HELLO "\x16\x03\x03\x00\x5a\x02\x00\x00\x56\x03\x03"
#define WARNING      "\x15\x03\x03\x00\x02\x01\x70"

static const struct {
    const char *name, *data;
    size_t size;
    int reason; /* enum verdict_reason, -1: more is needed */
} answers[] = {
#define ANSWER(name, data, reason)                                                             \
    {                                                                                          \
        name, data, sizeof(data) - 1, reason                                                   \
    }
    ANSWER("a hello", SERVER_HELLO, VERDICT_REASON_NONE),
    ANSWER("a hello of TLS 1.0",
           "\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01",
           VERDICT_REASON_NONE),
    ANSWER("half of one", "\x16\x03\x03\x00\x5a\x02\x00\x00\x56\x03", -1),
    ANSWER("warnings first", WARNING WARNING WARNING WARNING SERVER_HELLO, VERDICT_REASON_NONE),
    ANSWER(
        "too many warnings", WARNING WARNING WARNING WARNING WARNING, VERDICT_REASON_TLS_ALERT),
    ANSWER("a fatal alert", "\x15\x03\x03\x00\x02\x02\x28", VERDICT_REASON_TLS_ALERT),
    ANSWER("the end", "\x15\x03\x03\x00\x02\x01\x00", VERDICT_REASON_TLS_ALERT),
    ANSWER("a long alert", "\x15\x03\x03\x00\x03\x02\x28", VERDICT_REASON_TLS_FAILED),
    ANSWER("another message",
           "\x16\x03\x03\x00\x5a\x0b\x00\x00\x56\x03\x03",
           VERDICT_REASON_TLS_FAILED),
    ANSWER("a short hello",
           "\x16\x03\x03\x00\x5a\x02\x00\x00\x25\x03\x03",
           VERDICT_REASON_TLS_FAILED),
    ANSWER("a long record", "\x16\x03\x03\x40\x01", VERDICT_REASON_NOT_TLS),
    ANSWER("an empty record", "\x16\x03\x03\x00\x00", VERDICT_REASON_NOT_TLS),
    ANSWER("data before a handshake", "\x17\x03\x03\x00\x10", VERDICT_REASON_NOT_TLS),
    ANSWER("another version", "\x16\x02\x00", VERDICT_REASON_NOT_TLS),
    ANSWER("HTTP", "HTTP/1.1 400", VERDICT_REASON_SPEAKS_PLAIN),
    ANSWER("HTML", "<", VERDICT_REASON_SPEAKS_PLAIN),
    ANSWER("SSH", "SSH-2.0", VERDICT_REASON_SPEAKS_SSH),
    ANSWER("garbage", "\xde", VERDICT_REASON_NOT_TLS),
#undef ANSWER
};

static void test_each_answer_has_its_reason_in_any_pieces(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        for (size_t step = 1; step <= answers[i].size; step++) {
            struct tls_hello_reader reader = {0};
            enum verdict_reason reason = VERDICT_REASON_NONE;
            uint8_t alert = 0;
            bool decided = false;
            for (size_t given = 0; !decided && given < answers[i].size; given += step) {
                size_t left = answers[i].size - given;
                decided = tls_hello_read(&reader, (const uint8_t *)answers[i].data + given,
                                         left < step ? left : step, &reason, &alert);
            }
            if ((decided ? (int)reason : -1) != answers[i].reason)
                fail_msg("%s in pieces of %zu: %d", answers[i].name, step, (int)reason);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_lengths_agree),
        cmocka_unit_test(test_a_name_is_sent_and_an_address_is_not),
        cmocka_unit_test(test_a_seed_gives_the_same_hello_again),
        cmocka_unit_test(test_each_answer_has_its_reason_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
