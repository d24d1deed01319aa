/* Listening sockets: opened here because ports below 1024 need a right that the proxy has not,
 * and kept here so that the death of a proxy refuses no connection. Each endpoint has one
 * SO_REUSEPORT socket per worker for its whole life: the kernel spreads connections by the
 * number of sockets, so a changing number would lose connections. */
#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LISTEN_BACKLOG = 4096,
    DEFER_ACCEPT_S = 3
};

static bool set_flag(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* One listening socket or -errno. FREEBIND: the address may be on the other node now. */
static int listen_on(const struct ip_endpoint *endpoint, bool defer_accept)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    bool six = endpoint->address.family == 6;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    bool good =
        set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
        (six ? set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
                   set_flag(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
             : set_flag(fd, IPPROTO_IP, IP_FREEBIND, 1)) &&
        (!defer_accept || set_flag(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_S)) &&
        bind(fd, (const struct sockaddr *)&address, size) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0;
    if (good)
        return fd;
    int rv = -errno;
    close(fd);
    return rv;
}

static void close_sockets(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    free(fds);
}

/* All sockets or none. 0 or the errno. */
static int open_sockets(struct supervisor *supervisor, struct binding *binding)
{
    size_t count = supervisor->settings->worker_count;
    int *fds = calloc(count, sizeof(*fds));
    if (!fds)
        return ENOMEM;
    for (size_t i = 0; i < count; i++) {
        fds[i] = listen_on(&binding->endpoint, binding->defer_accept);
        if (fds[i] < 0) {
            int error_number = -fds[i];
            close_sockets(fds, i);
            return error_number;
        }
    }
    binding->fds = fds;
    return 0;
}

static void send_result(struct supervisor *supervisor, const struct binding *binding)
{
    struct message_bind_result result = MESSAGE_OF(BIND_RESULT, struct message_bind_result);
    result.endpoint = binding->endpoint;
    result.error_number = binding->error_number;
    supervisor_send(supervisor, PROCESS_CONTROL, &result.header, NULL, 0);
}

static void send_sockets(struct supervisor *supervisor, const struct binding *binding)
{
    struct message_listener listener = MESSAGE_OF(LISTENER, struct message_listener);
    listener.endpoint = binding->endpoint;
    supervisor_send(supervisor, PROCESS_PROXY, &listener.header, binding->fds,
                    supervisor->settings->worker_count);
}

static void
report_change(struct supervisor *supervisor, const struct binding *binding, int before)
{
    char text[IP_ENDPOINT_TEXT_SIZE];
    ip_endpoint_format(&binding->endpoint, text);
    if (binding->error_number > 0)
        supervisor_event(supervisor, EVENT_BIND_FAILED, "cannot listen on %s: %s", text,
                         strerror(binding->error_number));
    else if (before > 0)
        supervisor_event(supervisor, EVENT_BIND_RESTORED, "listening on %s", text);
    send_result(supervisor, binding);
}

/* A first try has a `before` of -1. */
static void try_bind(struct supervisor *supervisor, struct binding *binding)
{
    int before = binding->error_number;
    binding->error_number = open_sockets(supervisor, binding);
    if (binding->error_number == 0)
        send_sockets(supervisor, binding);
    if (binding->error_number != before)
        report_change(supervisor, binding, before);
}

static void retry(struct loop_timer *timer)
{
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, bind_timer);
    bool missing = false;
    for (struct binding *binding = supervisor->bindings; binding; binding = binding->next) {
        if (binding->fds)
            continue;
        try_bind(supervisor, binding);
        missing = missing || !binding->fds;
    }
    if (missing)
        loop_timer_start(supervisor->loop, timer, BIND_RETRY_MS, retry);
    hindrances_look_at_ports(supervisor);
}

static struct binding *find(struct supervisor *supervisor, const struct ip_endpoint *endpoint)
{
    struct binding *binding = supervisor->bindings;
    while (binding && !(binding->endpoint.port == endpoint->port &&
                        ip_address_equal(&binding->endpoint.address, &endpoint->address)))
        binding = binding->next;
    return binding;
}

static struct binding *add(struct supervisor *supervisor, const struct wanted_endpoint *wanted)
{
    struct binding *binding = calloc(1, sizeof(*binding));
    if (!binding)
        return NULL;
    binding->endpoint = wanted->endpoint;
    binding->defer_accept = wanted->defer_accept;
    binding->error_number = -1;
    binding->next = supervisor->bindings;
    supervisor->bindings = binding;
    return binding;
}

/* The same address and port may come back with another protocol. */
static void
set_defer_accept(struct supervisor *supervisor, struct binding *binding, uint8_t defer)
{
    if (binding->fds && binding->defer_accept != defer) {
        for (size_t i = 0; i < supervisor->settings->worker_count; i++)
            set_flag(binding->fds[i], IPPROTO_TCP, TCP_DEFER_ACCEPT,
                     defer ? DEFER_ACCEPT_S : 0);
    }
    binding->defer_accept = defer;
}

void bindings_open(struct supervisor *supervisor, const struct endpoint_list *list)
{
    bool missing = false;
    for (struct binding *binding = supervisor->bindings; binding; binding = binding->next)
        binding->wanted = false;
    for (size_t i = 0; i < list->count; i++) {
        struct binding *binding = find(supervisor, &list->items[i].endpoint);
        if (!binding)
            binding = add(supervisor, &list->items[i]);
        if (!binding)
            continue;
        binding->wanted = true;
        set_defer_accept(supervisor, binding, list->items[i].defer_accept);
        if (!binding->fds && binding->error_number < 0)
            try_bind(supervisor, binding);
        missing = missing || !binding->fds;
    }
    if (missing && !supervisor->bind_timer.active)
        loop_timer_start(supervisor->loop, &supervisor->bind_timer, BIND_RETRY_MS, retry);
    hindrances_look_at_ports(supervisor);
}

static void drop(struct supervisor *supervisor, struct binding *binding)
{
    struct message_listener_gone gone = MESSAGE_OF(LISTENER_GONE, struct message_listener_gone);
    gone.endpoint = binding->endpoint;
    if (binding->fds) {
        supervisor_send(supervisor, PROCESS_PROXY, &gone.header, NULL, 0);
        close_sockets(binding->fds, supervisor->settings->worker_count);
    }
    free(binding);
}

void bindings_close_unwanted(struct supervisor *supervisor)
{
    struct binding **place = &supervisor->bindings;
    while (*place) {
        struct binding *binding = *place;
        if (binding->wanted) {
            place = &binding->next;
        } else {
            *place = binding->next;
            drop(supervisor, binding);
        }
    }
    hindrances_look_at_ports(supervisor);
}

void bindings_replay(struct supervisor *supervisor, enum process_role role)
{
    for (struct binding *binding = supervisor->bindings; binding; binding = binding->next) {
        if (role == PROCESS_CONTROL)
            send_result(supervisor, binding);
        else if (binding->fds)
            send_sockets(supervisor, binding);
    }
}

void bindings_free(struct supervisor *supervisor)
{
    loop_timer_stop(&supervisor->bind_timer);
    for (struct binding *binding = supervisor->bindings; binding; binding = binding->next)
        binding->wanted = false;
    bindings_close_unwanted(supervisor);
}
