/* The life of a client's HTTP connection: reading heads, running exchanges, deadlines. */
#include "proxy/http_exchange.h"

#include "lbnode/base/bytes.h"
#include "proxy/relay_tcp.h"

#include <string.h>

enum {
    ROUNDS_PER_TURN = 16 /* then others come first */
};

static void run_client(struct client *client);

/* ---- deadlines ------------------------------------------------------------------------------
 */

/* Nothing can go on before the client takes or sends bytes. */
static bool waits_for_client(const struct exchange *exchange)
{
    return buffer_size(exchange->down) > 0 || exchange->pipe ||
           (!exchange->request_body.done && exchange->up_sent == exchange->up->end &&
            !exchange->up_pipe);
}

/* The response is not complete: whoever we wait for is late. */
static void expire_running(struct exchange *exchange)
{
    bool by_client = waits_for_client(exchange);
    if (!by_client && !exchange->response_begun)
        dispatch_timed_out(&exchange->dispatch);
    enum termination why = by_client ? TERMINATION_CLIENT_TIMEOUT : TERMINATION_MEMBER_TIMEOUT;
    if (buffer_size(exchange->down) > 0 || exchange->response_head_done)
        exchange_abort(exchange, why);
    else
        exchange_answer(exchange, by_client ? 408 : 504, why);
}

/* Something moved: from now on whoever is next has its time again. */
static void renew_deadline(struct exchange *exchange)
{
    worker_set_deadline(exchange->worker, &exchange->client->timed,
                        waits_for_client(exchange) ? exchange->client_data_ms
                                                   : exchange->member_data_ms);
}

/* The client, or the member of what is in a pipe for it, is slow, but not silent: there is room
 * for more only once much has been taken. */
static bool is_being_taken(const struct exchange *exchange)
{
    const struct member_connection *connection = exchange->dispatch.connection;
    if (exchange->stage != EXCHANGE_RUN)
        return false;
    if (exchange->pipe || buffer_size(exchange->down) > 0)
        return stream_is_taken_from(&exchange->client->stream, exchange->client_data_ms / 2);
    return exchange->up_pipe && connection &&
           stream_is_taken_from(&connection->stream, exchange->member_data_ms / 2);
}

static struct exchange *exchange_new(struct client *client)
{
    struct worker *worker = client->worker;
    struct exchange *exchange = object_get(&worker->exchange_pool);
    if (!exchange)
        return NULL;
    /* The fields of a head are valid up to their count: the bulk need not be cleared. */
    memset(exchange, 0, offsetof(struct exchange, request));
    memset(&exchange->request_body, 0,
           sizeof(*exchange) - offsetof(struct exchange, request_body));
    http_head_init(&exchange->request);
    http_head_init(&exchange->response);
    exchange->client = client;
    exchange->worker = worker;
    exchange->request_body.done = true; /* until there is one */
    request_record_begin(&exchange->record, worker_now_us(worker));
    exchange->record.listener_slot = client->listener_slot;
    exchange->record.listener_incarnation = client->listener_incarnation;
    client->exchange = exchange;
    /* The head as a whole has this long, however slowly it drips. */
    worker_set_deadline(worker, &client->timed, CLIENT_HEAD_TIMEOUT_MS);
    return exchange;
}

static void on_expiry(struct timed *timed)
{
    struct client *client = CONTAINER_OF(timed, struct client, timed);
    struct exchange *exchange = client->exchange;
    if (!exchange && client->requests == 0)
        exchange = exchange_new(client); /* whoever connects for nothing is told */
    if (!exchange) {
        client_close(client); /* idle between requests */
        return;
    }
    if (is_being_taken(exchange)) {
        renew_deadline(exchange);
        return;
    }
    if (exchange->stage == EXCHANGE_HEAD || exchange->stage == EXCHANGE_RUN ||
        exchange->stage == EXCHANGE_FLUSH)
        counter_add(&client_counters(client)->timeouts, 1);
    switch (exchange->stage) {
    case EXCHANGE_HEAD: exchange_answer(exchange, 408, TERMINATION_CLIENT_TIMEOUT); break;
    case EXCHANGE_QUEUE:
        dispatch_queue_expired(&exchange->dispatch);
        exchange_answer(exchange, 503, TERMINATION_QUEUE_TIMEOUT);
        break;
    case EXCHANGE_PAUSE:
        exchange_dispatched(exchange, dispatch_next(&exchange->dispatch, false));
        break;
    case EXCHANGE_CONNECT:
        dispatch_connect_failed(&exchange->dispatch);
        exchange_dispatched(exchange,
                            dispatch_next(&exchange->dispatch, exchange->dispatch.may_reuse));
        break;
    case EXCHANGE_RUN: expire_running(exchange); break;
    case EXCHANGE_FLUSH: exchange_abort(exchange, TERMINATION_CLIENT_TIMEOUT); break;
    }
}

/* ---- running --------------------------------------------------------------------------------
 */

static void flush_down(struct exchange *exchange, bool *moved)
{
    struct client *client = exchange->client;
    if (buffer_size(exchange->down) == 0)
        return;
    bool end_follows = exchange->response_done && !exchange->client_keep;
    size_t sent = stream_write(&client->stream, exchange->down, end_follows);
    if (sent > 0) {
        *moved = true;
        exchange->record.bytes_out += sent;
        counter_add(&client_counters(client)->bytes_out, sent);
    }
}

/* Idle connections make room while places are scarce. */
static uint64_t keep_alive_ms(const struct worker *worker)
{
    bool scarce = (uint64_t)worker->client_count * 5 > worker->shared->maximum_clients * 4ull;
    return scarce ? CLIENT_KEEP_ALIVE_FULL_MS : CLIENT_KEEP_ALIVE_MS;
}

/* The response is on its way completely: the connection waits for the next request or ends. */
static void finish(struct exchange *exchange)
{
    struct client *client = exchange->client;
    bool keep = exchange->client_keep && !client->worker->draining;
    bool unread = !exchange->request_body.done || exchange->stage == EXCHANGE_FLUSH ||
                  buffer_size(client->in) > 0;
    client->exchange = NULL;
    request_record_decide(&exchange->record, TERMINATION_COMPLETE);
    exchange_free(exchange);
    if (keep) {
        worker_set_deadline(client->worker, &client->timed, keep_alive_ms(client->worker));
        if (buffer_size(client->in) > 0 || client->stream.readable)
            worker_run_later(client->worker, client);
        buffer_put_empty(&client->worker->buffers, &client->in);
    } else if (unread) {
        client_linger(client);
    } else {
        client_close(client);
    }
}

/* The client went away before there was an answer: its place in the queue and at the member is
 * for others. */
static bool is_abandoned(const struct exchange *exchange)
{
    const struct client *client = exchange->client;
    return client->stream.closing && exchange->stage != EXCHANGE_FLUSH &&
           exchange->request_body.done && !exchange->response_begun &&
           buffer_size(client->in) == 0 && stream_is_gone(&client->stream);
}

/* One round over both directions; true if another one may find more to do. */
static bool step(struct exchange *exchange)
{
    struct client *client = exchange->client;
    bool moved = false;
    if (is_abandoned(exchange)) {
        exchange_abort(exchange, TERMINATION_CLIENT_CLOSED);
        return false;
    }
    if (exchange->stage == EXCHANGE_RUN || exchange->stage == EXCHANGE_CONNECT)
        moved |= exchange_move_request(exchange);
    if (!client->closed && client->exchange == exchange && exchange->stage == EXCHANGE_RUN)
        moved |= exchange_move_response(exchange);
    if (client->closed || client->exchange != exchange)
        return false;
    flush_down(exchange, &moved);
    if (client->stream.write_failed) {
        exchange_abort(exchange, TERMINATION_CLIENT_CLOSED);
        return false;
    }
    if (exchange->response_done && buffer_size(exchange->down) == 0) {
        finish(exchange);
        return false;
    }
    return moved;
}

void exchange_run(struct exchange *exchange)
{
    struct client *client = exchange->client;
    bool any = false;
    for (int i = 0; i < ROUNDS_PER_TURN; i++) {
        bool moved = step(exchange);
        if (client->closed || client->exchange != exchange)
            return;
        any |= moved;
        if (!moved) {
            if (any && exchange->stage == EXCHANGE_RUN)
                renew_deadline(exchange);
            return;
        }
    }
    if (exchange->stage == EXCHANGE_RUN)
        renew_deadline(exchange);
    worker_run_later(exchange->worker, client);
}

void exchange_on_member_event(struct member_connection *connection)
{
    struct exchange *exchange = connection->owner;
    if (exchange->stage == EXCHANGE_CONNECT) {
        if (connection->connecting)
            return;
        if (connection->connect_error) {
            dispatch_connect_failed(&exchange->dispatch);
            exchange_dispatched(
                exchange, dispatch_next(&exchange->dispatch, exchange->dispatch.may_reuse));
            return;
        }
        exchange->stage = EXCHANGE_RUN;
        dispatch_connected(&exchange->dispatch);
        renew_deadline(exchange);
    }
    exchange_run(exchange);
}

/* ---- reading heads --------------------------------------------------------------------------
 */

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    struct worker *worker = exchange->worker;
    request_record_end(&exchange->record, worker);
    dispatch_finish(&exchange->dispatch);
    buffer_put(&worker->buffers, &exchange->up);
    buffer_put(&worker->buffers, &exchange->down);
    pipe_put(&worker->pipes, &exchange->pipe);
    pipe_put(&worker->pipes, &exchange->up_pipe);
    object_bury(&worker->exchange_pool, exchange);
}

/* Room for more of a head in client->in. False: out of memory. */
static bool make_room(struct client *client)
{
    if (buffer_room(client->in) > 0)
        return true;
    if (client->in->start > 0) {
        buffer_compact(client->in);
        return true;
    }
    return buffer_grow(&client->worker->buffers, &client->in);
}

/* Room for a head or for more of it; false: that has to wait. */
static bool have_room(struct client *client)
{
    struct worker *worker = client->worker;
    if (!client->in)
        client->in = buffer_get_early(&worker->buffers, BUFFER_SMALL);
    if (client->in && make_room(client))
        return true;
    worker_await_buffer(worker, client);
    return false;
}

/* Looks at the bytes of a head. True: read on. */
static bool parse_head(struct client *client)
{
    struct exchange *exchange = client->exchange ? client->exchange : exchange_new(client);
    if (!exchange) {
        client_close(client);
        return false;
    }
    enum http_parse_result result = http_request_parse(
        &exchange->request, buffer_begin(client->in), buffer_size(client->in));
    if (result == HTTP_COMPLETE) {
        client->requests++;
        counter_add(&client_counters(client)->requests, 1);
        exchange_begin(exchange);
        return false;
    }
    if (result == HTTP_BAD) {
        counter_add(&client_counters(client)->request_errors, 1);
        exchange_answer(exchange, exchange->request.error_status, TERMINATION_BAD_REQUEST);
        return false;
    }
    return true;
}

static void read_head(struct client *client)
{
    struct worker *worker = client->worker;
    if (!have_room(client))
        return;
    /* What came along with the request before is looked at even if nothing follows it. */
    bool unseen = buffer_size(client->in) > 0 && !client->exchange;
    for (int i = 0; i < ROUNDS_PER_TURN; i++) {
        size_t size = stream_read(&client->stream, client->in);
        counter_add(&client_counters(client)->bytes_in, size);
        if (size == 0 && !unseen)
            break;
        unseen = false;
        if (!parse_head(client))
            return;
        if (!have_room(client))
            return;
    }
    if (client->stream.ended) {
        client_close(client);
        return;
    }
    if (client->exchange && client->requests == 0) /* the client may wait before it goes on */
        stream_acknowledge_at_once(&client->stream);
    buffer_put_empty(&worker->buffers, &client->in);
    if (client->stream.readable)
        worker_run_later(worker, client);
}

static void run_client(struct client *client)
{
    if (client->exchange && client->exchange->stage != EXCHANGE_HEAD)
        exchange_run(client->exchange);
    else if (client->stream.readable || buffer_size(client->in) > 0)
        read_head(client);
}

void http_client_start(struct client *client)
{
    client->run = run_client;
    client->timed.on_expiry = on_expiry;
    client->stream.writable = true;
    client->stream.readable = true; /* deferred accept: the request is there already */
    worker_set_deadline(client->worker, &client->timed, CLIENT_HEAD_TIMEOUT_MS);
    read_head(client);
}
