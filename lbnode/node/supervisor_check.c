/* The node's check command (`check_command` of its node.yaml, which is never replicated): a
 * program of the operator's that says by its exit status whether this node should be active.
 * It runs as a child without privileges, without a shell, and not for long. */
#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/bytes.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ARGUMENTS_MAXIMUM = SUPERVISOR_CHECK_SIZE / 2, /* no setting has more words */
    FAILURES = 3,
    SUCCESSES = 2,
    CANNOT_RUN = 126,
};

static void say(struct supervisor *supervisor, const char *how)
{
    struct message_hindrance word = MESSAGE_OF(HINDRANCE, struct message_hindrance);
    word.kind = HINDRANCE_IS_COMMAND;
    word.holds = supervisor->check.counter.down;
    if (word.holds)
        snprintf(word.text, sizeof(word.text), "the check command %s", how);
    hindrances_set(supervisor, &word);
}

static void note(struct supervisor *supervisor, bool good, const char *how)
{
    rise_fall_note(&supervisor->check.counter, good, FAILURES, SUCCESSES);
    say(supervisor, how);
}

/* ---- one run --------------------------------------------------------------------------------
 */

static _Noreturn void run(const struct supervisor_settings *settings)
{
    char text[SUPERVISOR_CHECK_SIZE], *rest = text, *word;
    char *arguments[ARGUMENTS_MAXIMUM + 1] = {NULL};
    size_t count = 0;
    sigset_t none;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    snprintf(text, sizeof(text), "%s", settings->check_command);
    while ((word = strsep(&rest, " \t")) && count < ARGUMENTS_MAXIMUM)
        if (*word)
            arguments[count++] = word;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    setpgid(0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (close_range(STDERR_FILENO + 1, ~0u, 0) != 0 || count == 0)
        _exit(CANNOT_RUN);
    if (!settings->keep_privileges && privileges_drop(PROCESS_HEALTH, &settings->user) != 0)
        _exit(CANNOT_RUN);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* forgotten when the account changes */
    execv(arguments[0], arguments);
    _exit(CANNOT_RUN);
}

static void start(struct loop_timer *timer);

static void end_late_one(struct supervisor *supervisor)
{
    kill(-supervisor->check.pid, SIGKILL);
    kill(supervisor->check.pid, SIGKILL); /* it may not have its group yet */
    supervisor->check.late = true;
}

static void start(struct loop_timer *timer)
{
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, check.timer);
    loop_timer_start(supervisor->loop, timer, supervisor->settings->check_interval_ms, start);
    if (supervisor->check.pid > 0) {
        if (supervisor->check.late) /* it waits for a disk, and no signal ends that */
            note(supervisor, false, "does not end although it was killed");
        end_late_one(supervisor);
        return;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        run(supervisor->settings);
    if (pid < 0)
        note(supervisor, false, "cannot be started");
    supervisor->check.pid = pid > 0 ? pid : 0;
}

/* ---- its end --------------------------------------------------------------------------------
 */

bool check_ended(struct supervisor *supervisor, pid_t pid, int status)
{
    char how[64] = "";
    if (pid != supervisor->check.pid)
        return false;
    if (supervisor->check.late)
        snprintf(how, sizeof(how), "does not end within %u ms",
                 supervisor->settings->check_interval_ms);
    else if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) == CANNOT_RUN)
        snprintf(how, sizeof(how), "cannot be run by an unprivileged account");
    else
        snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
    bool good = !supervisor->check.late && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    kill(-pid, SIGKILL); /* what it left in the background would add up, run by run */
    supervisor->check.pid = 0;
    supervisor->check.late = false;
    if (!supervisor->stopping)
        note(supervisor, good, how);
    return true;
}

void check_start(struct supervisor *supervisor)
{
    const char *command = supervisor->settings->check_command;
    if (command && command[0])
        start(&supervisor->check.timer);
}

void check_stop(struct supervisor *supervisor)
{
    loop_timer_stop(&supervisor->check.timer);
    if (supervisor->check.pid > 0)
        end_late_one(supervisor);
}
