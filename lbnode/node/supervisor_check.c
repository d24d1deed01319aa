/* The node's check command (`check_command` of its node.yaml, which is never replicated): a
 * program of the operator's that says by its exit status whether this node should be active.
 * It runs without privileges, without a shell, and not for long. */
#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/node/check_run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FAILURES = 3,
    SUCCESSES = 2,
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

static void start(struct loop_timer *timer);

static void end_late_one(struct supervisor *supervisor)
{
    kill(supervisor->check.pid, SIGTERM);
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
        check_run(supervisor->settings);
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
    else if (WEXITSTATUS(status) == CHECK_CANNOT_RUN)
        snprintf(how, sizeof(how), "cannot be run by an unprivileged account");
    else
        snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
    bool good = !supervisor->check.late && WIFEXITED(status) && WEXITSTATUS(status) == 0;
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
