#include "lbnode/cli/drill_probe.h"

#include "lbnode/base/monotime.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OPEN_MAXIMUM = DRILL_PROBE_TIMEOUT_MS / DRILL_PROBE_INTERVAL_MS + 8,
    INTERVAL_US = 1000 * DRILL_PROBE_INTERVAL_MS,
};

struct attempt {
    int fd;
    uint64_t start_us;
};

struct drill_probe {
    struct ip_endpoint endpoint;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    bool stop;
    struct drill_report report;
    uint64_t success_us; /* the last one, or the start */
};

static void note(struct drill_probe *probe, const struct attempt *attempt, bool good)
{
    uint64_t now_us = monotime_now_us();
    pthread_mutex_lock(&probe->lock);
    struct drill_report *report = &probe->report;
    if (good) {
        uint64_t gap_us = now_us - probe->success_us;
        gap_us = gap_us > INTERVAL_US ? gap_us - INTERVAL_US : 0;
        uint64_t took_us = now_us - attempt->start_us;
        report->gap_us = gap_us > report->gap_us ? (uint32_t)gap_us : report->gap_us;
        report->slowest_us =
            took_us > report->slowest_us ? (uint32_t)took_us : report->slowest_us;
        probe->success_us = now_us;
    } else {
        report->failed++;
    }
    pthread_mutex_unlock(&probe->lock);
}

static bool is_to_stop(struct drill_probe *probe)
{
    pthread_mutex_lock(&probe->lock);
    bool stop = probe->stop;
    pthread_mutex_unlock(&probe->lock);
    return stop;
}

/* A reset instead of a long goodbye: thousands of probes would leave as many ports waiting. */
static void close_attempt(struct attempt *attempt)
{
    static const struct linger at_once = {.l_onoff = 1};
    setsockopt(attempt->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(attempt->fd);
    attempt->fd = -1;
}

static void begin(struct drill_probe *probe, struct attempt *attempts)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&probe->endpoint, &address);
    struct attempt *free_place = attempts;
    while (free_place < attempts + OPEN_MAXIMUM && free_place->fd >= 0)
        free_place++;
    pthread_mutex_lock(&probe->lock);
    probe->report.connects++;
    pthread_mutex_unlock(&probe->lock);
    struct attempt fresh = {.fd = -1, .start_us = monotime_now_us()};
    if (free_place < attempts + OPEN_MAXIMUM)
        fresh.fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fresh.fd < 0) {
        note(probe, &fresh, false);
        return;
    }
    *free_place = fresh;
    if (connect(fresh.fd, (const struct sockaddr *)&address, size) == 0 ||
        errno != EINPROGRESS) {
        int error_number = 0;
        socklen_t error_size = sizeof(error_number);
        struct sockaddr_storage peer;
        socklen_t peer_size = sizeof(peer);
        getsockopt(fresh.fd, SOL_SOCKET, SO_ERROR, &error_number, &error_size);
        note(probe, &fresh, getpeername(fresh.fd, (struct sockaddr *)&peer, &peer_size) == 0);
        close_attempt(free_place);
    }
}

static void finish(struct drill_probe *probe, struct attempt *attempt, bool ready)
{
    int error_number = 0;
    socklen_t size = sizeof(error_number);
    if (ready)
        getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error_number, &size);
    else if (monotime_now_us() - attempt->start_us < 1000 * DRILL_PROBE_TIMEOUT_MS)
        return;
    note(probe, attempt, ready && error_number == 0);
    close_attempt(attempt);
}

static void wait_for_answers(struct drill_probe *probe, struct attempt *attempts, int wait_ms)
{
    struct pollfd fds[OPEN_MAXIMUM];
    for (size_t i = 0; i < OPEN_MAXIMUM; i++)
        fds[i] = (struct pollfd){.fd = attempts[i].fd, .events = POLLOUT};
    poll(fds, OPEN_MAXIMUM, wait_ms);
    for (size_t i = 0; i < OPEN_MAXIMUM; i++)
        if (attempts[i].fd >= 0)
            finish(probe, &attempts[i], fds[i].revents != 0);
}

static void *run(void *context)
{
    struct drill_probe *probe = context;
    struct attempt attempts[OPEN_MAXIMUM];
    uint64_t next_us = monotime_now_us();
    for (size_t i = 0; i < OPEN_MAXIMUM; i++)
        attempts[i].fd = -1;
    while (!is_to_stop(probe)) {
        uint64_t now_us = monotime_now_us();
        if (now_us >= next_us) {
            begin(probe, attempts);
            next_us = now_us > next_us + INTERVAL_US ? now_us : next_us;
            next_us += INTERVAL_US;
        }
        now_us = monotime_now_us();
        wait_for_answers(probe, attempts,
                         next_us > now_us ? (int)((next_us - now_us) / 1000) + 1 : 0);
    }
    for (size_t i = 0; i < OPEN_MAXIMUM; i++)
        if (attempts[i].fd >= 0)
            close_attempt(&attempts[i]);
    return NULL;
}

struct drill_probe *drill_probe_start(const struct ip_endpoint *endpoint, struct error *error)
{
    struct drill_probe *probe = calloc(1, sizeof(*probe));
    if (!probe) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    probe->endpoint = *endpoint;
    probe->success_us = monotime_now_us();
    pthread_mutex_init(&probe->lock, NULL);
    int rv = pthread_create(&probe->thread, NULL, run, probe);
    if (rv == 0)
        return probe;
    error_set(error, ERROR_INTERNAL, "cannot start to probe: %s", strerror(rv));
    pthread_mutex_destroy(&probe->lock);
    free(probe);
    return NULL;
}

struct drill_report drill_probe_take(struct drill_probe *probe)
{
    pthread_mutex_lock(&probe->lock);
    struct drill_report report = probe->report;
    uint64_t silence_us = monotime_now_us() - probe->success_us;
    silence_us = silence_us > INTERVAL_US ? silence_us - INTERVAL_US : 0;
    if (silence_us > report.gap_us && silence_us > INTERVAL_US)
        report.gap_us = (uint32_t)silence_us;
    probe->report = (struct drill_report){0};
    pthread_mutex_unlock(&probe->lock);
    return report;
}

void drill_probe_stop(struct drill_probe *probe)
{
    if (!probe)
        return;
    pthread_mutex_lock(&probe->lock);
    probe->stop = true;
    pthread_mutex_unlock(&probe->lock);
    pthread_join(probe->thread, NULL);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
}
