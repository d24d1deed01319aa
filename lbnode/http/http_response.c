/* Responses: the status line and the framing of the body (RFC 9112 4, 6.3). */
#include "lbnode/http/http_class.h"

#include <string.h>

static bool bad(struct http_head *head, enum http_fault fault, const char *error)
{
    return http_head_fail_as(head, fault, 502, error);
}

static bool start_line(struct http_head *head, const char *buffer, struct bytes line)
{
    const char *text = (const char *)line.data;
    if (line.size < 12 || memcmp(text, "HTTP/1.", 7) != 0 ||
        !http_is(text[7], HTTP_CLASS_DIGIT) || text[8] != ' ' ||
        !http_all((struct bytes){line.data + 9, 3}, HTTP_CLASS_DIGIT))
        return bad(head, HTTP_FAULT_START_LINE, "The status line is malformed.");
    if (line.size > 12 &&
        (text[12] != ' ' ||
         !http_all((struct bytes){line.data + 13, line.size - 13}, HTTP_CLASS_VALUE)))
        return bad(head, HTTP_FAULT_START_LINE, "The status line is malformed.");
    head->version_minor = text[7] == '0' ? 0 : 1;
    head->status = (uint16_t)((text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0'));
    if (head->status < 100 || head->status > 599)
        return bad(head, HTTP_FAULT_STATUS, "The status is outside 100 to 599.");
    return true;
}

static bool has_no_body(const struct http_head *head, struct bytes method)
{
    if (head->status < 200 || head->status == 204 || head->status == 304)
        return true;
    if (bytes_equal(method, (struct bytes){(const uint8_t *)"HEAD", 4}))
        return true;
    return bytes_equal(method, (struct bytes){(const uint8_t *)"CONNECT", 7}) &&
           head->status < 300;
}

/* Several equal Content-Length fields count as one. */
static bool read_lengths(struct http_head *head, const char *buffer, bool *out_present)
{
    *out_present = false;
    for (size_t i = 0; i < head->field_count; i++) {
        uint64_t length;
        const struct http_field *field = &head->fields[i];
        if (field->id != HTTP_FIELD_CONTENT_LENGTH)
            continue;
        struct bytes value = http_head_text(buffer, field->value, field->value_length);
        if (!http_parse_length(value, &length))
            return bad(head, HTTP_FAULT_LENGTH, "The Content-Length field is malformed.");
        if (*out_present && length != head->content_length)
            return bad(head, HTTP_FAULT_LENGTH, "Two Content-Length fields differ.");
        head->content_length = length;
        *out_present = true;
    }
    return true;
}

/* Is chunked the last coding of all Transfer-Encoding fields? */
static bool chunked_is_last(const struct http_head *head, const char *buffer)
{
    bool last = false;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        struct bytes element, list = http_head_text(buffer, field->value, field->value_length);
        if (field->id != HTTP_FIELD_TRANSFER_ENCODING)
            continue;
        while (http_list_next(&list, &element))
            last = http_text_is(element, "chunked");
    }
    return last;
}

static bool decide_framing(struct http_head *head, const char *buffer, struct bytes method)
{
    bool has_length;
    bool encoded = http_head_field(head, HTTP_FIELD_TRANSFER_ENCODING) != NULL;
    if (!read_lengths(head, buffer, &has_length))
        return false;
    if (has_no_body(head, method)) {
        head->framing = HTTP_BODY_NONE;
        return true;
    }
    /* Two framings at once, or one that HTTP/1.0 does not know: the next message of such a
     * connection cannot be trusted. */
    if (encoded && (has_length || head->version_minor == 0))
        head->keep_alive = false;
    if (encoded)
        head->framing =
            chunked_is_last(head, buffer) ? HTTP_BODY_CHUNKED : HTTP_BODY_UNTIL_CLOSE;
    else if (!has_length)
        head->framing = HTTP_BODY_UNTIL_CLOSE;
    else
        head->framing = head->content_length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    if (head->framing == HTTP_BODY_UNTIL_CLOSE)
        head->keep_alive = false;
    return true;
}

enum http_parse_result http_response_parse(struct http_head *head,
                                           const char *buffer,
                                           size_t size,
                                           struct bytes request_method)
{
    static const struct http_grammar grammar = {start_line, 502, 0};
    enum http_parse_result result = http_head_run(head, &grammar, buffer, size);
    if (result == HTTP_BAD)
        head->error_status = 502;
    if (result != HTTP_COMPLETE || head->stage == HTTP_STAGE_COMPLETE)
        return result;
    http_head_digest_connection(head, buffer);
    if (!decide_framing(head, buffer, request_method))
        return HTTP_BAD;
    head->stage = HTTP_STAGE_COMPLETE;
    return HTTP_COMPLETE;
}
