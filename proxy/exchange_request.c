/* The request's way: checks, the head for the member, dispatch, the body. */
#include "lbnode/base/bytes.h"
#include "proxy/error_page.h"
#include "proxy/forwarded_head.h"
#include "proxy/http_exchange.h"

enum {
    HEAD_GROWTH = 1024 /* what we may add to a head, at most */
};

void exchange_abort(struct exchange *exchange, enum termination why)
{
    request_record_decide(&exchange->record, why);
    client_abort(exchange->client);
}

/* Room for an error page behind the interim responses that are on their way. */
static bool make_page_room(struct exchange *exchange)
{
    struct buffer_pool *buffers = &exchange->worker->buffers;
    struct client *client = exchange->client;
    if (!exchange->down)
        exchange->down = buffer_get(buffers, BUFFER_SMALL);
    if (!exchange->down && client->in) { /* nothing of it is looked at any more */
        exchange->down = client->in;
        exchange->down->start = exchange->down->end = 0;
        client->in = NULL;
    }
    if (!exchange->down)
        return false;
    buffer_compact(exchange->down);
    return buffer_room(exchange->down) >= ERROR_PAGE_MAXIMUM ||
           buffer_grow(buffers, &exchange->down);
}

void exchange_answer(struct exchange *exchange, int status, enum termination why)
{
    char page[ERROR_PAGE_MAXIMUM];
    struct client *client = exchange->client;
    request_record_decide(&exchange->record, why);
    dispatch_finish(&exchange->dispatch);
    if (exchange->response_head_done || !make_page_room(exchange)) {
        client_abort(client);
        return;
    }
    buffer_append(exchange->down, page, error_page_build(status, why, exchange->is_head, page));
    exchange->record.status = (uint16_t)status;
    exchange->stage = EXCHANGE_FLUSH;
    exchange->response_head_done = exchange->response_done = true;
    exchange->client_keep = false;
    worker_set_deadline(exchange->worker, &client->timed, CLIENT_HEAD_TIMEOUT_MS);
    exchange_run(exchange);
}

static bool method_is(const struct exchange *exchange, const char *method)
{
    struct bytes text =
        http_head_text(buffer_begin(exchange->client->in), exchange->request.method,
                       exchange->request.method_length);
    size_t i = 0;
    while (i < text.size && method[i] && (char)text.data[i] == method[i])
        i++;
    return i == text.size && method[i] == '\0';
}

/* Methods whose repetition does no harm (RFC 9110 9.2.2). */
static bool is_idempotent(const struct exchange *exchange)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        if (method_is(exchange, methods[i]))
            return true;
    }
    return false;
}

/* Only websocket, only without a body (dropping Upgrade is always allowed: RFC 9110 7.8). */
static bool wants_websocket(const struct exchange *exchange)
{
    const struct http_head *head = &exchange->request;
    const struct http_field *field = http_head_field(head, HTTP_FIELD_UPGRADE);
    return head->upgrade && head->version_minor > 0 && head->framing == HTTP_BODY_NONE &&
           http_text_is(http_head_text(buffer_begin(exchange->client->in), field->value,
                                       field->value_length),
                        "websocket");
}

/* Builds the head for the member in exchange->up: 0 or an HTTP status. */
static int build_head(struct exchange *exchange, const struct snapshot_listener *listener)
{
    struct client *client = exchange->client;
    struct buffer_pool *buffers = &exchange->worker->buffers;
    struct forwarded_request request = {
        .head = &exchange->request,
        .buffer = buffer_begin(client->in),
        .insert_headers = listener->insert_headers,
        .client = client->peer.address,
        .local = client->local,
        .upgrade = exchange->is_upgrade,
        .is_last = exchange->is_private,
    };
    int64_t hops = forwarded_hops(request.head, request.buffer);
    request.hop_counted = hops > 0;
    request.hops_left = hops > 0 ? (uint32_t)hops - 1 : 0;
    size_t needed = exchange->request.size + HEAD_GROWTH;
    exchange->up = buffer_get(buffers, BUFFER_SMALL);
    if (!exchange->up)
        return 503;
    if (exchange->is_replayable && exchange->request.framing == HTTP_BODY_LENGTH &&
        exchange->request.content_length <= EXCHANGE_REPLAY_BODY)
        needed += exchange->request.content_length;
    if (needed > buffer_room(exchange->up) && !buffer_grow(buffers, &exchange->up))
        return 503;
    int size = forwarded_request_build(&request, exchange->up->data, exchange->up->capacity);
    if (size < 0)
        return -size;
    exchange->up->end = (uint32_t)size;
    exchange->up_kept = true;
    return 0;
}

static uint64_t at_least_one(uint64_t timeout_ms)
{
    enum {
        MAXIMUM_MS = 24 * 24 * 3600 * 1000
    };
    return timeout_ms > 0 && timeout_ms < MAXIMUM_MS ? timeout_ms : MAXIMUM_MS;
}

static const struct snapshot_pool *pool_of(const struct exchange *exchange)
{
    const struct snapshot *snapshot = exchange->worker->generation->generation->snapshot;
    const struct snapshot_listener *listener = client_listener(exchange->client);
    return listener && listener->pool != SNAPSHOT_NONE
               ? &snapshot_pools(snapshot)[listener->pool]
               : NULL;
}

static bool never_reuses(const struct exchange *exchange)
{
    const struct snapshot_pool *pool = pool_of(exchange);
    return pool && pool->reuse == SNAPSHOT_REUSE_NEVER;
}

/* A request that cannot be repeated, or whose body is too long to be kept for that, goes over a
 * fresh connection while the client's connection is young: it could meet a kept one just as the
 * member closes it. A client's later requests bear that, as they would without us. */
static bool may_reuse(const struct exchange *exchange)
{
    const struct http_head *head = &exchange->request;
    bool is_short =
        head->framing == HTTP_BODY_NONE ||
        (head->framing == HTTP_BODY_LENGTH && head->content_length <= EXCHANGE_REPLAY_BODY);
    bool is_later = exchange->client->requests > 1;
    const struct snapshot_pool *pool = pool_of(exchange);
    switch (pool ? (enum snapshot_reuse)pool->reuse : SNAPSHOT_REUSE_NEVER) {
    case SNAPSHOT_REUSE_NEVER: return false;
    case SNAPSHOT_REUSE_SAFE: return is_later;
    case SNAPSHOT_REUSE_SAFE_PLUS: return (exchange->is_replayable && is_short) || is_later;
    case SNAPSHOT_REUSE_ALWAYS: break;
    }
    return true;
}

bool exchange_binds_connection(const char *buffer, const struct http_field *field)
{
    static const char *const schemes[] = {"NTLM", "Negotiate"};
    struct bytes list = http_head_text(buffer, field->value, field->value_length), element;
    while (http_list_next(&list, &element)) {
        struct bytes scheme = {element.data, 0};
        while (scheme.size < element.size && element.data[scheme.size] != ' ')
            scheme.size++;
        for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
            if (http_text_is(scheme, schemes[i]))
                return true;
        }
    }
    return false;
}

/* The member will take the connection for this client's, or it may only be used once. */
static bool wants_own_connection(const struct exchange *exchange)
{
    const char *buffer = buffer_begin(exchange->client->in);
    const struct http_field *field =
        http_head_field_named(&exchange->request, buffer, "authorization");
    return (field && exchange_binds_connection(buffer, field)) || never_reuses(exchange);
}

void exchange_begin(struct exchange *exchange)
{
    struct client *client = exchange->client;
    const struct snapshot_listener *listener = client_listener(client);
    struct request_record *record = &exchange->record;
    request_record_phase(record, &record->client_wait_us, worker_now_us(exchange->worker));
    record->bytes_in = exchange->request.size;
    exchange->is_head = method_is(exchange, "HEAD");
    if (!listener) {
        exchange_answer(exchange, 503, TERMINATION_STOPPED); /* the listener is gone */
        return;
    }
    if (method_is(exchange, "CONNECT") || method_is(exchange, "TRACE")) {
        exchange_answer(exchange, 405, TERMINATION_BAD_REQUEST);
        return;
    }
    if (forwarded_hops(&exchange->request, buffer_begin(client->in)) == 0) {
        exchange_answer(exchange, 200, TERMINATION_COMPLETE); /* it was for us */
        return;
    }
    exchange->is_replayable = is_idempotent(exchange);
    exchange->is_upgrade = wants_websocket(exchange);
    exchange->is_private = wants_own_connection(exchange);
    exchange->client_data_ms = at_least_one(listener->timeout_client_data_ms);
    exchange->member_connect_ms = at_least_one(listener->timeout_member_connect_ms);
    exchange->member_data_ms = at_least_one(listener->timeout_member_data_ms);
    int status = build_head(exchange, listener);
    if (status != 0) {
        counter_add(&client_counters(client)->request_errors, 1);
        exchange_answer(exchange, status,
                        status == 503 ? TERMINATION_NO_RESOURCES : TERMINATION_BAD_REQUEST);
        return;
    }
    body_transfer_init(&exchange->request_body, exchange->request.framing,
                       exchange->request.content_length,
                       exchange->request.framing == HTTP_BODY_CHUNKED);
    buffer_consume(client->in, exchange->request.size);
    buffer_put_empty(&exchange->worker->buffers, &client->in);
    if (!exchange->request_body.done && client->requests == 1)
        stream_acknowledge_at_once(&client->stream);
    dispatch_init(&exchange->dispatch, exchange->worker, listener->pool, &client->peer,
                  &exchange->record);
    exchange->dispatch.on_event = exchange_on_member_event;
    exchange->dispatch.on_news = exchange_on_member_news;
    exchange->dispatch.on_turn = exchange_on_turn;
    exchange->dispatch.owner = exchange;
    exchange_dispatched(exchange, dispatch_next(&exchange->dispatch, may_reuse(exchange)));
}

void exchange_on_turn(struct dispatch *dispatch)
{
    struct exchange *exchange = dispatch->owner;
    exchange_dispatched(exchange, dispatch_next(dispatch, dispatch->may_reuse));
}

void exchange_dispatched(struct exchange *exchange, enum dispatch_result result)
{
    struct timed *timed = &exchange->client->timed;
    switch (result) {
    case DISPATCH_READY:
        exchange->stage = EXCHANGE_RUN;
        worker_set_deadline(exchange->worker, timed, exchange->member_data_ms);
        break;
    case DISPATCH_CONNECTING:
        exchange->stage = EXCHANGE_CONNECT;
        worker_set_deadline(exchange->worker, timed, exchange->member_connect_ms);
        break;
    case DISPATCH_PAUSE:
        exchange->stage = EXCHANGE_PAUSE;
        worker_set_deadline(exchange->worker, timed, DISPATCH_PAUSE_MS);
        return;
    case DISPATCH_QUEUED:
        exchange->stage = EXCHANGE_QUEUE;
        exchange->body_since_ms = 0; /* it is not read meanwhile */
        worker_set_deadline(exchange->worker, timed,
                            dispatch_queue_left_ms(&exchange->dispatch));
        return;
    case DISPATCH_QUEUE_FULL: exchange_answer(exchange, 503, TERMINATION_QUEUE_FULL); return;
    case DISPATCH_NONE:
        counter_add(&client_counters(exchange->client)->no_member, 1);
        exchange_answer(exchange, 503, TERMINATION_NO_MEMBER);
        return;
    case DISPATCH_FAILED:
        exchange_answer(exchange, 503, dispatch_failure(&exchange->dispatch));
        return;
    }
    exchange_run(exchange);
}

/* Room for more of the body in `up`: what has been sent is given up only when it is needed. */
static void make_room(struct exchange *exchange)
{
    struct buffer *up = exchange->up;
    if (buffer_room(up) >= BODY_LEAST_ROOM || exchange->up_sent == 0)
        return;
    exchange->up_kept = false;
    up->start = exchange->up_sent;
    exchange->up_sent = 0;
    if (up->start == up->end)
        up->start = up->end = 0;
    else
        buffer_compact(up);
}

/* False when the client sends its body too slowly. What the member does not take yet is not the
 * client's fault: the average begins anew after it. */
static bool is_fast_enough(struct exchange *exchange, size_t size)
{
    uint64_t now_ms = worker_now_ms(exchange->worker);
    uint64_t elapsed_ms = now_ms - exchange->body_since_ms;
    bool is_blocked = buffer_room(exchange->up) < BODY_LEAST_ROOM;
    exchange->body_bytes += (uint32_t)size;
    if (!is_blocked && exchange->body_since_ms != 0 && elapsed_ms < EXCHANGE_BODY_RATE_MS)
        return true;
    bool good = is_blocked || exchange->body_since_ms == 0 ||
                exchange->body_bytes >= EXCHANGE_BODY_RATE * elapsed_ms / 1000;
    exchange->body_since_ms = is_blocked ? 0 : now_ms;
    exchange->body_bytes = 0;
    return good;
}

/* Reads and moves the body. False: the exchange is over. */
static bool read_body(struct exchange *exchange, bool *moved)
{
    struct client *client = exchange->client;
    if (!client->in)
        client->in = buffer_get(&exchange->worker->buffers, BUFFER_SMALL);
    if (!client->in) {
        worker_await_buffer(exchange->worker, client);
        return true;
    }
    make_room(exchange);
    buffer_compact(client->in);
    size_t size = stream_read(&client->stream, client->in);
    exchange->request_is_bulk = size > 0 && buffer_room(client->in) == 0;
    counter_add(&client_counters(client)->bytes_in, size);
    exchange->record.bytes_in += size;
    if (!is_fast_enough(exchange, size)) {
        counter_add(&client_counters(client)->timeouts, 1);
        exchange_answer(exchange, 408, TERMINATION_CLIENT_TIMEOUT);
        return false;
    }
    size_t before = buffer_size(client->in);
    enum body_result result =
        body_transfer_move(&exchange->request_body, client->in, exchange->up);
    *moved |= size > 0 || before != buffer_size(client->in) || result == BODY_DONE;
    if (result == BODY_BAD) {
        counter_add(&client_counters(client)->request_errors, 1);
        exchange_answer(exchange, 400, TERMINATION_BAD_REQUEST);
        return false;
    }
    if (result == BODY_MORE && client->stream.ended && buffer_size(client->in) == 0) {
        exchange_abort(exchange, TERMINATION_CLIENT_CLOSED); /* in the middle */
        return false;
    }
    if (result == BODY_DONE)
        buffer_put_empty(&exchange->worker->buffers, &client->in);
    return true;
}

/* Much is to come, in large pieces and as the member is to have it, and all before it is on its
 * way. Such a body is too long to be kept for a second attempt. */
static bool may_splice(const struct exchange *exchange)
{
    const struct client *client = exchange->client;
    const struct member_connection *connection = exchange->dispatch.connection;
    return exchange->request_is_bulk && !exchange->request_failed &&
           !exchange->request_body.chunk_output &&
           body_transfer_passable(&exchange->request_body) >= PIPE_BULK && connection &&
           !connection->connecting && buffer_size(client->in) == 0 &&
           exchange->up_sent == exchange->up->end && client->stream.readable &&
           !client->stream.ended;
}

/* Bytes from the client that are in the pipe now. */
static size_t fill_pipe(struct exchange *exchange)
{
    struct client *client = exchange->client;
    size_t limit = body_transfer_passable(&exchange->request_body);
    exchange->up_pipe = pipe_get(&exchange->worker->pipes);
    if (!exchange->up_pipe)
        return 0;
    size_t read = stream_fill_pipe(&client->stream, exchange->up_pipe,
                                   limit < PIPE_SIZE ? limit : PIPE_SIZE);
    body_transfer_pass(&exchange->request_body, read, exchange->up);
    exchange->request_is_bulk = read >= PIPE_TRICKLE;
    exchange->up_kept &= read == 0;
    if (exchange->request_is_bulk)
        exchange->body_since_ms = 0; /* fast enough: the average begins anew */
    else
        exchange->body_bytes += (uint32_t)read;
    exchange->record.bytes_in += read;
    counter_add(&client_counters(client)->bytes_in, read);
    if (read == 0) /* none yet, or the end */
        pipe_put(&exchange->worker->pipes, &exchange->up_pipe);
    return read;
}

static void note_failure(struct exchange *exchange, struct stream *member)
{
    if (!member->write_failed)
        return;
    exchange->request_failed = true; /* it may have answered nevertheless */
    member->readable = true;
}

/* Moves a long body through a pipe. False: it is to be moved by the buffers. */
static bool splice_body(struct exchange *exchange, bool *moved)
{
    struct member_connection *connection = exchange->dispatch.connection;
    size_t read = 0;
    if (!exchange->up_pipe) {
        if (!may_splice(exchange))
            return false;
        read = fill_pipe(exchange);
        if (read == 0)
            return false;
    }
    if (!connection)
        return true; /* it has answered already */
    size_t sent = stream_drain_pipe(&connection->stream, exchange->up_pipe);
    counter_add(&dispatch_counters(&exchange->dispatch)->bytes_out, sent);
    if (exchange->up_pipe->size == 0 || connection->stream.write_failed)
        pipe_put(&exchange->worker->pipes, &exchange->up_pipe);
    note_failure(exchange, &connection->stream);
    *moved = read > 0 || sent > 0;
    return true;
}

bool exchange_move_request(struct exchange *exchange)
{
    bool moved = false;
    if (splice_body(exchange, &moved))
        return moved;
    if (!exchange->request_body.done && !exchange->request_failed &&
        !read_body(exchange, &moved))
        return true;
    struct member_connection *connection = exchange->dispatch.connection;
    if (!connection || connection->connecting)
        return moved;
    size_t sent = stream_write_kept(&connection->stream, exchange->up, &exchange->up_sent);
    if (sent > 0)
        counter_add(&dispatch_counters(&exchange->dispatch)->bytes_out, sent);
    note_failure(exchange, &connection->stream);
    return moved || sent > 0;
}
