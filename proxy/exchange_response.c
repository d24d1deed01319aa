/* The response's way: its head for the client, the body, and what happens when the member's
 * connection ends too early. */
#include "lbnode/base/bytes.h"
#include "proxy/forwarded_head.h"
#include "proxy/http_exchange.h"
#include "proxy/relay_tcp.h"

#include <string.h>

enum {
    HEAD_GROWTH = 256 /* what we may add to a head, at most */
};

static void fail_for(struct exchange *exchange, int status, enum termination why)
{
    counter_add(&dispatch_counters(&exchange->dispatch)->failures, 1);
    exchange_answer(exchange, status, why);
}

static void fail(struct exchange *exchange, int status)
{
    fail_for(exchange, status, TERMINATION_MEMBER_FAILED);
}

/* The response is complete here: the member's connection is free before a slow client has
 * taken everything. */
static void response_complete(struct exchange *exchange)
{
    struct member_connection *connection = exchange->dispatch.connection;
    bool reusable = exchange->response.keep_alive && !exchange->is_private &&
                    exchange->request_body.done && exchange->up_sent == exchange->up->end &&
                    !exchange->up_pipe && !connection->stream.ended &&
                    buffer_size(connection->in) == 0;
    exchange->response_done = true;
    dispatch_release(&exchange->dispatch, reusable);
}

/* May the client's connection carry another request after this one? */
static bool client_may_stay(const struct exchange *exchange, bool chunked)
{
    const struct http_head *request = &exchange->request, *response = &exchange->response;
    bool delimited =
        chunked || response->framing == HTTP_BODY_LENGTH || response->framing == HTTP_BODY_NONE;
    return request->keep_alive && exchange->request_body.done && delimited &&
           !exchange->worker->draining && client_listener(exchange->client);
}

/* Appends the response's head to `down`. False: the exchange is over. */
static bool put_head(struct exchange *exchange, const struct forwarded_response *response)
{
    struct buffer_pool *buffers = &exchange->worker->buffers;
    size_t needed = exchange->response.size + HEAD_GROWTH;
    if (!exchange->down)
        exchange->down =
            buffer_get(buffers, needed < BUFFER_SMALL_SIZE ? BUFFER_SMALL : BUFFER_LARGE);
    if (exchange->down && buffer_room(exchange->down) < needed)
        buffer_grow(buffers, &exchange->down);
    int size =
        exchange->down
            ? forwarded_response_build(response, exchange->down->data + exchange->down->end,
                                       buffer_room(exchange->down))
            : -502;
    if (!exchange->down) {
        exchange_answer(exchange, 503, TERMINATION_NO_RESOURCES);
        return false;
    }
    if (size < 0) {
        fail(exchange, 502);
        return false;
    }
    exchange->down->end += (uint32_t)size;
    return true;
}

/* 1xx: passed on to who understands it; the final response follows. */
static bool take_interim(struct exchange *exchange, struct buffer *in)
{
    struct forwarded_response response = {.head = &exchange->response,
                                          .buffer = buffer_begin(in)};
    if (exchange->response.status == 101 ||
        ++exchange->interim_count > EXCHANGE_MAXIMUM_INTERIM) {
        fail(exchange, 502);
        return false;
    }
    if (exchange->request.version_minor > 0 && !put_head(exchange, &response))
        return false;
    buffer_consume(in, exchange->response.size);
    http_head_init(&exchange->response);
    return true;
}

static bool is_websocket(const struct exchange *exchange, struct buffer *in)
{
    const struct http_field *field = http_head_field(&exchange->response, HTTP_FIELD_UPGRADE);
    return exchange->is_upgrade && exchange->response.upgrade && field &&
           http_text_is(http_head_text(buffer_begin(in), field->value, field->value_length),
                        "websocket");
}

/* 101: from here on bytes pass both ways as they come. */
static bool take_upgrade(struct exchange *exchange, struct buffer *in)
{
    struct client *client = exchange->client;
    struct forwarded_response response = {.head = &exchange->response,
                                          .buffer = buffer_begin(in),
                                          .connection = FORWARDED_UPGRADE};
    if (!put_head(exchange, &response))
        return false;
    buffer_consume(in, exchange->response.size);
    exchange->record.status = 101;
    relay_from_exchange(client);
    return false;
}

/* "Keep-Alive: timeout=5" (RFC 2068 19.7.1.1): we close first, a second before the member
 * would, so that no request meets its end. */
static uint32_t idle_hint_ms(const struct http_head *head, const char *buffer)
{
    enum {
        EARLIER_MS = 1000,
        LEAST_MS = 100
    };
    const struct http_field *field = http_head_field(head, HTTP_FIELD_KEEP_ALIVE);
    struct bytes list = {0}, element;
    if (field)
        list = http_head_text(buffer, field->value, field->value_length);
    while (http_list_next(&list, &element)) {
        uint32_t seconds = 0;
        size_t i = 8;
        if (element.size < 9 || element.size > 12 || memcmp(element.data, "timeout=", 8) != 0)
            continue;
        for (; i < element.size && element.data[i] >= '0' && element.data[i] <= '9'; i++)
            seconds = seconds * 10 + (uint32_t)(element.data[i] - '0');
        if (i == element.size)
            return seconds * 1000 > EARLIER_MS + LEAST_MS ? seconds * 1000 - EARLIER_MS
                                                          : LEAST_MS;
    }
    return 0;
}

/* The member asks for an authentication that would count for whoever is next, too. */
static bool asks_for_private(const struct http_head *head, const char *buffer)
{
    for (uint16_t i = 0; head->status == 401 && i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (http_text_is(http_head_text(buffer, field->name, field->name_length),
                         "www-authenticate") &&
            exchange_binds_connection(buffer, field))
            return true;
    }
    return false;
}

static bool take_head(struct exchange *exchange, struct buffer *in)
{
    const struct http_head *head = &exchange->response;
    bool modern = exchange->request.version_minor > 0;
    bool open_ended =
        head->framing == HTTP_BODY_CHUNKED || head->framing == HTTP_BODY_UNTIL_CLOSE;
    bool chunked = modern && open_ended;
    uint32_t idle_ms = idle_hint_ms(head, buffer_begin(in));
    exchange->dispatch.connection->idle_ms = idle_ms < IDLE_TIMEOUT_MS ? idle_ms : 0;
    exchange->is_private |= asks_for_private(head, buffer_begin(in));
    exchange->client_keep = client_may_stay(exchange, chunked);
    struct forwarded_response response = {
        .head = head,
        .buffer = buffer_begin(in),
        .date = worker_date(exchange->worker),
        .chunked = chunked,
        .connection = !exchange->client_keep ? FORWARDED_CLOSE
                      : modern               ? FORWARDED_KEEP_DEFAULT
                                             : FORWARDED_KEEP_ALIVE,
    };
    if (!put_head(exchange, &response))
        return false;
    buffer_consume(in, head->size);
    body_transfer_init(&exchange->response_body, head->framing, head->content_length, chunked);
    exchange->response_head_done = true;
    dispatch_answered(&exchange->dispatch, head->status);
    dispatch_settle(&exchange->dispatch);
    exchange->record.status = (uint16_t)head->status;
    exchange->response_is_bulk = head->framing != HTTP_BODY_UNTIL_CLOSE;
    exchange->response_was_piped = false;
    return true;
}

/* Parses heads until the final one is complete. False: no more to do now, or over. */
static bool parse_head(struct exchange *exchange)
{
    struct member_connection *connection = exchange->dispatch.connection;
    struct bytes method = {(const uint8_t *)(exchange->is_head ? "HEAD" : "GET"),
                           exchange->is_head ? 4 : 3};
    for (;;) {
        struct buffer *in = connection->in;
        enum http_parse_result result =
            http_response_parse(&exchange->response, buffer_begin(in), buffer_size(in), method);
        if (result == HTTP_NEED_MORE)
            return false;
        if (result == HTTP_BAD) {
            fail(exchange, 502);
            return false;
        }
        if (exchange->response.status == 101 && is_websocket(exchange, in))
            return take_upgrade(exchange, in);
        if (exchange->response.status >= 200)
            return take_head(exchange, in);
        if (!take_interim(exchange, in))
            return false;
    }
}

/* The bytes of the body need no change, and before them is room for what waits in `down`. */
static bool may_join(const struct exchange *exchange, const struct buffer *in)
{
    size_t size = buffer_size(in), waiting = buffer_size(exchange->down);
    return !exchange->response_body.chunk_output && size > waiting && waiting <= in->start &&
           size <= body_transfer_passable(&exchange->response_body);
}

/* Puts what waits in `down` before them, the head mostly, and makes of the whole the new
 * `down`: less is copied. */
static enum body_result join(struct exchange *exchange, struct member_connection *connection)
{
    struct buffer *in = connection->in, *waiting = exchange->down;
    size_t size = buffer_size(in);
    in->start -= (uint32_t)buffer_size(waiting);
    memcpy(buffer_begin(in), buffer_begin(waiting), buffer_size(waiting));
    buffer_consume(waiting, buffer_size(waiting));
    connection->in = waiting;
    exchange->down = in;
    return body_transfer_pass(&exchange->response_body, size, in);
}

static bool move_body(struct exchange *exchange)
{
    struct member_connection *connection = exchange->dispatch.connection;
    struct buffer_pool *buffers = &exchange->worker->buffers;
    if (!exchange->down)
        exchange->down = buffer_get(buffers, BUFFER_SMALL);
    if (!exchange->down) {
        worker_await_buffer(exchange->worker, exchange->client);
        return false;
    }
    if (buffer_room(exchange->down) < BODY_LEAST_ROOM)
        buffer_compact(exchange->down);
    size_t before = buffer_size(connection->in);
    enum body_result result =
        may_join(exchange, connection->in)
            ? join(exchange, connection)
            : body_transfer_move(&exchange->response_body, connection->in, exchange->down);
    bool moved = before != buffer_size(connection->in);
    if (result == BODY_BAD) {
        fail(exchange, 502);
        return true;
    }
    if (result == BODY_DONE)
        response_complete(exchange);
    return moved || result == BODY_DONE;
}

/* Enough is to come, in large pieces, that needs no look at. The rest of what went through a
 * pipe goes there too: a pipe does not take all that it has room for. */
static bool wants_pipe(const struct exchange *exchange)
{
    const struct body_transfer *body = &exchange->response_body;
    return exchange->response_head_done && exchange->response_is_bulk &&
           body_transfer_passable(body) >=
               (exchange->response_was_piped ? PIPE_TRICKLE : PIPE_BULK);
}

/* And everything before it is in `down`, or on its way, with room for a chunk's size. */
static bool may_splice(const struct exchange *exchange)
{
    const struct member_connection *connection = exchange->dispatch.connection;
    return wants_pipe(exchange) && buffer_size(connection->in) == 0 &&
           connection->stream.readable && !connection->stream.ended &&
           (!exchange->response_body.chunk_output ||
            buffer_room(exchange->down) >= BODY_LEAST_ROOM);
}

/* Bytes from the member that are in the pipe now. */
static size_t fill_pipe(struct exchange *exchange)
{
    struct body_transfer *body = &exchange->response_body;
    exchange->pipe = pipe_get(&exchange->worker->pipes);
    if (!exchange->pipe)
        return 0;
    size_t limit = body_transfer_passable(body);
    size_t read = stream_fill_pipe(&exchange->dispatch.connection->stream, exchange->pipe,
                                   limit < PIPE_SIZE ? limit : PIPE_SIZE);
    body_transfer_pass(body, read, exchange->down);
    exchange->response_is_bulk = read >= PIPE_TRICKLE;
    exchange->response_was_piped |= exchange->response_is_bulk;
    counter_add(&dispatch_counters(&exchange->dispatch)->bytes_in, read);
    if (read == 0) /* none yet, or the end */
        pipe_put(&exchange->worker->pipes, &exchange->pipe);
    return read;
}

/* Bytes that went to the client: what is left in `down`, then the pipe. */
static size_t drain_pipe(struct exchange *exchange)
{
    struct stream *stream = &exchange->client->stream;
    size_t written = 0;
    if (buffer_size(exchange->down) > 0)
        written = stream_write(stream, exchange->down, true);
    if (buffer_size(exchange->down) == 0)
        written += stream_drain_pipe(stream, exchange->pipe);
    exchange->record.bytes_out += written;
    counter_add(&client_counters(exchange->client)->bytes_out, written);
    if (exchange->pipe->size == 0 || stream->write_failed)
        pipe_put(&exchange->worker->pipes, &exchange->pipe);
    return written;
}

/* Moves a long body through a pipe. False: it is to be moved by the buffers. */
static bool splice_body(struct exchange *exchange, bool *out_moved)
{
    size_t read = 0;
    if (!exchange->pipe) {
        if (!may_splice(exchange))
            return false;
        read = fill_pipe(exchange);
        if (read == 0)
            return false;
    }
    size_t written = drain_pipe(exchange);
    *out_moved = read > 0 || written > 0;
    if (exchange->response_body.done && !exchange->pipe &&
        !exchange->client->stream.write_failed)
        response_complete(exchange);
    return true;
}

/* The member has closed without a byte of an answer, and asking once more does no harm. */
static bool may_replay(const struct exchange *exchange)
{
    return !exchange->response_begun && exchange->up_kept && exchange->is_replayable;
}

/* A kept connection had been closed before the member saw the request: the same member gets it
 * over a fresh one. A fresh one means that this member cannot answer. */
static void replay(struct exchange *exchange, bool was_kept)
{
    exchange->up_sent = 0;
    exchange->request_failed = false;
    enum dispatch_result result = was_kept ? dispatch_again(&exchange->dispatch)
                                           : dispatch_elsewhere(&exchange->dispatch);
    if (result == DISPATCH_FAILED && !was_kept)
        exchange_answer(exchange, 502, TERMINATION_MEMBER_FAILED);
    else
        exchange_dispatched(exchange, result);
}

/* Another member gets the request, if it can be had twice, or was not sent yet. Whoever has a
 * part of an answer is told by a reset that it is not the whole. */
void exchange_on_member_news(struct member_connection *connection, enum member_news news)
{
    struct exchange *exchange = connection->owner;
    if (news != MEMBER_RESETS)
        return; /* a request is over when its answer is */
    if (exchange->stage != EXCHANGE_CONNECT && !may_replay(exchange)) {
        fail_for(exchange, 502, TERMINATION_MEMBER_DOWN);
        return;
    }
    bool was_open = exchange->stage != EXCHANGE_CONNECT;
    exchange->up_sent = 0;
    exchange->request_failed = false;
    enum dispatch_result result = dispatch_leave(&exchange->dispatch);
    if (result == DISPATCH_FAILED && was_open)
        exchange_answer(exchange, 502, TERMINATION_MEMBER_DOWN);
    else
        exchange_dispatched(exchange, result);
}

/* The member's connection ended, and what it sent has been used up. False: wait for room. */
static bool member_ended(struct exchange *exchange)
{
    struct member_connection *connection = exchange->dispatch.connection;
    if (may_replay(exchange)) {
        replay(exchange, connection->reused);
        return true;
    }
    if (!exchange->response_head_done) {
        if (!exchange->response_begun && !connection->reused)
            dispatch_was_empty(&exchange->dispatch);
        fail(exchange, 502);
        return true;
    }
    if (!exchange->down || buffer_room(exchange->down) < BODY_LEAST_ROOM)
        return false;
    if (!connection->stream.write_failed &&
        body_transfer_end(&exchange->response_body, exchange->down) == BODY_DONE)
        response_complete(exchange);
    else
        fail(exchange, 502); /* cut short: the client's connection is reset */
    return true;
}

/* Room for more in the member's buffer. False: out of memory. */
static bool make_room(struct exchange *exchange, struct member_connection *connection)
{
    struct buffer_pool *buffers = &exchange->worker->buffers;
    if (!connection->in)
        connection->in = buffer_get(buffers, BUFFER_SMALL);
    if (!connection->in)
        return false;
    if (!exchange->response_begun && buffer_size(connection->in) == 0)
        connection->in->start = connection->in->end = HEAD_GROWTH; /* for the head we make */
    if (buffer_room(connection->in) == 0)
        buffer_compact(connection->in);
    return buffer_room(connection->in) > 0 || exchange->response_head_done ||
           buffer_grow(buffers, &connection->in);
}

bool exchange_move_response(struct exchange *exchange)
{
    struct client *client = exchange->client;
    struct member_connection *connection = exchange->dispatch.connection;
    if (!connection || connection->connecting || exchange->response_done)
        return false;
    bool spliced = false;
    if (splice_body(exchange, &spliced))
        return spliced;
    if (!connection->in && !connection->stream.readable && !exchange->response_head_done)
        return false; /* who waits for an answer needs no buffer for it */
    if (!make_room(exchange, connection)) {
        worker_await_buffer(exchange->worker, client);
        return false;
    }
    /* For a pipe the buffers must be empty first. */
    bool only_drain = wants_pipe(exchange) && buffer_size(connection->in) > 0;
    /* What comes with the head fits behind the head that we make of it. */
    size_t limit = exchange->response_begun ? SIZE_MAX : BUFFER_SMALL_SIZE - HEAD_GROWTH;
    size_t size = only_drain ? 0 : stream_read_some(&connection->stream, connection->in, limit);
    if (size > 0) {
        exchange->response_is_bulk |= buffer_room(connection->in) == 0;
        if (!exchange->response_begun) {
            struct request_record *record = &exchange->record;
            request_record_phase(record, &record->first_byte_us,
                                 worker_now_us(exchange->worker));
            dispatch_succeeded(&exchange->dispatch);
        }
        exchange->response_begun = true;
        counter_add(&dispatch_counters(&exchange->dispatch)->bytes_in, size);
    }
    if (!exchange->response_head_done && buffer_size(connection->in) > 0 &&
        !parse_head(exchange) &&
        (client->closed || client->exchange != exchange || exchange->stage != EXCHANGE_RUN))
        return true;
    bool moved = size > 0;
    if (exchange->response_head_done)
        moved |= move_body(exchange);
    if (client->closed || exchange->stage != EXCHANGE_RUN || exchange->response_done)
        return true;
    bool used_up = !exchange->response_head_done || buffer_size(connection->in) == 0;
    if (connection->stream.ended && used_up)
        return member_ended(exchange);
    return moved;
}
