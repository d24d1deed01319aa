#include "proxy/listener.h"

#include "lbnode/base/bytes.h"
#include "lbnode/loop/acceptor.h"
#include "proxy/client_connection.h"
#include "proxy/http_exchange.h"
#include "proxy/relay_tcp.h"
#include "proxy/reserve.h"
#include "proxy/source_table.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_ready(struct loop_io *io, unsigned readiness);

static const struct snapshot_listener *served(const struct listener_socket *socket)
{
    const struct held_generation *held = socket->worker->generation;
    return held && socket->listener != SNAPSHOT_NONE
               ? &snapshot_listeners(held->generation->snapshot)[socket->listener]
               : NULL;
}

static void resume(struct listener_socket *socket)
{
    loop_timer_stop(&socket->pause);
    socket->worker->full_sockets -= socket->is_full;
    socket->is_full = false;
    if (!socket->io.active && served(socket))
        loop_io_start(socket->worker->loop, &socket->io, socket->fd, LOOP_READABLE, on_ready);
}

static void on_pause_over(struct loop_timer *timer)
{
    resume(CONTAINER_OF(timer, struct listener_socket, pause));
}

/* Stops accepting for a while; the kernel's queue takes what comes. */
static void pause_for(struct listener_socket *socket, uint64_t delay_ms)
{
    loop_io_stop(&socket->io);
    loop_timer_start(socket->worker->loop, &socket->pause, delay_ms, on_pause_over);
    if (socket->is_throttled || !served(socket))
        return;
    socket->is_throttled = true; /* counted once, however often it looks again */
    const struct snapshot_listener *listener = served(socket);
    counter_add(&worker_listener_counters(socket->worker, listener->slot, listener->incarnation)
                     ->accept_pauses,
                1);
    counter_add(&socket->worker->counters->proxy.accept_pauses, 1);
}

/* As pause_for, and a client that leaves ends it. */
static void pause_full(struct listener_socket *socket)
{
    struct worker *worker = socket->worker;
    bool lacks_places = worker->client_count >= worker->shared->maximum_clients;
    if (lacks_places)
        worker_note_strain(worker, STRAIN_PLACES);
    worker->full_sockets += !socket->is_full;
    socket->is_full = true;
    pause_for(socket, lacks_places ? LISTENER_LONGEST_PAUSE_MS : LISTENER_FULL_PAUSE_MS);
}

/* Takes one place of the listener's limit, which all workers share. */
static bool take_place(struct worker *worker, const struct snapshot_listener *listener)
{
    _Atomic int64_t *used = &worker->shared->limited_connections[listener->slot];
    if (atomic_fetch_add_explicit(used, 1, memory_order_relaxed) < listener->connection_limit)
        return true;
    atomic_fetch_sub_explicit(used, 1, memory_order_relaxed);
    return false;
}

static void give_place_back(struct worker *worker, const struct snapshot_listener *listener)
{
    if (listener->connection_limit >= 0)
        atomic_fetch_sub_explicit(&worker->shared->limited_connections[listener->slot], 1,
                                  memory_order_relaxed);
}

static bool is_allowed(const struct worker *worker,
                       const struct snapshot_listener *listener,
                       const struct ip_address *client)
{
    const struct ip_prefix *cidrs =
        snapshot_cidrs(worker->generation->generation->snapshot) + listener->first_cidr;
    for (uint32_t i = 0; i < listener->cidr_count; i++) {
        if (ip_prefix_contains(&cidrs[i], client))
            return true;
    }
    return listener->cidr_count == 0;
}

static void refuse(int fd)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
}

/* True when FD became a client. */
static bool welcome(struct listener_socket *socket,
                    const struct snapshot_listener *listener,
                    int fd,
                    const struct sockaddr_storage *address)
{
    struct ip_endpoint peer;
    struct worker *worker = socket->worker;
    struct source_table *sources = worker->shared->sources;
    enum source_result source = SOURCE_UNCOUNTED;
    bool allowed = ip_endpoint_from_sockaddr((const struct sockaddr *)address, &peer) &&
                   is_allowed(worker, listener, &peer.address);
    if (allowed && listener->source_limit > 0)
        source =
            source_table_enter(sources, listener->slot, &peer.address, listener->source_limit);
    if (!allowed || source == SOURCE_TOO_MANY) {
        counter_add(
            &worker_listener_counters(worker, listener->slot, listener->incarnation)->refused,
            1);
        refuse(fd);
        return false;
    }
    struct client *client = client_new(worker, listener, fd, &peer, &socket->endpoint);
    if (!client) {
        worker_note_strain(worker, STRAIN_MEMORY);
        if (source == SOURCE_COUNTED)
            source_table_leave(sources, listener->slot, &peer.address);
        return false;
    }
    client->limited = listener->connection_limit >= 0;
    client->counted = source == SOURCE_COUNTED;
    if (listener->protocol == SNAPSHOT_HTTP)
        http_client_start(client);
    else
        relay_tcp_start(client, listener);
    return true;
}

/* Whether the whole proxy has not turned anybody away for a while. */
static bool may_turn_away(struct worker *worker)
{
    uint64_t now_ms = worker_now_ms(worker);
    uint64_t last_ms = atomic_load(&worker->shared->turned_away_ms);
    return now_ms - last_ms >= LISTENER_TURN_AWAY_MS &&
           atomic_compare_exchange_strong(&worker->shared->turned_away_ms, &last_ms, now_ms);
}

/* The first in the queue learns that there is no room, by way of the reserve. */
static void turn_away(struct listener_socket *socket)
{
    struct worker *worker = socket->worker;
    if (worker->reserve_fd >= 0 && may_turn_away(worker)) {
        reserve_release(&worker->reserve_fd);
        int fd = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            refuse(fd);
            counter_add(&worker->counters->proxy.turned_away, 1);
        }
    }
    reserve_refill(&worker->reserve_fd, worker->mailbox.event_fd);
}

/* Nothing is left to accept with. Connections that are only kept go first; then the queue of
 * the kernel takes what comes, but for one now and then that is turned away. True when it may
 * be tried again at once. */
static bool survive_exhaustion(struct listener_socket *socket, int error)
{
    struct worker *worker = socket->worker;
    bool lacks_descriptors = error == EMFILE || error == ENFILE;
    if (lacks_descriptors && idle_pool_evict(worker, LISTENER_EVICTIONS) > 0)
        return true;
    uint64_t delay_ms = socket->pause_ms ? socket->pause_ms : LISTENER_PAUSE_MS;
    worker_note_strain(worker, lacks_descriptors ? STRAIN_DESCRIPTORS : STRAIN_MEMORY);
    if (lacks_descriptors && socket->pause_ms) /* still, after a pause */
        turn_away(socket);
    socket->pause_ms =
        2 * delay_ms < LISTENER_LONGEST_PAUSE_MS ? 2 * delay_ms : LISTENER_LONGEST_PAUSE_MS;
    pause_for(socket, delay_ms);
    return false;
}

/* Who is there is served first. */
static bool lacks_buffers(struct listener_socket *socket)
{
    struct worker *worker = socket->worker;
    if (!buffer_budget_is_scarce(&worker->shared->buffer_budget))
        return false;
    worker_note_strain(worker, STRAIN_BUFFERS);
    pause_for(socket, LISTENER_PAUSE_MS);
    return true;
}

/* One connection: 1 accepted, 0 none there, -1 paused. */
static int accept_one(struct listener_socket *socket)
{
    struct worker *worker = socket->worker;
    const struct snapshot_listener *listener = served(socket);
    if (lacks_buffers(socket))
        return -1;
    bool is_full = worker->client_count >= worker->shared->maximum_clients;
    if (is_full || (listener->connection_limit >= 0 && !take_place(worker, listener))) {
        pause_full(socket);
        return -1;
    }
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    int fd =
        accept4(socket->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int error = errno;
    if (fd >= 0) {
        socket->pause_ms = 0;
        socket->is_throttled = false;
    }
    if (fd >= 0 && welcome(socket, listener, fd, &address))
        return 1;
    give_place_back(worker, listener);
    if (fd >= 0 || error == ECONNABORTED || error == EINTR || error == EPROTO)
        return 1;
    if (acceptor_is_exhausted(error))
        return survive_exhaustion(socket, error) ? 1 : -1;
    return 0; /* nobody is there, or the socket is of no use */
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct listener_socket *socket = CONTAINER_OF(io, struct listener_socket, io);
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN; i++) {
        if (accept_one(socket) <= 0)
            return;
    }
}

static int compare_endpoints(const void *key, const void *item)
{
    const struct ip_endpoint *a = key, *b = &((const struct snapshot_endpoint *)item)->endpoint;
    int order = ip_address_compare(&a->address, &b->address);
    return order ? order : (int)a->port - (int)b->port;
}

/* Accepted sockets inherit it: a request is acknowledged by its answer, which follows at once.
 * What else comes over TCP may have none. */
static void set_acknowledgement(struct listener_socket *socket)
{
    int quick = served(socket)->protocol != SNAPSHOT_HTTP;
    setsockopt(socket->fd, IPPROTO_TCP, TCP_QUICKACK, &quick, sizeof(quick));
}

static void find_listener(struct listener_socket *socket)
{
    const struct held_generation *held = socket->worker->generation;
    const struct snapshot *snapshot = held ? held->generation->snapshot : NULL;
    const struct snapshot_endpoint *found = NULL;
    if (snapshot && snapshot->endpoints.count > 0) /* they are in order */
        found = bsearch(&socket->endpoint, snapshot_endpoints(snapshot),
                        snapshot->endpoints.count, sizeof(*found), compare_endpoints);
    socket->listener = found ? found->listener : SNAPSHOT_NONE;
    if (!served(socket))
        loop_io_stop(&socket->io);
    else if (!socket->pause.active)
        resume(socket);
    if (served(socket))
        set_acknowledgement(socket);
}

void listener_add(struct worker *worker, int fd, const struct ip_endpoint *endpoint)
{
    struct listener_socket *socket = calloc(1, sizeof(*socket));
    int on = 1, unsent = 131072;
    if (!socket) {
        close(fd);
        return;
    }
    /* Accepted sockets inherit these, which saves two calls for each. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    socket->worker = worker;
    socket->fd = fd;
    socket->endpoint = *endpoint;
    socket->next = worker->sockets;
    worker->sockets = socket;
    find_listener(socket);
}

static void drop(struct listener_socket *socket)
{
    enum {
        LAST_ACCEPTS = 4096 /* a full queue */
    };
    for (int i = 0; i < LAST_ACCEPTS && served(socket); i++) {
        if (accept_one(socket) <= 0)
            break;
    }
    loop_timer_stop(&socket->pause);
    socket->worker->full_sockets -= socket->is_full;
    loop_io_stop(&socket->io);
    close(socket->fd);
    free(socket);
}

void listener_remove(struct worker *worker, const struct ip_endpoint *endpoint)
{
    struct listener_socket **link = &worker->sockets;
    while (*link) {
        struct listener_socket *socket = *link;
        if (socket->endpoint.port != endpoint->port ||
            !ip_address_equal(&socket->endpoint.address, &endpoint->address)) {
            link = &socket->next;
            continue;
        }
        *link = socket->next;
        drop(socket);
    }
}

void listener_remove_all(struct worker *worker)
{
    while (worker->sockets) {
        struct listener_socket *socket = worker->sockets;
        worker->sockets = socket->next;
        socket->listener =
            SNAPSHOT_NONE; /* others have the same socket: leave them the queue */
        drop(socket);
    }
}

void listener_adopt(struct worker *worker)
{
    for (struct listener_socket *socket = worker->sockets; socket; socket = socket->next)
        find_listener(socket);
}

void listener_client_closed(struct worker *worker)
{
    for (struct listener_socket *socket = worker->sockets; socket; socket = socket->next) {
        if (socket->is_full)
            resume(socket);
    }
}
