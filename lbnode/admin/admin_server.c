#include "lbnode/admin/admin_server.h"

#include "lbnode/admin/admin_connection.h"
#include "lbnode/loop/acceptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    MAXIMUM_CLIENTS = 64, /* of each kind */
    BACKLOG = 64,
    SOCKET_MODE = 0660
};

/* Each kind has places of its own: whoever can reach the TCP port cannot keep the operators of
 * this host from the socket. */
enum client_kind {
    CLIENT_UNIX,
    CLIENT_TCP,
    CLIENT_KINDS
};

struct admin_server {
    struct loop *loop;
    const struct node_state *state;
    struct acceptor unix_socket, tcp_socket;
    int unix_fd, tcp_fd;
    char *socket_path; /* ours to remove; NULL before it is bound */
    struct admin_connection *clients[CLIENT_KINDS * MAXIMUM_CLIENTS]; /* by kind */
};

static void client_closed(void *context, struct admin_connection *connection)
{
    struct admin_server *server = context;
    for (size_t i = 0; i < ARRAY_LENGTH(server->clients); i++) {
        if (server->clients[i] == connection)
            server->clients[i] = NULL;
    }
}

static void event_added(void *context)
{
    struct admin_server *server = context;
    for (size_t i = 0; i < ARRAY_LENGTH(server->clients); i++) {
        if (server->clients[i])
            admin_connection_event(server->clients[i]);
    }
}

/* ---- accepting -----------------------------------------------------------------------------
 */

static void refuse_client(int fd)
{
    static const char body[] = "{\"faultcode\":\"Server\",\"faultstring\":\"too many clients "
                               "at once; try again shortly\",\"debuginfo\":null}\n";
    char answer[512];
    int size = snprintf(answer, sizeof(answer),
                        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                        "X-Lbnode-Error: UNAVAILABLE\r\nConnection: close\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        sizeof(body) - 1, body);
    send(fd, answer, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void name_author(int fd, bool local, char out[ADMIN_AUTHOR_SIZE])
{
    struct ucred credentials;
    struct sockaddr_storage peer = {0};
    struct ip_endpoint endpoint = {0};
    char address[IP_ADDRESS_TEXT_SIZE] = "unknown";
    socklen_t size = sizeof(credentials);
    if (local && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
        if (credentials.uid == 0)
            snprintf(out, ADMIN_AUTHOR_SIZE, "root");
        else
            snprintf(out, ADMIN_AUTHOR_SIZE, "uid:%u", (unsigned)credentials.uid);
        return;
    }
    size = sizeof(peer);
    if (!local && getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
        ip_endpoint_from_sockaddr((struct sockaddr *)&peer, &endpoint))
        ip_address_format(&endpoint.address, address);
    snprintf(out, ADMIN_AUTHOR_SIZE, "%s:%s", local ? "local" : "tcp", address);
}

/* A free place, or that of the client that has been without a whole request for the longest
 * time; NULL when all of them are being served. */
static struct admin_connection **find_place(struct admin_server *server, enum client_kind kind)
{
    struct admin_connection **places = &server->clients[kind * MAXIMUM_CLIENTS];
    struct admin_connection **idle = NULL;
    uint64_t since_us, idle_since_us = UINT64_MAX;
    for (size_t i = 0; i < MAXIMUM_CLIENTS; i++) {
        if (!places[i])
            return &places[i];
        if (admin_connection_is_idle(places[i], &since_us) && since_us < idle_since_us) {
            idle = &places[i];
            idle_since_us = since_us;
        }
    }
    return idle;
}

static void take_client(struct admin_server *server, int fd, bool local)
{
    char author[ADMIN_AUTHOR_SIZE];
    const struct admin_connection_owner owner = {
        .loop = server->loop,
        .state = server->state,
        .closed = client_closed,
        .context = server,
    };
    struct admin_connection **place = find_place(server, local ? CLIENT_UNIX : CLIENT_TCP);
    if (!place) {
        refuse_client(fd);
        return;
    }
    admin_connection_free(*place);
    name_author(fd, local, author);
    *place = admin_connection_new(&owner, fd, author);
}

static void
on_unix_client(struct acceptor *acceptor, int fd, const struct sockaddr_storage *from)
{
    take_client(CONTAINER_OF(acceptor, struct admin_server, unix_socket), fd, true);
}

static void
on_tcp_client(struct acceptor *acceptor, int fd, const struct sockaddr_storage *from)
{
    take_client(CONTAINER_OF(acceptor, struct admin_server, tcp_socket), fd, false);
}

/* ---- binding -------------------------------------------------------------------------------
 */

/* A socket file that nobody listens on is left over from a crash; one that answers is in use.
 */
static bool remove_stale_socket(const struct sockaddr_un *address, struct error *error)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(error, ERROR_INTERNAL, "cannot make a socket: %s", strerror(errno));
    int result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    int problem = result == 0 ? 0 : errno;
    close(fd);
    if (problem == 0 || problem == EAGAIN)
        return error_set(error, ERROR_CONFLICT,
                         "another daemon already answers at %s; stop it or choose another "
                         "--run-dir",
                         address->sun_path);
    if (problem == ECONNREFUSED)
        unlink(address->sun_path);
    return true;
}

static bool bind_unix(struct admin_server *server, const char *path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(error, ERROR_INVALID,
                         "the socket path '%s' is longer than %zu bytes; use a shorter "
                         "--run-dir",
                         path, sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (!remove_stale_socket(&address, error))
        return false;
    server->unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->unix_fd < 0 ||
        bind(server->unix_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, SOCKET_MODE) != 0 || listen(server->unix_fd, BACKLOG) != 0)
        return error_set(error, ERROR_INTERNAL, "cannot listen on %s: %s", path,
                         strerror(errno));
    server->socket_path = strdup(path);
    return acceptor_start(server->loop, &server->unix_socket, server->unix_fd,
                          on_unix_client) == 0 ||
           error_set(error, ERROR_INTERNAL, "cannot watch %s", path);
}

static bool
bind_tcp(struct admin_server *server, const struct ip_endpoint *endpoint, struct error *error)
{
    struct sockaddr_storage address;
    char text[IP_ENDPOINT_TEXT_SIZE];
    int on = 1;
    if (endpoint->address.family == 0)
        return true;
    ip_endpoint_format(endpoint, text);
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    server->tcp_fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->tcp_fd < 0 ||
        setsockopt(server->tcp_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(server->tcp_fd, (struct sockaddr *)&address, size) != 0 ||
        listen(server->tcp_fd, BACKLOG) != 0)
        return error_set(error, ERROR_INTERNAL, "the API cannot listen on %s: %s", text,
                         strerror(errno));
    return acceptor_start(server->loop, &server->tcp_socket, server->tcp_fd, on_tcp_client) ==
               0 ||
           error_set(error, ERROR_INTERNAL, "cannot watch %s", text);
}

struct admin_server *admin_server_new(struct loop *loop,
                                      const struct admin_settings *settings,
                                      const struct node_state *state,
                                      struct error *error)
{
    struct admin_server *server = calloc(1, sizeof(*server));
    if (!server) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    server->loop = loop;
    server->state = state;
    server->unix_fd = server->tcp_fd = -1;
    if (!bind_unix(server, settings->socket_path, error) ||
        !bind_tcp(server, &settings->tcp_listen, error)) {
        admin_server_free(server);
        return NULL;
    }
    event_ring_listen(state->events, event_added, server);
    return server;
}

void admin_server_free(struct admin_server *server)
{
    if (!server)
        return;
    event_ring_listen(server->state->events, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(server->clients); i++)
        admin_connection_free(server->clients[i]);
    acceptor_stop(&server->unix_socket);
    acceptor_stop(&server->tcp_socket);
    if (server->socket_path)
        unlink(server->socket_path);
    if (server->unix_fd >= 0)
        close(server->unix_fd);
    if (server->tcp_fd >= 0)
        close(server->tcp_fd);
    free(server->socket_path);
    free(server);
}
