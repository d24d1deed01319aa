#include "health/probe_answer.h"

#include "health/expected_codes.h"
#include "health/probe_diagnosis.h"

#include <stdlib.h>
#include <string.h>

char *probe_answer_room(const struct probe_answer *answer,
                        struct probe_scratch *scratch,
                        size_t *out_size)
{
    if (answer->kept)
        memcpy(scratch->bytes, answer->kept, answer->kept_size);
    *out_size = sizeof(scratch->bytes) - answer->kept_size;
    return scratch->bytes + answer->kept_size;
}

static bool decide(struct probe_judgement *out, enum verdict_reason reason, uint16_t status)
{
    *out = (struct probe_judgement){reason, status};
    return true;
}

/* Keeps the SIZE bytes at BYTES until more come. */
static bool
keep(struct probe_answer *answer, const char *bytes, size_t size, struct probe_judgement *out)
{
    if (size == PROBE_ANSWER_SIZE)
        return decide(out, VERDICT_REASON_HEAD_SIZE, 0);
    if (size == 0) {
        free(answer->kept);
        answer->kept = NULL;
    } else {
        char *kept = realloc(answer->kept, size);
        if (!kept)
            return decide(out, VERDICT_REASON_LOCAL, 0);
        answer->kept = kept;
        memcpy(kept, bytes, size);
    }
    answer->kept_size = (uint16_t)size;
    return false;
}

/* One head at BYTES; *OUT_HEAD_SIZE is set when it was an interim answer: another one follows.
 */
static bool judge_head(struct http_head *head,
                       const char *bytes,
                       size_t size,
                       const char *method,
                       const char *codes,
                       struct probe_judgement *out,
                       size_t *out_head_size)
{
    enum verdict_reason reason = VERDICT_REASON_NONE;
    switch (probe_first_bytes(bytes, size, &reason)) {
    case FIRST_BYTES_OTHER: return decide(out, reason, 0);
    case FIRST_BYTES_OPEN: return false;
    case FIRST_BYTES_HTTP: break;
    }
    struct bytes method_bytes = {(const uint8_t *)method, strlen(method)};
    http_head_init(head);
    switch (http_response_parse(head, bytes, size, method_bytes)) {
    case HTTP_NEED_MORE: return false;
    case HTTP_BAD: return decide(out, probe_head_diagnosis(head, bytes), 0);
    case HTTP_COMPLETE: break;
    }
    if (head->status == 101)
        return decide(out, VERDICT_REASON_SWITCHED, 101);
    if (head->status < 200) {
        *out_head_size = head->size;
        return false;
    }
    reason =
        expected_codes_match(codes, head->status) ? VERDICT_REASON_NONE : VERDICT_REASON_STATUS;
    return decide(out, reason, head->status);
}

bool probe_answer_take(struct probe_answer *answer,
                       struct probe_scratch *scratch,
                       size_t size,
                       const char *method,
                       const char *codes,
                       struct probe_judgement *out)
{
    const char *at = scratch->bytes;
    size_t left = answer->kept_size + size;
    for (;;) {
        size_t head_size = 0;
        if (left > 0 && judge_head(&scratch->head, at, left, method, codes, out, &head_size))
            return true;
        if (head_size == 0)
            return keep(answer, at, left, out);
        if (++answer->interims > PROBE_MAXIMUM_INTERIMS)
            return decide(out, VERDICT_REASON_ONLY_INTERIM, scratch->head.status);
        at += head_size;
        left -= head_size;
    }
}

void probe_answer_reset(struct probe_answer *answer)
{
    free(answer->kept);
    *answer = (struct probe_answer){0};
}
