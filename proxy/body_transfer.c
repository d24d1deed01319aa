#include "proxy/body_transfer.h"

#include <string.h>

static const char last_chunk[] = "0\r\n\r\n";

enum {
    /* end of the chunk before, size line and end of a chunk, and the last chunk behind it */
    CHUNK_OVERHEAD = 2 + 8 + 2 + 2 + 5,
};

void body_transfer_init(struct body_transfer *body,
                        enum http_framing framing,
                        uint64_t length,
                        bool chunk_output)
{
    body->framing = framing;
    body->chunk_output = chunk_output;
    body->chunk_is_open = false;
    body->done = framing == HTTP_BODY_NONE;
    body->left = length;
    http_chunked_init(&body->chunked);
}

static void append_chunk_size(struct buffer *out, size_t size)
{
    char line[18];
    size_t at = sizeof(line);
    line[--at] = '\n';
    line[--at] = '\r';
    do {
        line[--at] = "0123456789abcdef"[size & 15];
        size >>= 4;
    } while (size > 0);
    buffer_append(out, line + at, sizeof(line) - at);
}

static void end_chunk(struct body_transfer *body, struct buffer *out)
{
    if (body->chunk_is_open)
        buffer_append(out, "\r\n", 2);
    body->chunk_is_open = false;
}

static void begin_chunk(struct body_transfer *body, struct buffer *out, size_t size)
{
    if (!body->chunk_output)
        return;
    end_chunk(body, out);
    append_chunk_size(out, size);
    body->chunk_is_open = true;
}

static void append_piece(struct body_transfer *body, struct buffer *out, struct bytes piece)
{
    if (piece.size == 0)
        return;
    begin_chunk(body, out, piece.size);
    buffer_append(out, piece.data, piece.size);
    end_chunk(body, out);
}

static enum body_result finish(struct body_transfer *body, struct buffer *out)
{
    body->done = true;
    end_chunk(body, out);
    if (body->chunk_output)
        buffer_append(out, last_chunk, sizeof(last_chunk) - 1);
    return BODY_DONE;
}

static enum body_result
move_chunks(struct body_transfer *body, struct buffer *in, struct buffer *out)
{
    while (buffer_size(in) > 0 && buffer_room(out) >= BODY_LEAST_ROOM) {
        size_t used, limit = buffer_room(out) - CHUNK_OVERHEAD;
        struct bytes piece, input = {(const uint8_t *)buffer_begin(in), buffer_size(in)};
        if (input.size > limit)
            input.size = limit;
        enum http_chunk_result result =
            http_chunked_decode(&body->chunked, input, &used, &piece);
        append_piece(body, out, piece);
        buffer_consume(in, used);
        if (result == HTTP_CHUNK_BAD)
            return BODY_BAD;
        if (result == HTTP_CHUNK_DONE)
            return finish(body, out);
    }
    return BODY_MORE;
}

enum body_result
body_transfer_move(struct body_transfer *body, struct buffer *in, struct buffer *out)
{
    if (body->done)
        return BODY_DONE;
    if (body->framing == HTTP_BODY_CHUNKED)
        return move_chunks(body, in, out);
    if (buffer_room(out) < BODY_LEAST_ROOM)
        return BODY_MORE;
    struct bytes piece = {(const uint8_t *)buffer_begin(in), buffer_size(in)};
    size_t limit = buffer_room(out) - (body->chunk_output ? CHUNK_OVERHEAD : 0);
    if (piece.size > limit)
        piece.size = limit;
    if (body->framing == HTTP_BODY_LENGTH && piece.size > body->left)
        piece.size = (size_t)body->left;
    append_piece(body, out, piece);
    buffer_consume(in, piece.size);
    if (body->framing != HTTP_BODY_LENGTH)
        return BODY_MORE;
    body->left -= piece.size;
    return body->left == 0 ? finish(body, out) : BODY_MORE;
}

size_t body_transfer_passable(const struct body_transfer *body)
{
    uint64_t left = 0;
    if (body->framing == HTTP_BODY_UNTIL_CLOSE)
        left = UINT64_MAX;
    else if (body->framing == HTTP_BODY_LENGTH && !body->chunk_output)
        left = body->left;
    else if (body->framing == HTTP_BODY_CHUNKED)
        left = http_chunked_data_left(&body->chunked);
    if (body->done)
        left = 0;
    return left < SIZE_MAX ? (size_t)left : SIZE_MAX;
}

enum body_result body_transfer_pass(struct body_transfer *body, size_t size, struct buffer *out)
{
    if (size == 0)
        return body->done ? BODY_DONE : BODY_MORE;
    begin_chunk(body, out, size);
    if (body->framing == HTTP_BODY_CHUNKED)
        http_chunked_pass(&body->chunked, size);
    if (body->framing != HTTP_BODY_LENGTH)
        return BODY_MORE;
    body->left -= size;
    body->done = body->left == 0;
    return body->done ? BODY_DONE : BODY_MORE;
}

enum body_result body_transfer_end(struct body_transfer *body, struct buffer *out)
{
    if (body->done)
        return BODY_DONE;
    return body->framing == HTTP_BODY_UNTIL_CLOSE ? finish(body, out) : BODY_BAD;
}
