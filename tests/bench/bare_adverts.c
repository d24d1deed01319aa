/* The floor for an advert: a real-time process that wakes by timer, sends one datagram of raw
 * IP and sleeps again, nothing else. `bare_adverts send ADDRESS BYTES SECONDS` prints the
 * microseconds of CPU for each of 50 datagrams a second; `bare_adverts receive` takes them, as
 * the other node does. */
#include <arpa/inet.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    PROTOCOL = 253, /* for experiments (RFC 3692) */
    INTERVAL_NS = 20000000,
    PER_SECOND = 50,
    SIZE_MAXIMUM = 1400,
};

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    return epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0 ? -1 : epoll;
}

static int send_all(int fd, const char *address, size_t size, long seconds)
{
    static const uint8_t data[SIZE_MAXIMUM];
    const struct itimerspec pause = {.it_value.tv_nsec = INTERVAL_NS};
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct epoll_event event;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int epoll = watch(timer);
    long count = seconds * PER_SECOND;
    if (epoll < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1 || size > sizeof(data))
        return 1;
    double before = cpu_us();
    for (long i = 0; i < count; i++) {
        timerfd_settime(timer, 0, &pause, NULL);
        if (epoll_wait(epoll, &event, 1, -1) < 0 ||
            sendto(fd, data, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
            return 1;
    }
    printf("%.1f\n", (cpu_us() - before) / (double)count);
    return 0;
}

static int receive_all(int fd)
{
    uint8_t data[SIZE_MAXIMUM + 60];
    struct epoll_event event;
    int epoll = watch(fd);
    while (epoll >= 0 && epoll_wait(epoll, &event, 1, -1) >= 0)
        while (recv(fd, data, sizeof(data), MSG_DONTWAIT) >= 0)
            continue;
    return 1;
}

int main(int argc, char **argv)
{
    const struct sched_param priority = {.sched_priority = 20};
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, PROTOCOL);
    sched_setscheduler(0, SCHED_FIFO, &priority); /* as the real one where it is permitted */
    if (fd < 0)
        return 1;
    if (argc == 5 && strcmp(argv[1], "send") == 0)
        return send_all(fd, argv[2], strtoul(argv[3], NULL, 10), strtol(argv[4], NULL, 10));
    return receive_all(fd);
}
