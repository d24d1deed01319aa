/* The children: fork, death, restart, and whether this node may serve its addresses. */
#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/credential.h"
#include "lbnode/base/log.h"
#include "lbnode/model/counter_board.h"
#include "lbnode/node/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIRST_KEPT_FD = 3
};

static void
on_message(void *context, const struct message *message, const int *fds, size_t fd_count)
{
    supervisor_relay(context, message, fds, fd_count);
}

static void kill_child(struct loop_timer *timer)
{
    struct child *child = CONTAINER_OF(timer, struct child, kill_timer);
    if (child->pid > 0)
        kill(child->pid, SIGKILL);
}

/* A process that closes its channel is ending; one that said something malformed must. */
static void on_closed(void *context)
{
    struct child *child = context;
    loop_timer_start(child->supervisor->loop, &child->kill_timer, CLOSED_GRACE_MS, kill_child);
}

/* Signals are for the supervisor: an interrupt from the terminal goes to all processes of the
 * group, and the order of the end is decided here. */
static void reset_signals(void)
{
    sigset_t none;
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Nothing of the supervisor's descriptors stays but this process's end of the channel, the
 * locks, and for health the ICMP sockets: above all no other channel, whose end somebody waits
 * for. False when out of descriptors. */
static bool keep_descriptors(const struct supervisor_settings *settings,
                             struct process_context *context,
                             enum process_role role)
{
    int locks[SUPERVISOR_MAXIMUM_LOCKS];
    int *kept[1 + SUPERVISOR_MAXIMUM_LOCKS + ARRAY_LENGTH(context->icmp.fds)];
    int count = 0;
    kept[count++] = &context->channel_fd;
    for (size_t i = 0; i < settings->lock_count; i++) {
        locks[i] = settings->lock_fds[i];
        kept[count++] = &locks[i];
    }
    if (role == PROCESS_HEALTH)
        context->icmp = settings->icmp;
    for (size_t i = 0; i < ARRAY_LENGTH(context->icmp.fds); i++) {
        if (context->icmp.fds[i] > 0)
            kept[count++] = &context->icmp.fds[i];
    }
    for (int i = 0; i < count; i++) { /* out of the way of their final places first */
        *kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, FIRST_KEPT_FD + count);
        if (*kept[i] < 0)
            return false;
    }
    for (int i = 0; i < count; i++) {
        *kept[i] = dup3(*kept[i], FIRST_KEPT_FD + i, O_CLOEXEC);
        if (*kept[i] < 0)
            return false;
    }
    return close_range((unsigned)(FIRST_KEPT_FD + count), ~0u, 0) == 0;
}

/* What each process does with the boards: it sees no other, and writes only its own. That also
 * keeps vrrp, which locks its memory, from locking (and so allocating) the large boards. */
static const struct {
    int verdicts, counters; /* PROT_ of mprotect; PROT_NONE: unmapped */
} board_access[PROCESS_ROLE_COUNT] = {
    [PROCESS_VRRP] = {PROT_NONE, PROT_NONE},
    [PROCESS_CONTROL] = {PROT_READ, PROT_READ},
    [PROCESS_HEALTH] = {PROT_READ | PROT_WRITE, PROT_NONE},
    [PROCESS_PROXY] = {PROT_READ, PROT_READ | PROT_WRITE},
};

static void *restrict_board(void *board, size_t size, int access)
{
    if (access == PROT_NONE) {
        munmap(board, size);
        return NULL;
    }
    mprotect(board, size, access);
    return board;
}

static _Noreturn void run_child(struct child *child, int channel_fd)
{
    const struct supervisor *supervisor = child->supervisor;
    const struct supervisor_settings *settings = supervisor->settings;
    struct process_context context = {
        .channel_fd = channel_fd,
        .verdicts = restrict_board(supervisor->verdicts, sizeof(*supervisor->verdicts),
                                   board_access[child->role].verdicts),
        .counters = restrict_board(supervisor->counters, sizeof(*supervisor->counters),
                                   board_access[child->role].counters),
        .worker_count = settings->worker_count,
        .incarnation = settings->incarnation,
    };
    char name[16];
    if (!keep_descriptors(settings, &context, child->role))
        _exit(1);
    reset_signals();
    snprintf(name, sizeof(name), "lbnode-%s", process_role_name(child->role));
    prctl(PR_SET_NAME, name, 0, 0, 0);
    if (child->role == PROCESS_CONTROL) {
        context.node_key_fd = credential_open("node.key");
        if (context.node_key_fd < 0) {
            log_error("the credential node.key cannot be opened: %s",
                      strerror(-context.node_key_fd));
            _exit(EXIT_UNUSABLE);
        }
    }
    if (!settings->keep_privileges) {
        int rv = privileges_drop(child->role, &settings->user);
        if (rv != 0) {
            log_error("cannot give up privileges for %s: %s", process_role_name(child->role),
                      strerror(-rv));
            _exit(1);
        }
    }
    int status =
        settings->programs[child->role].run(&context, settings->programs[child->role].argument);
    fflush(NULL);
    _exit(status);
}

static void restart(struct loop_timer *timer)
{
    struct child *child = CONTAINER_OF(timer, struct child, restart_timer);
    children_start(child->supervisor, child->role);
}

static void eligible_set(struct supervisor *supervisor, bool eligible, const char *reason);

static void cannot_start(struct child *child, int error_number)
{
    log_error("cannot start %s: %s", process_role_name(child->role), strerror(error_number));
    channel_free(child->channel);
    child->channel = NULL;
    loop_timer_start(child->supervisor->loop, &child->restart_timer, RESTART_MAXIMUM_DELAY_MS,
                     restart);
    if (child->role == PROCESS_PROXY)
        eligible_set(child->supervisor, false, "the proxy cannot be started");
    if (child->role == PROCESS_VRRP) {
        supervisor_speak_for_vrrp(child->supervisor, true);
        supervisor_remove_owned(child->supervisor);
    }
}

/* What the child has to know is in its channel before it runs, so that it finds all of it at
 * its first look. */
void children_start(struct supervisor *supervisor, enum process_role role)
{
    struct child *child = &supervisor->children[role];
    if (!supervisor->settings->programs[role].run || supervisor->stopping || child->pid > 0)
        return;
    int fds[2];
    int rv = channel_pair(fds);
    if (rv != 0) {
        cannot_start(child, -rv);
        return;
    }
    struct channel_handler handler = {on_message, on_closed, child};
    child->channel = channel_new(supervisor->loop, fds[0], &handler);
    if (!child->channel) {
        close(fds[0]);
        close(fds[1]);
        cannot_start(child, ENOMEM);
        return;
    }
    supervisor_replay(supervisor, role);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        run_child(child, fds[1]);
    int error_number = errno;
    close(fds[1]);
    if (pid < 0) {
        cannot_start(child, error_number);
        return;
    }
    child->pid = pid;
    child->hang = (struct hang_watch){0};
    children_write_pids(supervisor);
    supervisor_tell_process(supervisor, role);
    if (child->restarts > 0)
        supervisor_event(supervisor, EVENT_PROCESS_RESTARTED, "%s runs again as process %d",
                         process_role_name(role), (int)pid);
}

void children_write_pids(struct supervisor *supervisor)
{
    pid_t pids[PROCESS_ROLE_COUNT];
    if (!supervisor->settings->run_dir)
        return;
    for (int role = 0; role < PROCESS_ROLE_COUNT; role++)
        pids[role] = supervisor->children[role].pid;
    pids[PROCESS_SUPERVISOR] = getpid();
    int rv = run_dir_write_pids(supervisor->settings->run_dir, pids);
    if (rv != 0)
        log_warning("cannot write %s/pids: %s", supervisor->settings->run_dir, strerror(-rv));
}

void children_init(struct supervisor *supervisor)
{
    for (int role = 0; role < PROCESS_ROLE_COUNT; role++) {
        supervisor->children[role].supervisor = supervisor;
        supervisor->children[role].role = (enum process_role)role;
    }
}

/* ---- eligibility ----------------------------------------------------------------------------
 */

static void eligible_set(struct supervisor *supervisor, bool eligible, const char *reason)
{
    struct message_eligible message = MESSAGE_OF(ELIGIBLE, struct message_eligible);
    message.eligible = eligible;
    snprintf(message.reason, sizeof(message.reason), "%s", reason);
    bool changed = supervisor->eligible.header.type == MESSAGE_NONE ||
                   (supervisor->eligible.eligible != 0) != eligible;
    supervisor->eligible = message;
    if (changed)
        supervisor_send(supervisor, PROCESS_VRRP, &message.header, NULL, 0);
}

static void proxy_is_stable(struct loop_timer *timer)
{
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, eligible_timer);
    eligible_set(supervisor, true, "");
}

static void proxy_is_away(struct loop_timer *timer)
{
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, eligible_timer);
    eligible_set(supervisor, false, "the proxy does not run");
}

void eligible_await_proxy(struct supervisor *supervisor)
{
    loop_timer_start(supervisor->loop, &supervisor->eligible_timer,
                     supervisor->settings->proxy_away_ms, proxy_is_away);
}

void eligible_proxy_runs(struct supervisor *supervisor)
{
    supervisor->proxy_ran = true;
    const struct restart_policy *policy = &supervisor->children[PROCESS_PROXY].policy;
    bool repeated = policy->deaths >= REPEATED_DEATHS &&
                    loop_now_ms(supervisor->loop) - policy->last_death_ms < ELIGIBLE_STABLE_MS;
    if (repeated) {
        loop_timer_start(supervisor->loop, &supervisor->eligible_timer, ELIGIBLE_STABLE_MS,
                         proxy_is_stable);
        return;
    }
    loop_timer_stop(&supervisor->eligible_timer);
    eligible_set(supervisor, true, "");
}

/* The fall-back starts at once, and what the other snapshot did is not held against it. */
static void proxy_died(struct supervisor *supervisor, struct restart_decision *decision)
{
    if (snapshots_proxy_died(supervisor)) {
        decision->delay_ms = 0;
        supervisor->children[PROCESS_PROXY].policy.deaths = 0;
    }
    /* Clients wait for it, and it did serve: the second death in a row costs no delay either.
     */
    if (supervisor->proxy_ran && supervisor->children[PROCESS_PROXY].policy.deaths == 2)
        decision->delay_ms = 0;
    if (!supervisor->proxy_ran && supervisor->children[PROCESS_PROXY].policy.deaths > 1)
        eligible_set(supervisor, false, "the proxy dies before it serves");
    else if (supervisor->children[PROCESS_PROXY].policy.deaths >= REPEATED_DEATHS)
        eligible_set(supervisor, false, "the proxy dies repeatedly");
    supervisor->proxy_ran = false;
    loop_timer_start(supervisor->loop, &supervisor->eligible_timer,
                     supervisor->settings->proxy_away_ms, proxy_is_away);
}

/* ---- death ----------------------------------------------------------------------------------
 */

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "exited with status %d", WEXITSTATUS(status));
}

static void resign(struct supervisor *supervisor)
{
    supervisor_speak_for_vrrp(supervisor, true);
    supervisor_remove_owned(supervisor);
    supervisor->status_count = 0; /* it starts as a newcomer */
}

/* Restarted in place it goes on where it was, and nobody notices; unless it was silent before
 * (or the whole node slept), so that a peer has taken over: then it comes back as a newcomer,
 * and at once. */
static void vrrp_died(struct supervisor *supervisor, const struct restart_decision *decision)
{
    const struct child *child = &supervisor->children[PROCESS_VRRP];
    bool silent = hang_watch_is_silent(&child->hang) || watchdog_slept(supervisor);
    bool superseded = silent && supervisor_has_vrrp_peers(supervisor);
    if (!decision->resign && !superseded) {
        supervisor_speak_for_vrrp(supervisor, false);
        return;
    }
    resign(supervisor);
    if (decision->resign)
        supervisor_event(
            supervisor, EVENT_VRRP_RESIGNED,
            "vrrp died %u times within a minute; its addresses are removed, next try in %d s",
            child->policy.deaths, RESTART_RESIGNED_DELAY_MS / 1000);
}

static void died(struct child *child, int status)
{
    struct supervisor *supervisor = child->supervisor;
    pid_t pid = child->pid;
    char end[96];
    channel_drain(child->channel);
    channel_free(child->channel);
    child->channel = NULL;
    child->pid = 0;
    loop_timer_stop(&child->kill_timer);
    children_write_pids(supervisor);
    if (supervisor->stopping) {
        supervisor_continue_stop(supervisor);
        return;
    }
    describe_end(status, end, sizeof(end));
    struct restart_decision decision =
        restart_policy_died(&child->policy, child->role, loop_now_ms(supervisor->loop));
    child->restarts++;
    supervisor_tell_process(supervisor, child->role);
    supervisor_event(supervisor, EVENT_PROCESS_DIED, "%s (process %d) %s",
                     process_role_name(child->role), (int)pid, end);
    if (child->role == PROCESS_CONTROL && !supervisor->ready && WIFEXITED(status) &&
        WEXITSTATUS(status) == EXIT_UNUSABLE) {
        supervisor_begin_stop(supervisor, 1);
        return;
    }
    if (child->role == PROCESS_PROXY)
        proxy_died(supervisor, &decision);
    if (child->role == PROCESS_VRRP)
        vrrp_died(supervisor, &decision);
    if (decision.delay_ms == 0)
        children_start(supervisor, child->role);
    else
        loop_timer_start(supervisor->loop, &child->restart_timer, decision.delay_ms, restart);
}

void children_reap(struct supervisor *supervisor)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (check_ended(supervisor, pid, status))
            continue;
        for (int role = 0; role < PROCESS_ROLE_COUNT; role++) {
            if (supervisor->children[role].pid == pid) {
                died(&supervisor->children[role], status);
                break;
            }
        }
    }
}
