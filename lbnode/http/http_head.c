/* Splits a head into lines and fields. Each line is looked at once, when it is complete, so a
 * head that comes in single bytes costs what a head in one piece costs and gives the same
 * result. Limits are checked in terms of positions only, for the same reason. */
#include "lbnode/http/http_head.h"

#include "lbnode/http/http_class.h"

#include <string.h>

enum {
    /* method, target, version and what is between them */
    MAXIMUM_START_LINE = 32 + 1 + HTTP_MAXIMUM_TARGET + 1 + 8,
};

void http_head_init(struct http_head *head)
{
    /* The fields are valid up to field_count only: no need to clear them. */
    memset(head, 0, offsetof(struct http_head, fields));
    memset(&head->framing, 0, sizeof(*head) - offsetof(struct http_head, framing));
}

bool http_head_fail_as(struct http_head *head,
                       enum http_fault fault,
                       uint16_t status,
                       const char *error)
{
    head->stage = HTTP_STAGE_BAD;
    head->error_status = status;
    head->error = error;
    head->fault = (uint8_t)fault;
    return false;
}

bool http_head_fail(struct http_head *head, uint16_t status, const char *error)
{
    return http_head_fail_as(head, HTTP_FAULT_OTHER, status, error);
}

/* LINE comes without its CRLF and is not empty. */
static bool
parse_field(struct http_head *head, uint16_t bad_status, const char *buffer, struct bytes line)
{
    const char *text = (const char *)line.data;
    size_t length = 0;
    while (length < line.size && http_is(text[length], HTTP_CLASS_TCHAR))
        length++;
    if (length == 0 || length == line.size || text[length] != ':')
        return http_head_fail_as(head, HTTP_FAULT_FIELD_NAME, bad_status,
                                 "A header field has a malformed name.");
    if (length > HTTP_MAXIMUM_NAME)
        return http_head_fail_as(head, HTTP_FAULT_FIELD_NAME, 431,
                                 "A header field has too long a name.");
    if (head->field_count == HTTP_MAXIMUM_FIELDS)
        return http_head_fail_as(head, HTTP_FAULT_FIELD_COUNT, 431,
                                 "There are too many header fields.");
    size_t start = length + 1, end = line.size;
    while (start < end && (text[start] == ' ' || text[start] == '\t'))
        start++;
    while (end > start && (text[end - 1] == ' ' || text[end - 1] == '\t'))
        end--;
    if (!http_all((struct bytes){line.data + start, end - start}, HTTP_CLASS_VALUE))
        return http_head_fail_as(head, HTTP_FAULT_FIELD_VALUE, bad_status,
                                 "A header field has a malformed value.");
    struct http_field *field = &head->fields[head->field_count++];
    field->name = (uint32_t)(text - buffer);
    field->name_length = (uint16_t)length;
    field->value = (uint32_t)(text + start - buffer);
    field->value_length = (uint16_t)(end - start);
    field->id = (uint16_t)http_field_identify((struct bytes){line.data, length});
    return true;
}

/* One whole LINE without its CRLF. */
static bool parse_line(struct http_head *head,
                       const struct http_grammar *grammar,
                       const char *buffer,
                       struct bytes line)
{
    if (head->stage == HTTP_STAGE_FIELDS) {
        if (line.size > 0)
            return parse_field(head, grammar->bad_status, buffer, line);
        head->stage = HTTP_STAGE_CHECK;
        head->size = head->line;
        return true;
    }
    if (line.size == 0) {
        if (head->empty_lines++ < grammar->empty_lines)
            return true;
        return http_head_fail_as(head, HTTP_FAULT_START_LINE, grammar->bad_status,
                                 "An empty line stands before the message.");
    }
    head->stage = HTTP_STAGE_FIELDS;
    return grammar->start_line(head, buffer, line);
}

/* Can the incomplete line at head->line become a good one? Bytes that are not HTTP at all (a
 * TLS handshake, say) need not be waited for. */
static bool check_unfinished(struct http_head *head,
                             const struct http_grammar *grammar,
                             const char *buffer,
                             size_t size)
{
    if (head->stage == HTTP_STAGE_START && size > head->line) {
        char first = buffer[head->line];
        if (!http_is(first, HTTP_CLASS_TCHAR) && first != '\r' && first != '\n')
            return http_head_fail_as(head, HTTP_FAULT_START_LINE, grammar->bad_status,
                                     "This is not an HTTP message.");
        if (size - head->line > MAXIMUM_START_LINE + 2)
            return http_head_fail_as(head, HTTP_FAULT_START_LINE,
                                     grammar->bad_status == 400 ? 414 : 502,
                                     "The first line is too long.");
    }
    if (size > HTTP_MAXIMUM_HEAD_SIZE)
        return http_head_fail_as(head, HTTP_FAULT_SIZE, 431,
                                 "The header fields are too large.");
    return true;
}

enum http_parse_result http_head_run(struct http_head *head,
                                     const struct http_grammar *grammar,
                                     const char *buffer,
                                     size_t size)
{
    while (head->stage < HTTP_STAGE_CHECK) {
        const char *newline = memchr(buffer + head->scanned, '\n', size - head->scanned);
        size_t end = newline ? (size_t)(newline - buffer) + 1 : size;
        if (!check_unfinished(head, grammar, buffer, end))
            break;
        head->scanned = (uint32_t)end;
        if (!newline)
            return HTTP_NEED_MORE;
        size_t start = head->line;
        if (end - start < 2 || buffer[end - 2] != '\r') {
            http_head_fail_as(head, HTTP_FAULT_LINE_END, grammar->bad_status,
                              "A line does not end with CR LF.");
            break;
        }
        struct bytes line = {(const uint8_t *)buffer + start, end - 2 - start};
        head->line = (uint32_t)end;
        if (!parse_line(head, grammar, buffer, line))
            break;
    }
    return head->stage == HTTP_STAGE_BAD ? HTTP_BAD : HTTP_COMPLETE;
}
