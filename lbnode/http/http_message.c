#include "lbnode/http/http_message.h"

#include <string.h>

void http_message_init(struct http_message *message,
                       const char *request_method,
                       size_t body_limit)
{
    memset(message, 0, sizeof(*message));
    http_head_init(&message->head);
    http_chunked_init(&message->chunked);
    message->body_limit = body_limit;
    message->is_response = request_method != NULL;
    size_t size = request_method ? strlen(request_method) : 0;
    if (size >= sizeof(message->request_method))
        size = sizeof(message->request_method) - 1;
    if (size > 0)
        memcpy(message->request_method, request_method, size);
    /* The head, the body, its chunk framing in small chunks, and some that follow. */
    message->input.limit = 2 * HTTP_MAXIMUM_HEAD_SIZE + 8 * body_limit;
}

void http_message_wipe(struct http_message *message)
{
    message->input.wipes = message->body.wipes = true;
}

static enum http_parse_result fail(struct http_message *message, int status, const char *error)
{
    message->error_status = status;
    message->error = error;
    return HTTP_BAD;
}

static enum http_parse_result parse_head(struct http_message *message)
{
    const char *data = text_string(&message->input);
    size_t size = message->input.length;
    struct bytes method = {(const uint8_t *)message->request_method,
                           strlen(message->request_method)};
    enum http_parse_result result =
        message->is_response ? http_response_parse(&message->head, data, size, method)
                             : http_request_parse(&message->head, data, size);
    if (result == HTTP_BAD)
        return fail(message, message->head.error_status, message->head.error);
    message->head_done = result == HTTP_COMPLETE;
    return result;
}

/* Moves SIZE bytes behind the consumed ones to the body. False beyond the limit. */
static bool take_body(struct http_message *message, struct bytes data)
{
    if (data.size > message->body_limit ||
        message->body.length > message->body_limit - data.size)
        return false;
    text_append(&message->body, (const char *)data.data, data.size);
    return !message->body.overflowed;
}

static enum http_parse_result too_large(struct http_message *message)
{
    return fail(message, message->is_response ? 502 : 413, "The body is too large.");
}

static struct bytes unread(const struct http_message *message)
{
    size_t start = message->head.size + message->body_used;
    return (struct bytes){(const uint8_t *)message->input.data + start,
                          message->input.length - start};
}

static enum http_parse_result parse_chunks(struct http_message *message)
{
    for (;;) {
        size_t used;
        struct bytes data;
        enum http_chunk_result result =
            http_chunked_decode(&message->chunked, unread(message), &used, &data);
        message->body_used += used;
        if (result == HTTP_CHUNK_BAD)
            return fail(message, message->is_response ? 502 : 400,
                        "The chunked body is malformed.");
        if (!take_body(message, data))
            return too_large(message);
        if (result == HTTP_CHUNK_DONE)
            return HTTP_COMPLETE;
        if (result == HTTP_CHUNK_NEED_MORE)
            return HTTP_NEED_MORE;
    }
}

static enum http_parse_result parse_body(struct http_message *message)
{
    struct bytes data = unread(message);
    uint64_t missing = message->head.content_length - message->body_used;
    switch (message->head.framing) {
    case HTTP_BODY_CHUNKED: return parse_chunks(message);
    case HTTP_BODY_LENGTH:
        if (message->head.content_length > message->body_limit)
            return too_large(message);
        if (data.size > missing)
            data.size = (size_t)missing;
        break;
    case HTTP_BODY_UNTIL_CLOSE: break;
    case HTTP_BODY_NONE: return HTTP_COMPLETE;
    }
    if (!take_body(message, data))
        return too_large(message);
    message->body_used += data.size;
    return message->head.framing == HTTP_BODY_LENGTH && data.size == missing ? HTTP_COMPLETE
                                                                             : HTTP_NEED_MORE;
}

/* Looks at what is in the input. */
static enum http_parse_result advance(struct http_message *message)
{
    if (message->complete)
        return HTTP_COMPLETE;
    if (message->error_status)
        return HTTP_BAD;
    if (!message->head_done) {
        enum http_parse_result result = parse_head(message);
        if (result != HTTP_COMPLETE)
            return result;
    }
    if (message->is_response && message->head.status < 200 && message->head.status != 101)
        return http_message_next(message); /* interim: the real answer follows */
    enum http_parse_result result = parse_body(message);
    message->complete = result == HTTP_COMPLETE;
    return result;
}

enum http_parse_result
http_message_feed(struct http_message *message, const char *data, size_t size)
{
    text_append(&message->input, data, size);
    if (message->input.overflowed && !message->error_status)
        return too_large(message);
    return advance(message);
}

enum http_parse_result http_message_end(struct http_message *message)
{
    if (message->complete)
        return HTTP_COMPLETE;
    if (message->error_status)
        return HTTP_BAD;
    if (!message->head_done || message->head.framing != HTTP_BODY_UNTIL_CLOSE)
        return fail(message, message->is_response ? 502 : 400,
                    "The connection was closed in the middle of the message.");
    message->complete = true;
    return HTTP_COMPLETE;
}

enum http_parse_result http_message_next(struct http_message *message)
{
    text_consume(&message->input, message->head.size + message->body_used);
    text_clear(&message->body);
    http_head_init(&message->head);
    http_chunked_init(&message->chunked);
    message->body_used = 0;
    message->head_done = message->complete = false;
    return advance(message);
}

void http_message_free(struct http_message *message)
{
    text_free(&message->input);
    text_free(&message->body);
}
