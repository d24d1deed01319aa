/* The answer to a probe: any pieces give the same judgement, what is good is what the parser
 * of heads calls good, and no more is kept than came. */
#include "health/expected_codes.h"
#include "health/probe_answer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct probe_scratch scratch;

static bool judge(const uint8_t *data, size_t size, size_t step, struct probe_judgement *out)
{
    struct probe_answer answer = {0};
    bool decided = false;
    *out = (struct probe_judgement){0};
    for (size_t given = 0; !decided && given < size;) {
        size_t room, piece = size - given < step ? size - given : step;
        char *at = probe_answer_room(&answer, &scratch, &room);
        if (room == 0 || at + room > scratch.bytes + sizeof(scratch.bytes))
            abort();
        piece = piece < room ? piece : room;
        memcpy(at, data + given, piece);
        decided = probe_answer_take(&answer, &scratch, piece, "GET", "200-299", out);
        given += piece;
        if (answer.kept_size > given || answer.interims > PROBE_MAXIMUM_INTERIMS + 1)
            abort();
        memset(scratch.bytes, 0, sizeof(scratch.bytes));
    }
    probe_answer_reset(&answer);
    return decided;
}

/* The parser alone, without interim answers and the probe's limit of size. */
static void compare_with_parser(const uint8_t *data, size_t size, bool decided, uint16_t status)
{
    static struct http_head head;
    struct bytes method = {(const uint8_t *)"GET", 3};
    http_head_init(&head);
    if (size >= PROBE_ANSWER_SIZE)
        return;
    enum http_parse_result result =
        http_response_parse(&head, (const char *)data, size, method);
    if (result == HTTP_COMPLETE && head.status >= 200 && (!decided || status != head.status))
        abort();
    if (result == HTTP_BAD && decided && status != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct probe_judgement whole, pieces;
    size_t step = size > 0 ? 1 + data[size - 1] % 64 : 1;
    bool decided = judge(data, size, PROBE_ANSWER_SIZE, &whole);
    if (judge(data, size, step, &pieces) != decided || pieces.reason != whole.reason ||
        pieces.status != whole.status)
        abort();
    if (decided && whole.reason == VERDICT_REASON_NONE &&
        !expected_codes_match("200-299", whole.status))
        abort();
    if (size > 0)
        compare_with_parser(data, size, decided, whole.status);
    return 0;
}
