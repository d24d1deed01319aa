#include "health/probe_diagnosis.h"

#include <string.h>

enum {
    ANY_BYTE = 256
};

/* How what is not HTTP/1.x begins. The first row that fits counts. */
static const struct {
    uint8_t size;
    enum verdict_reason reason;
    uint16_t bytes[9];
} signatures[] = {
    {2, VERDICT_REASON_SPEAKS_TLS, {0x15, 3}}, /* an alert */
    {2, VERDICT_REASON_SPEAKS_TLS, {0x16, 3}}, /* a handshake */
    {4, VERDICT_REASON_SPEAKS_SSH, {'S', 'S', 'H', '-'}},
    /* the SETTINGS frame that a server of HTTP/2 begins with (RFC 9113 3.4, 4.1), or the
       preface of a client sent back */
    {9, VERDICT_REASON_SPEAKS_HTTP2, {0, 0, ANY_BYTE, 4, 0, 0, 0, 0, 0}},
    {5, VERDICT_REASON_SPEAKS_HTTP2, {'P', 'R', 'I', ' ', '*'}},
    {5, VERDICT_REASON_STATUS_LINE, {'h', 't', 't', 'p', '/'}},
    {5, VERDICT_REASON_HTTP_VERSION, {'H', 'T', 'T', 'P', '/'}},
};

enum fit {
    FIT_NOT,
    FIT_OPEN,
    FIT_WHOLE
};

static enum fit fits(size_t row, const char *bytes, size_t size)
{
    for (size_t i = 0; i < signatures[row].size; i++) {
        if (i == size)
            return FIT_OPEN;
        if (signatures[row].bytes[i] != ANY_BYTE &&
            signatures[row].bytes[i] != (uint8_t)bytes[i])
            return FIT_NOT;
    }
    return FIT_WHOLE;
}

enum probe_first_bytes
probe_first_bytes(const char *bytes, size_t size, enum verdict_reason *out_reason)
{
    static const char http[] = "HTTP/1.";
    size_t common = size < sizeof(http) - 1 ? size : sizeof(http) - 1;
    if (memcmp(bytes, http, common) == 0)
        return FIRST_BYTES_HTTP;
    for (size_t row = 0; row < ARRAY_LENGTH(signatures); row++) {
        enum fit fit = fits(row, bytes, size);
        *out_reason = signatures[row].reason;
        if (fit != FIT_NOT)
            return fit == FIT_WHOLE ? FIRST_BYTES_OTHER : FIRST_BYTES_OPEN;
    }
    *out_reason = VERDICT_REASON_NOT_HTTP;
    return FIRST_BYTES_OTHER;
}

/* The line that ends before END, without its LF. */
static struct bytes line_before(const char *bytes, size_t end)
{
    const char *last = end > 1 ? memrchr(bytes, '\n', end - 1) : NULL;
    size_t start = last ? (size_t)(last - bytes) + 1 : 0;
    return (struct bytes){(const uint8_t *)bytes + start, end > start ? end - 1 - start : 0};
}

static enum verdict_reason start_line_diagnosis(struct bytes line)
{
    size_t digits = 0;
    for (size_t i = 9; i < line.size && line.data[i] >= '0' && line.data[i] <= '9'; i++)
        digits++;
    if (memchr(line.data, '\0', line.size))
        return VERDICT_REASON_HEAD_NUL;
    return digits > 3 ? VERDICT_REASON_STATUS_RANGE : VERDICT_REASON_STATUS_LINE;
}

static enum verdict_reason value_diagnosis(struct bytes line)
{
    if (memchr(line.data, '\0', line.size))
        return VERDICT_REASON_HEAD_NUL;
    if (line.size > 0 && memchr(line.data, '\r', line.size - 1))
        return VERDICT_REASON_HEAD_LINE_END;
    return VERDICT_REASON_HEAD_VALUE;
}

static enum verdict_reason name_diagnosis(struct bytes line)
{
    if (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
        return VERDICT_REASON_HEAD_FOLDED;
    const uint8_t *nul = memchr(line.data, '\0', line.size);
    return nul ? VERDICT_REASON_HEAD_NUL : VERDICT_REASON_HEAD_NAME;
}

enum verdict_reason probe_head_diagnosis(const struct http_head *head, const char *bytes)
{
    struct bytes line = line_before(bytes, head->line);
    switch ((enum http_fault)head->fault) {
    case HTTP_FAULT_START_LINE: return start_line_diagnosis(line);
    case HTTP_FAULT_STATUS: return VERDICT_REASON_STATUS_RANGE;
    case HTTP_FAULT_LINE_END: return VERDICT_REASON_HEAD_LINE_END;
    case HTTP_FAULT_FIELD_NAME: return name_diagnosis(line);
    case HTTP_FAULT_FIELD_VALUE: return value_diagnosis(line);
    case HTTP_FAULT_FIELD_COUNT: return VERDICT_REASON_HEAD_FIELDS;
    case HTTP_FAULT_SIZE: return VERDICT_REASON_HEAD_SIZE;
    case HTTP_FAULT_LENGTH: return VERDICT_REASON_CONTENT_LENGTH;
    case HTTP_FAULT_OTHER: break;
    }
    return VERDICT_REASON_MALFORMED;
}
