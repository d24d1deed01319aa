#include "proxy/client_connection.h"

#include "lbnode/base/bytes.h"
#include "proxy/http_exchange.h"
#include "proxy/listener.h"
#include "proxy/relay_tcp.h"
#include "proxy/source_table.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_stream_event(struct stream *stream)
{
    struct client *client = CONTAINER_OF(stream, struct client, stream);
    client->run(client);
}

struct listener_counters *client_counters(const struct client *client)
{
    return worker_listener_counters(client->worker, client->listener_slot,
                                    client->listener_incarnation);
}

const struct snapshot_listener *client_listener(const struct client *client)
{
    return held_generation_listener(client->worker->generation, client->listener_slot,
                                    client->listener_incarnation);
}

struct client *client_new(struct worker *worker,
                          const struct snapshot_listener *listener,
                          int fd,
                          const struct ip_endpoint *peer,
                          const struct ip_endpoint *local)
{
    struct client *client = object_get(&worker->client_pool);
    if (!client) {
        close(fd);
        return NULL;
    }
    memset(client, 0, sizeof(*client));
    if (stream_open(worker->loop, &client->stream, fd, on_stream_event) != 0) {
        close(fd);
        object_put(&worker->client_pool, client);
        return NULL;
    }
    client->worker = worker;
    client->listener_slot = listener->slot;
    client->listener_incarnation = listener->incarnation;
    client->peer = *peer;
    client->local = *local;
    client->next = worker->clients;
    client->link = &worker->clients;
    if (client->next)
        client->next->link = &client->next;
    worker->clients = client;
    worker->client_count++;
    counter_add(&worker->counters->proxy.clients, 1);
    struct listener_counters *counters = client_counters(client);
    counter_add(&counters->total_connections, 1);
    counter_add(&counters->active_connections, 1);
    return client;
}

static void retire(struct client *client)
{
    struct worker *worker = client->worker;
    exchange_free(client->exchange);
    relay_free(client->relay);
    client->exchange = NULL;
    client->relay = NULL;
    client->closed = true;
    worker_clear_deadline(worker, &client->timed);
    buffer_put(&worker->buffers, &client->in);
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    worker->client_count--;
    counter_add(&worker->counters->proxy.clients, UINT64_MAX);
    counter_add(&client_counters(client)->active_connections, UINT64_MAX);
    if (client->limited)
        atomic_fetch_sub_explicit(&worker->shared->limited_connections[client->listener_slot],
                                  1, memory_order_relaxed);
    if (worker->full_sockets > 0)
        listener_client_closed(worker);
    if (client->counted)
        source_table_leave(worker->shared->sources, client->listener_slot,
                           &client->peer.address);
    if (!client->will_run) /* else the run list buries it */
        object_bury(&worker->client_pool, client);
}

void client_close(struct client *client)
{
    if (client->closed)
        return;
    stream_close(&client->stream);
    retire(client);
}

void client_abort(struct client *client)
{
    if (client->closed)
        return;
    stream_abort(&client->stream);
    retire(client);
}

static void on_linger_expiry(struct timed *timed)
{
    client_close(CONTAINER_OF(timed, struct client, timed));
}

static void run_linger(struct client *client)
{
    struct buffer *scratch = buffer_get(&client->worker->buffers, BUFFER_SMALL);
    while (scratch && client->linger_left > 0 && !client->stream.ended) {
        size_t size = stream_read(&client->stream, scratch);
        if (size == 0)
            break;
        client->linger_left -=
            size < client->linger_left ? (uint32_t)size : client->linger_left;
        buffer_consume(scratch, size);
    }
    bool waiting = scratch && client->linger_left > 0 && !client->stream.ended;
    buffer_put(&client->worker->buffers, &scratch);
    if (!waiting)
        client_close(client);
}

void client_linger(struct client *client)
{
    exchange_free(client->exchange);
    client->exchange = NULL;
    buffer_put(&client->worker->buffers, &client->in);
    shutdown(client->stream.fd, SHUT_WR);
    client->linger_left = CLIENT_LINGER_BYTES;
    client->run = run_linger;
    client->timed.on_expiry = on_linger_expiry;
    worker_set_deadline(client->worker, &client->timed, CLIENT_LINGER_MS);
    client->stream.readable = true;
    run_linger(client);
}
