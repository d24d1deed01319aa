/* What an answer is judged to be, however it is cut to pieces. */
#include "health/probe_answer.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define TEXT(literal)                                                                          \
    {                                                                                          \
        (const uint8_t *)(literal), sizeof(literal) - 1                                        \
    }

static const struct {
    const char *name;
    struct bytes answer;
    int reason; /* enum verdict_reason, -1: more is needed */
    uint16_t status;
} rows[] = {
    {"a good one", TEXT(OK "Content-Length: 2\r\n\r\nok"), VERDICT_REASON_NONE, 200},
    {"no reason phrase", TEXT("HTTP/1.0 200\r\n\r\n"), VERDICT_REASON_NONE, 200},
    {"a status line only", TEXT(OK), -1, 0},
    {"not expected", TEXT("HTTP/1.1 503 x\r\n\r\n"), VERDICT_REASON_STATUS, 503},
    {"a redirect", TEXT("HTTP/1.1 302 x\r\nLocation: /\r\n\r\n"), VERDICT_REASON_STATUS, 302},
    {"304", TEXT("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n"), VERDICT_REASON_STATUS, 304},
    {"a body that a 204 cannot have", TEXT("HTTP/1.1 204 x\r\n\r\nbody"), VERDICT_REASON_STATUS,
     204},
    {"wrong chunks", TEXT(OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), VERDICT_REASON_NONE,
     200},
    {"interim first",
     TEXT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" OK "\r\n"),
     VERDICT_REASON_NONE, 200},
    {"interim only", TEXT("HTTP/1.1 100 Continue\r\n\r\n"), -1, 0},
    {"101", TEXT("HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n"), VERDICT_REASON_SWITCHED, 101},
    {"garbage", TEXT("\xde\xad\xbe\xef"), VERDICT_REASON_NOT_HTTP, 0},
    {"HTTP/0.9", TEXT("<html>"), VERDICT_REASON_NOT_HTTP, 0},
    {"another greeting", TEXT("220 mail"), VERDICT_REASON_NOT_HTTP, 0},
    {"SSH", TEXT("SSH-2.0-x\r\n"), VERDICT_REASON_SPEAKS_SSH, 0},
    {"what may become SSH", TEXT("SSH"), -1, 0},
    {"what could have become SSH", TEXT("SSL-"), VERDICT_REASON_NOT_HTTP, 0},
    {"a TLS alert", TEXT("\x15\x03\x01\0\x02\x02\x46"), VERDICT_REASON_SPEAKS_TLS, 0},
    {"a TLS handshake", TEXT("\x16\x03"), VERDICT_REASON_SPEAKS_TLS, 0},
    {"HTTP/2 settings", TEXT("\0\0\x0c\x04\0\0\0\0\0"), VERDICT_REASON_SPEAKS_HTTP2, 0},
    {"HTTP/2 preface", TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), VERDICT_REASON_SPEAKS_HTTP2,
     0},
    {"HTTP/2 in a status line", TEXT("HTTP/2 200 OK\r\n\r\n"), VERDICT_REASON_HTTP_VERSION, 0},
    {"lower case", TEXT("http/1.1 200 OK\r\n\r\n"), VERDICT_REASON_STATUS_LINE, 0},
    {"two digits", TEXT("HTTP/1.1 20 OK\r\n\r\n"), VERDICT_REASON_STATUS_LINE, 0},
    {"a phrase with a control byte", TEXT("HTTP/1.1 200 \x01\r\n\r\n"),
     VERDICT_REASON_STATUS_LINE, 0},
    {"status 2000", TEXT("HTTP/1.1 2000 OK\r\n\r\n"), VERDICT_REASON_STATUS_RANGE, 0},
    {"status 600", TEXT("HTTP/1.1 600 OK\r\n\r\n"), VERDICT_REASON_STATUS_RANGE, 0},
    {"status 099", TEXT("HTTP/1.1 099 OK\r\n\r\n"), VERDICT_REASON_STATUS_RANGE, 0},
    {"NUL in the status line", TEXT("HTTP/1.1 200 \0\r\n\r\n"), VERDICT_REASON_HEAD_NUL, 0},
    {"NUL in a value", TEXT(OK "X: a\0b\r\n\r\n"), VERDICT_REASON_HEAD_NUL, 0},
    {"NUL in a name", TEXT(OK "X\0: b\r\n\r\n"), VERDICT_REASON_HEAD_NUL, 0},
    {"a control byte in a value", TEXT(OK "X: \x1b[0m\r\n\r\n"), VERDICT_REASON_HEAD_VALUE, 0},
    {"bare LF", TEXT("HTTP/1.1 200 OK\n\n"), VERDICT_REASON_HEAD_LINE_END, 0},
    {"bare CR", TEXT(OK "X: a\rY: b\r\n\r\n"), VERDICT_REASON_HEAD_LINE_END, 0},
    {"a folded line", TEXT(OK "X: a\r\n b\r\n\r\n"), VERDICT_REASON_HEAD_FOLDED, 0},
    {"an empty name", TEXT(OK ": a\r\n\r\n"), VERDICT_REASON_HEAD_NAME, 0},
    {"a space before the colon", TEXT(OK "X : a\r\n\r\n"), VERDICT_REASON_HEAD_NAME, 0},
    {"no colon", TEXT(OK "X\r\n\r\n"), VERDICT_REASON_HEAD_NAME, 0},
    {"two lengths", TEXT(OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
     VERDICT_REASON_CONTENT_LENGTH, 0},
    {"a length of words", TEXT(OK "Content-Length: some\r\n\r\n"),
     VERDICT_REASON_CONTENT_LENGTH, 0},
};

static struct probe_scratch scratch;

/* Feeds ANSWER in pieces of STEP bytes at most; false: more is needed. */
static bool judge(struct bytes answer, size_t step, struct probe_judgement *out)
{
    struct probe_answer state = {0};
    bool decided = false;
    for (size_t given = 0; !decided && given < answer.size;) {
        size_t room, size = answer.size - given < step ? answer.size - given : step;
        char *at = probe_answer_room(&state, &scratch, &room);
        assert_true(room > 0);
        size = size < room ? size : room;
        memcpy(at, answer.data + given, size);
        decided = probe_answer_take(&state, &scratch, size, "GET", "200", out);
        given += size;
        /* Other probes use the scratch buffer meanwhile. */
        memset(scratch.bytes, 'x', sizeof(scratch.bytes));
    }
    probe_answer_reset(&state);
    return decided;
}

static void test_each_answer_has_its_reason_in_any_pieces(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (size_t step = 1; step <= rows[i].answer.size; step++) {
            struct probe_judgement out = {0};
            bool decided = judge(rows[i].answer, step, &out);
            if (decided != (rows[i].reason >= 0) ||
                (decided &&
                 ((int)out.reason != rows[i].reason || out.status != rows[i].status)))
                fail_msg("%s in pieces of %zu: %d, reason %d, status %u", rows[i].name, step,
                         decided, (int)out.reason, out.status);
        }
    }
}

/* START and then UNIT again and again. */
static enum verdict_reason judge_endless(const char *start, const char *unit, size_t step)
{
    static char endless[3 * PROBE_ANSWER_SIZE];
    struct probe_judgement out = {0};
    size_t size = strlen(start), unit_size = strlen(unit);
    memcpy(endless, start, size);
    for (; size + unit_size <= sizeof(endless); size += unit_size)
        memcpy(endless + size, unit, unit_size);
    assert_true(judge((struct bytes){(const uint8_t *)endless, size}, step, &out));
    return out.reason;
}

static void test_what_has_no_end_is_cut_off(void **state)
{
    static const size_t steps[] = {1, 100, 4096, PROBE_ANSWER_SIZE};
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        assert_int_equal(judge_endless(OK "X: ", "y", steps[i]), VERDICT_REASON_HEAD_SIZE);
        assert_int_equal(judge_endless(OK, "X: y\r\n", steps[i]), VERDICT_REASON_HEAD_FIELDS);
        assert_int_equal(judge_endless("HTTP/1.1 200 ", "y", steps[i]),
                         VERDICT_REASON_STATUS_LINE);
        assert_int_equal(judge_endless("", "HTTP/1.1 102 Processing\r\n\r\n", steps[i]),
                         VERDICT_REASON_ONLY_INTERIM);
    }
}

static void test_only_what_is_unfinished_is_kept(void **state)
{
    struct probe_answer answer = {0};
    struct probe_judgement out;
    size_t room;
    char *at = probe_answer_room(&answer, &scratch, &room);
    static const char piece[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2";
    memcpy(at, piece, sizeof(piece) - 1);
    assert_false(probe_answer_take(&answer, &scratch, sizeof(piece) - 1, "GET", "200", &out));
    assert_int_equal(answer.kept_size, strlen("HTTP/1.1 2"));
    probe_answer_reset(&answer);
    assert_null(answer.kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_answer_has_its_reason_in_any_pieces),
        cmocka_unit_test(test_what_has_no_end_is_cut_off),
        cmocka_unit_test(test_only_what_is_unfinished_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
