/* All members that a benchmark of health checks needs, in one process that costs little:
 * `checked_worker PORT` answers each connection to PORT, whatever address of the host it came
 * to, with `200 OK` once something was said, and closes. A client that says nothing and goes is
 * fine, too. */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    REQUEST_SIZE = 4096
};

static int listen_at(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                   listen(fd, 65535) == 0
               ? fd
               : -1;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        close(fd);
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        watch(epoll, fd);
}

/* The first bytes are the whole request: nobody else asks here. */
static void answer(int fd)
{
    static const char text[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n"
                               "Content-Length: 3\r\nConnection: close\r\n\r\nok\n";
    char request[REQUEST_SIZE];
    if (recv(fd, request, sizeof(request), 0) > 0)
        send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
    close(fd);
}

int main(int argc, char **argv)
{
    int listener = argc == 2 ? listen_at(argv[1]) : -1, epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || epoll < 0) {
        fprintf(stderr, "usage: checked_worker PORT; the port must be free\n");
        return 1;
    }
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                answer(events[i].data.fd);
        }
    }
}
