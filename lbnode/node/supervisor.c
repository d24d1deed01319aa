#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/log.h"
#include "lbnode/model/counter_board.h"
#include "lbnode/node/run_dir.h"
#include "lbnode/node/service_notify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* ---- the end --------------------------------------------------------------------------------
 */

/* vrrp first: the other node takes over while this one still answers. Control last: it tells
 * the peers and ends its commit. */
static enum process_role next_to_stop(enum process_role role)
{
    switch (role) {
    case PROCESS_VRRP: return PROCESS_PROXY;
    case PROCESS_PROXY: return PROCESS_HEALTH;
    case PROCESS_HEALTH: return PROCESS_CONTROL;
    default: return PROCESS_SUPERVISOR;
    }
}

static void kill_awaited(struct loop_timer *timer)
{
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, stop_timer);
    const struct child *child = &supervisor->children[supervisor->stop_role];
    log_warning("%s did not end in time", process_role_name(child->role));
    if (child->pid > 0)
        kill(child->pid, SIGKILL);
}

static void ask_to_stop(struct supervisor *supervisor, enum process_role role)
{
    struct message_stop stop = MESSAGE_OF(STOP, struct message_stop);
    uint64_t grace_ms = STOP_GRACE_MS;
    stop.drain_ms = supervisor->settings->drain_ms;
    if (role == PROCESS_PROXY)
        grace_ms += stop.drain_ms;
    if (role == PROCESS_CONTROL)
        grace_ms = CONTROL_STOP_GRACE_MS;
    supervisor_send(supervisor, role, &stop.header, NULL, 0);
    loop_timer_start(supervisor->loop, &supervisor->stop_timer, grace_ms, kill_awaited);
}

void supervisor_continue_stop(struct supervisor *supervisor)
{
    if (supervisor->children[supervisor->stop_role].pid > 0)
        return;
    loop_timer_stop(&supervisor->stop_timer);
    while (supervisor->stop_role != PROCESS_SUPERVISOR &&
           supervisor->children[supervisor->stop_role].pid == 0) {
        if (supervisor->stop_role == PROCESS_VRRP)
            supervisor_remove_owned(supervisor);
        supervisor->stop_role = next_to_stop(supervisor->stop_role);
    }
    if (supervisor->stop_role == PROCESS_SUPERVISOR)
        loop_stop(supervisor->loop);
    else
        ask_to_stop(supervisor, supervisor->stop_role);
}

void supervisor_begin_stop(struct supervisor *supervisor, int exit_status)
{
    supervisor->stopping = true;
    supervisor->exit_status = exit_status;
    supervisor_event(supervisor, EVENT_NODE_STOPPING, "the node is stopping");
    service_notify("STOPPING=1");
    loop_timer_stop(&supervisor->eligible_timer);
    loop_timer_stop(&supervisor->bind_timer);
    check_stop(supervisor);
    loop_timer_stop(&supervisor->watchdog_timer);
    for (int role = 0; role < PROCESS_ROLE_COUNT; role++)
        loop_timer_stop(&supervisor->children[role].restart_timer);
    supervisor->stop_role = PROCESS_VRRP;
    if (supervisor->children[PROCESS_VRRP].pid > 0)
        ask_to_stop(supervisor, PROCESS_VRRP);
    else
        supervisor_continue_stop(supervisor);
}

/* ---- signals --------------------------------------------------------------------------------
 */

static void on_signals(struct loop_io *io, unsigned readiness)
{
    struct supervisor *supervisor = CONTAINER_OF(io, struct supervisor, signal_io);
    struct signalfd_siginfo info;
    bool asked = false;
    while (read(supervisor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        asked = asked || info.ssi_signo != SIGCHLD;
    if (asked && !supervisor->stopping)
        supervisor_begin_stop(supervisor, 0);
    else if (asked && supervisor->stop_timer.active) /* asked again: somebody is in a hurry */
        loop_timer_start(supervisor->loop, &supervisor->stop_timer, 0, kill_awaited);
    children_reap(supervisor);
}

/* A descriptor instead of handlers: nothing to undo in a child but the mask. */
static int open_signals(struct supervisor *supervisor, sigset_t *out_before)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, out_before);
    supervisor->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (supervisor->signal_fd < 0)
        return -errno;
    return loop_io_start(supervisor->loop, &supervisor->signal_io, supervisor->signal_fd,
                         LOOP_READABLE, on_signals);
}

/* ---- start ----------------------------------------------------------------------------------
 */

/* Standard input is nobody's: it may be a terminal that goes away. */
static void close_standard_input(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    dup2(fd, STDIN_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* Listening sockets, client and member connections: as many as this account may have. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool open_resources(struct supervisor *supervisor, sigset_t *out_before)
{
    supervisor->loop = loop_new();
    supervisor->verdicts = verdict_board_create();
    supervisor->counters = counter_board_create();
    if (!supervisor->loop || !supervisor->verdicts || !supervisor->counters) {
        log_error("cannot start: %s", strerror(errno));
        return false;
    }
    int rv = open_signals(supervisor, out_before);
    if (rv != 0)
        log_error("cannot watch signals: %s", strerror(-rv));
    return rv == 0;
}

static void release(struct supervisor *supervisor, const sigset_t *before)
{
    bindings_free(supervisor);
    snapshots_free(supervisor);
    supervisor_relay_free(supervisor);
    loop_timer_stop(&supervisor->stop_timer);
    loop_io_stop(&supervisor->signal_io);
    if (supervisor->signal_fd >= 0)
        close(supervisor->signal_fd);
    if (supervisor->verdicts)
        munmap(supervisor->verdicts, sizeof(*supervisor->verdicts));
    if (supervisor->counters)
        munmap(supervisor->counters, sizeof(*supervisor->counters));
    loop_free(supervisor->loop);
    free(supervisor);
    sigprocmask(SIG_SETMASK, before, NULL);
}

int supervisor_run(const struct supervisor_settings *settings)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    sigset_t before;
    if (!supervisor)
        return 1;
    supervisor->settings = settings;
    supervisor->signal_fd = -1;
    sigprocmask(SIG_BLOCK, NULL, &before);
    children_init(supervisor);
    snapshots_init(supervisor);
    close_standard_input();
    raise_file_limit();
    supervisor->exit_status = 1;
    if (open_resources(supervisor, &before)) {
        static const enum process_role order[] = {PROCESS_PROXY, PROCESS_HEALTH, PROCESS_VRRP,
                                                  PROCESS_CONTROL};
        for (size_t i = 0; i < ARRAY_LENGTH(order); i++)
            children_start(supervisor, order[i]);
        eligible_await_proxy(supervisor);
        check_start(supervisor);
        watchdog_start(supervisor);
        loop_run(supervisor->loop);
        if (settings->run_dir)
            run_dir_remove_pids(settings->run_dir);
    }
    int exit_status = supervisor->exit_status;
    release(supervisor, &before);
    return exit_status;
}
