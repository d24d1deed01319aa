#include "tests/unit/health/hostile_worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- pieces of behaviour -------------------------------------------------------------------
 * A worker that is no longer wanted gets SIGPIPE or is killed. */

static void read_request(int fd)
{
    char request[8192];
    if (read(fd, request, sizeof(request)) <= 0)
        _exit(0);
}

static void put(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n <= 0)
            _exit(0);
        data += n;
        size -= (size_t)n;
    }
}

/* Until the other side has closed. */
static void stay(int fd)
{
    char rest[4096];
    while (read(fd, rest, sizeof(rest)) > 0)
        continue;
}

void worker_end_by_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void reset(int fd)
{
    worker_end_by_reset(fd);
    close(fd);
}

void serve_answer(int fd, const struct behaviour *behaviour)
{
    read_request(fd);
    serve_greeting(fd, behaviour);
}

void serve_greeting(int fd, const struct behaviour *behaviour)
{
    put(fd, behaviour->data, behaviour->size);
    stay(fd);
}

void serve_and_close(int fd, const struct behaviour *behaviour)
{
    read_request(fd);
    put(fd, behaviour->data, behaviour->size);
    close(fd);
}

void serve_and_reset(int fd, const struct behaviour *behaviour)
{
    read_request(fd);
    put(fd, behaviour->data, behaviour->size);
    reset(fd);
}

void serve_deaf(int fd, const struct behaviour *behaviour)
{
    worker_end_by_reset(fd);
    put(fd, behaviour->data, behaviour->size);
    serve_nothing(fd, behaviour);
}

void serve_and_shut(int fd, const struct behaviour *behaviour)
{
    read_request(fd);
    put(fd, behaviour->data, behaviour->size);
    shutdown(fd, SHUT_WR);
    stay(fd);
}

static void send_bytes(int fd, const struct behaviour *behaviour, long pause_ms)
{
    struct timespec pause = {.tv_nsec = pause_ms * 1000000};
    int now = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &now, sizeof(now));
    read_request(fd);
    for (size_t i = 0; i < behaviour->size; i++) {
        put(fd, behaviour->data + i, 1);
        nanosleep(&pause, NULL);
    }
}

void serve_in_bytes(int fd, const struct behaviour *behaviour)
{
    send_bytes(fd, behaviour, 0);
    stay(fd);
}

void serve_drip(int fd, const struct behaviour *behaviour)
{
    struct behaviour filler = {.data = "yyyyyyyyyyyyyyyy", .size = 16};
    send_bytes(fd, behaviour, 20);
    for (;;) {
        put(fd, filler.data, 1);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

void serve_endless(int fd, const struct behaviour *behaviour)
{
    char block[65536];
    memset(block, behaviour->data[behaviour->size - 1], sizeof(block));
    read_request(fd);
    put(fd, behaviour->data, behaviour->size);
    for (;;)
        put(fd, block, sizeof(block));
}

void serve_padded(int fd, const struct behaviour *behaviour)
{
    read_request(fd);
    put(fd, behaviour->data, behaviour->size);
    for (size_t i = 0; i < behaviour->padding; i += 10)
        put(fd, "yyyyyyyyyy", 10);
    put(fd, "\r\n\r\n", 4);
    stay(fd);
}

void serve_fields(int fd, const struct behaviour *behaviour)
{
    read_request(fd);
    put(fd, behaviour->data, behaviour->size);
    for (;;)
        put(fd, "X-Field: y\r\n", 12);
}

void serve_interims(int fd, const struct behaviour *behaviour)
{
    static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
    read_request(fd);
    for (;;)
        put(fd, interim, sizeof(interim) - 1);
}

void serve_nothing(int fd, const struct behaviour *behaviour)
{
    for (;;)
        pause();
}

void serve_reset(int fd, const struct behaviour *behaviour)
{
    reset(fd);
}

void serve_close(int fd, const struct behaviour *behaviour)
{
    close(fd);
}

/* ---- the process ---------------------------------------------------------------------------
 */

int worker_listen(int backlog, int receive_buffer, uint16_t *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        listen(fd, backlog) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    *out_port = ntohs(address.sin_port);
    return fd;
}

pid_t worker_start(int listener, const struct behaviour *behaviour)
{
    pid_t parent = getpid(), worker = fork();
    if (worker != 0)
        return worker;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        behaviour->serve(fd, behaviour);
    _exit(0);
}

void worker_stop(pid_t worker)
{
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
}
