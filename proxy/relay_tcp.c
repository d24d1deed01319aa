#include "proxy/relay_tcp.h"

#include "lbnode/base/bytes.h"
#include "proxy/http_exchange.h"
#include "proxy/member_down.h"

#include <string.h>
#include <sys/socket.h>

enum {
    ROUNDS_PER_TURN = 16,
    ACKNOWLEDGE_AFTER_TURNS = 2 /* the rest of this one, and a whole one */
};

enum relay_stage {
    RELAY_QUEUE,
    RELAY_PAUSE,
    RELAY_CONNECT,
    RELAY_RUN
};

struct relay_direction {
    struct buffer *early;  /* bytes from before the relay began; they go first */
    struct buffer *buffer; /* read, not yet written; held only while bytes are in it */
    struct pipe *pipe;     /* likewise, while it is bulk */
    bool is_bulk;          /* the last read was large */
    bool shut;             /* the end has been passed on */
};

struct relay {
    struct client *client;
    struct worker *worker;
    enum relay_stage stage;
    struct dispatch dispatch;
    struct relay_direction up, down; /* to the member, to the client */
    unsigned turns_to_acknowledge;   /* the handshake with the member; 0: it is, or will be */
    uint64_t connect_ms, idle_ms;
    uint64_t drain_ms;       /* how long it may go on when the member is down and drains */
    uint64_t drain_until_ms; /* 0: it is not */
    struct request_record record;
    void *reserved; /* link of buried objects */
};

static void run_client(struct client *client);

void relay_free(struct relay *relay)
{
    if (!relay)
        return;
    struct buffer_pool *buffers = &relay->worker->buffers;
    request_record_end(&relay->record, relay->worker);
    dispatch_finish(&relay->dispatch);
    buffer_put(buffers, &relay->up.early);
    buffer_put(buffers, &relay->up.buffer);
    buffer_put(buffers, &relay->down.early);
    buffer_put(buffers, &relay->down.buffer);
    pipe_put(&relay->worker->pipes, &relay->up.pipe);
    pipe_put(&relay->worker->pipes, &relay->down.pipe);
    object_bury(&relay->worker->relay_pool, relay);
}

size_t relay_object_size(void)
{
    return sizeof(struct relay);
}

static void give_up(struct relay *relay, enum termination why)
{
    request_record_decide(&relay->record, why);
    client_abort(relay->client);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t drain_left_ms(const struct relay *relay)
{
    uint64_t now_ms = worker_now_ms(relay->worker);
    return relay->drain_until_ms > now_ms ? relay->drain_until_ms - now_ms : 0;
}

static uint64_t allowed_silence_ms(const struct relay *relay)
{
    bool is_half_closed = relay->up.shut || relay->down.shut;
    uint64_t allowed_ms =
        is_half_closed ? smaller(relay->idle_ms, RELAY_HALF_CLOSED_MS) : relay->idle_ms;
    if (relay->drain_until_ms == 0)
        return allowed_ms;
    return smaller(smaller(allowed_ms, RELAY_DRAIN_IDLE_MS), drain_left_ms(relay));
}

static void renew_deadline(struct relay *relay)
{
    worker_set_deadline(relay->worker, &relay->client->timed, allowed_silence_ms(relay));
}

/* Who takes what waits is slow, but not silent: there is room for more only once much of it has
 * gone. */
static bool is_taken(const struct relay *relay,
                     const struct relay_direction *direction,
                     const struct stream *to)
{
    return (direction->early || direction->buffer || direction->pipe) &&
           stream_is_taken_from(to, allowed_silence_ms(relay) / 2);
}

/* True if the bytes go, or went, through a pipe. */
static bool move_bulk(struct relay *relay,
                      struct relay_direction *direction,
                      struct stream *from,
                      struct stream *to,
                      size_t *out_read,
                      size_t *out_written)
{
    struct pipe_pool *pipes = &relay->worker->pipes;
    if (!direction->pipe) {
        if (!direction->is_bulk || direction->buffer || !from->readable || from->ended)
            return false;
        direction->pipe = pipe_get(pipes);
        if (!direction->pipe)
            return false;
        *out_read = stream_fill_pipe(from, direction->pipe, PIPE_SIZE);
        direction->is_bulk = *out_read >= PIPE_TRICKLE;
    }
    *out_written = stream_drain_pipe(to, direction->pipe);
    if (direction->pipe->size == 0 || to->write_failed)
        pipe_put(pipes, &direction->pipe);
    return true;
}

/* The last bytes and the end mostly come together, and go together when both are known. */
static size_t read_up_to_end(struct stream *from, struct buffer *buffer)
{
    size_t size = stream_read(from, buffer);
    if (size > 0 && from->closing && buffer_room(buffer) > 0)
        size += stream_read(from, buffer);
    return size;
}

/* What waits in a direction is written before more is read: one buffer is the bound. */
static bool move(struct relay *relay,
                 struct relay_direction *direction,
                 struct stream *from,
                 struct stream *to,
                 size_t *out_read,
                 size_t *out_written)
{
    struct buffer_pool *buffers = &relay->worker->buffers;
    *out_read = *out_written = 0;
    if (direction->early) {
        *out_written = stream_write(to, direction->early, false);
        buffer_put_empty(buffers, &direction->early);
        return *out_written > 0;
    }
    if (move_bulk(relay, direction, from, to, out_read, out_written))
        return *out_read > 0 || *out_written > 0;
    if (!direction->buffer && from->readable && !from->ended) {
        direction->buffer = buffer_get_early(buffers, BUFFER_LARGE);
        if (!direction->buffer)
            worker_await_buffer(relay->worker, relay->client);
        else
            *out_read = read_up_to_end(from, direction->buffer);
        direction->is_bulk = *out_read >= PIPE_BULK;
    }
    if (direction->buffer)
        *out_written = stream_write(to, direction->buffer, from->ended);
    if (to->write_failed)
        buffer_put(buffers, &direction->buffer); /* nobody will have it */
    buffer_put_empty(buffers, &direction->buffer);
    return *out_read > 0 || *out_written > 0;
}

/* Passes the end of a direction on, once all its bytes are. True when it just was. The second
 * direction's end goes with closing both, which follows at once. */
static bool pass_end(struct relay_direction *direction,
                     const struct relay_direction *other,
                     const struct stream *from,
                     const struct stream *to)
{
    bool at_end = from->ended && !direction->buffer && !direction->pipe && !direction->early;
    if (direction->shut || !(at_end || to->write_failed))
        return false;
    direction->shut = true;
    if (!other->shut)
        shutdown(to->fd, SHUT_WR);
    return true;
}

/* One round; true if another may find more to do. */
static bool step(struct relay *relay)
{
    struct client *client = relay->client;
    struct stream *member = &relay->dispatch.connection->stream;
    size_t read, written;
    bool moved = move(relay, &relay->up, &client->stream, member, &read, &written);
    counter_add(&client_counters(client)->bytes_in, read);
    relay->record.bytes_in += read;
    counter_add(&dispatch_counters(&relay->dispatch)->bytes_out, written);
    moved |= move(relay, &relay->down, member, &client->stream, &read, &written);
    counter_add(&dispatch_counters(&relay->dispatch)->bytes_in, read);
    counter_add(&client_counters(client)->bytes_out, written);
    relay->record.bytes_out += written;
    if (read > 0 && relay->record.first_byte_us == REQUEST_NOT_REACHED)
        request_record_phase(&relay->record, &relay->record.first_byte_us,
                             worker_now_us(relay->worker));
    moved |= pass_end(&relay->up, &relay->down, &client->stream, member);
    moved |= pass_end(&relay->down, &relay->up, member, &client->stream);
    return moved;
}

/* True when the relay is over and the client closed. */
static bool is_over(struct relay *relay)
{
    struct client *client = relay->client;
    const struct stream *member = &relay->dispatch.connection->stream;
    if (client->stream.write_failed || (member->write_failed && relay->down.shut)) {
        give_up(relay, client->stream.write_failed ? TERMINATION_CLIENT_CLOSED
                                                   : TERMINATION_MEMBER_FAILED);
        return true;
    }
    if (!relay->up.shut || !relay->down.shut)
        return false;
    dispatch_release(&relay->dispatch, false);
    request_record_decide(&relay->record, TERMINATION_COMPLETE);
    client_close(client);
    return true;
}

static void run(struct relay *relay)
{
    bool any = false;
    if (relay->stage != RELAY_RUN)
        return;
    for (int i = 0; i < ROUNDS_PER_TURN; i++) {
        bool moved = step(relay);
        if (is_over(relay))
            return;
        any |= moved;
        if (!moved) {
            if (any)
                renew_deadline(relay);
            return;
        }
    }
    renew_deadline(relay);
    worker_run_later(relay->worker, relay->client);
}

/* The client's first bytes for the member, which acknowledge the handshake too, are mostly
 * right behind; when they are not, the member is the one who begins. */
static void acknowledge_member(struct relay *relay)
{
    if (relay->record.bytes_in > 0)
        relay->turns_to_acknowledge = 0;
    else if (--relay->turns_to_acknowledge == 0)
        stream_acknowledge_at_once(&relay->dispatch.connection->stream);
    else
        worker_run_later(relay->worker, relay->client);
}

static void run_client(struct client *client)
{
    struct relay *relay = client->relay;
    run(relay);
    if (!client->closed && relay->turns_to_acknowledge > 0)
        acknowledge_member(relay);
}

static void dispatched(struct relay *relay, enum dispatch_result result)
{
    struct client *client = relay->client;
    switch (result) {
    case DISPATCH_READY: break;
    case DISPATCH_CONNECTING:
        relay->stage = RELAY_CONNECT;
        relay->drain_until_ms = 0; /* that was about another member */
        worker_set_deadline(relay->worker, &client->timed, relay->connect_ms);
        break;
    case DISPATCH_PAUSE:
        relay->stage = RELAY_PAUSE;
        worker_set_deadline(relay->worker, &client->timed, DISPATCH_PAUSE_MS);
        break;
    case DISPATCH_QUEUED:
        relay->stage = RELAY_QUEUE;
        worker_set_deadline(relay->worker, &client->timed,
                            dispatch_queue_left_ms(&relay->dispatch));
        break;
    case DISPATCH_QUEUE_FULL: give_up(relay, TERMINATION_QUEUE_FULL); break;
    case DISPATCH_NONE:
        counter_add(&client_counters(client)->no_member, 1);
        give_up(relay, TERMINATION_NO_MEMBER);
        break;
    case DISPATCH_FAILED: give_up(relay, dispatch_failure(&relay->dispatch)); break;
    }
}

/* If the member went down meanwhile, it is told what becomes of it in the next turn. */
static void begin_running(struct relay *relay)
{
    const struct dispatch *dispatch = &relay->dispatch;
    relay->stage = RELAY_RUN;
    relay->worker->verdicts_unseen |=
        member_down_is_known(relay->worker, dispatch->slot, dispatch->incarnation);
}

static void on_turn(struct dispatch *dispatch)
{
    dispatched(dispatch->owner, dispatch_next(dispatch, false));
}

static void on_member_event(struct member_connection *connection)
{
    struct relay *relay = connection->owner;
    if (connection->connecting)
        return;
    if (relay->stage == RELAY_CONNECT) {
        if (connection->connect_error) {
            dispatch_connect_failed(&relay->dispatch);
            dispatched(relay, dispatch_next(&relay->dispatch, false));
            return;
        }
        begin_running(relay);
        dispatch_connected(&relay->dispatch);
        dispatch_succeeded(&relay->dispatch);
        dispatch_settle(&relay->dispatch);
        renew_deadline(relay);
        if (!relay->client->stream.readable) {
            relay->turns_to_acknowledge = ACKNOWLEDGE_AFTER_TURNS;
            worker_run_later(relay->worker, relay->client);
        }
    }
    run(relay);
}

/* What becomes of the member's connection. An established one cannot go to another member. */
static void on_member_news(struct member_connection *connection, enum member_news news)
{
    struct relay *relay = connection->owner;
    if (news == MEMBER_RESETS && relay->stage == RELAY_CONNECT) {
        dispatched(relay, dispatch_leave(&relay->dispatch));
        return;
    }
    if (news == MEMBER_RESETS) {
        counter_add(&dispatch_counters(&relay->dispatch)->failures, 1);
        give_up(relay, TERMINATION_MEMBER_DOWN);
        return;
    }
    bool drains = news == MEMBER_DRAINS;
    if (drains == (relay->drain_until_ms != 0))
        return;
    relay->drain_until_ms = drains ? worker_now_ms(relay->worker) + relay->drain_ms : 0;
    if (relay->stage == RELAY_RUN)
        renew_deadline(relay);
}

/* Nothing has moved for as long as is allowed. */
static void expire_running(struct relay *relay)
{
    struct client *client = relay->client;
    bool drains = relay->drain_until_ms != 0;
    if ((!drains || drain_left_ms(relay) > 0) &&
        (is_taken(relay, &relay->down, &client->stream) ||
         is_taken(relay, &relay->up, &relay->dispatch.connection->stream))) {
        renew_deadline(relay);
        return;
    }
    counter_add(&client_counters(client)->timeouts, !drains);
    give_up(relay, drains ? TERMINATION_MEMBER_DOWN : TERMINATION_CLIENT_TIMEOUT);
}

static void on_expiry(struct timed *timed)
{
    struct client *client = CONTAINER_OF(timed, struct client, timed);
    struct relay *relay = client->relay;
    if (relay->stage == RELAY_RUN) {
        expire_running(relay);
        return;
    }
    if (relay->stage == RELAY_QUEUE) {
        dispatch_queue_expired(&relay->dispatch);
        give_up(relay, TERMINATION_QUEUE_TIMEOUT);
        return;
    }
    if (relay->stage == RELAY_CONNECT)
        dispatch_connect_failed(&relay->dispatch);
    dispatched(relay, dispatch_next(&relay->dispatch, false));
}

static struct relay *relay_new(struct client *client)
{
    struct relay *relay = object_get(&client->worker->relay_pool);
    if (!relay)
        return NULL;
    memset(relay, 0, sizeof(*relay));
    relay->client = client;
    relay->worker = client->worker;
    request_record_begin(&relay->record, worker_now_us(client->worker));
    relay->record.listener_slot = client->listener_slot;
    relay->record.listener_incarnation = client->listener_incarnation;
    client->relay = relay;
    client->run = run_client;
    client->timed.on_expiry = on_expiry;
    return relay;
}

static uint64_t smaller_timeout(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b > 0 ? a + b : RELAY_TUNNEL_IDLE_MS;
    return smaller(a, b);
}

void relay_tcp_start(struct client *client, const struct snapshot_listener *listener)
{
    struct relay *relay = relay_new(client);
    if (!relay) {
        client_abort(client);
        return;
    }
    client->stream.writable = true;
    relay->connect_ms = smaller_timeout(listener->timeout_member_connect_ms, 0);
    relay->idle_ms =
        smaller_timeout(listener->timeout_client_data_ms, listener->timeout_member_data_ms);
    relay->drain_ms = smaller_timeout(listener->timeout_member_data_ms, 0);
    dispatch_init(&relay->dispatch, client->worker, listener->pool, &client->peer,
                  &relay->record);
    relay->dispatch.on_event = on_member_event;
    relay->dispatch.on_news = on_member_news;
    relay->dispatch.on_turn = on_turn;
    relay->dispatch.owner = relay;
    dispatched(relay, dispatch_next(&relay->dispatch, false));
}

void relay_from_exchange(struct client *client)
{
    struct exchange *exchange = client->exchange;
    struct relay *relay = relay_new(client);
    if (!relay) {
        client_abort(client);
        return;
    }
    struct member_connection *connection = exchange->dispatch.connection;
    relay->drain_ms = exchange->member_data_ms;
    relay->dispatch = exchange->dispatch;
    relay->record = exchange->record;
    exchange->record.is_ended = true; /* goes on as the relay's */
    dispatch_settle(&relay->dispatch);
    relay->dispatch.record = &relay->record;
    relay->dispatch.on_event = connection->on_event = on_member_event;
    relay->dispatch.on_news = connection->on_news = on_member_news;
    relay->dispatch.owner = connection->owner = relay;
    exchange->dispatch = (struct dispatch){0};
    relay->down.early = exchange->down; /* the head of the 101 */
    exchange->down = NULL;
    relay->down.buffer = connection->in;
    connection->in = NULL;
    relay->up.early = client->in;
    client->in = NULL;
    buffer_put_empty(&client->worker->buffers, &relay->down.buffer);
    buffer_put_empty(&client->worker->buffers, &relay->up.early);
    client->exchange = NULL;
    exchange_free(exchange);
    begin_running(relay);
    relay->idle_ms = RELAY_TUNNEL_IDLE_MS;
    client->stream.readable = true;
    stream_probe_when_idle(&client->stream);
    stream_probe_when_idle(&connection->stream);
    renew_deadline(relay);
    worker_run_later(client->worker, client);
}
