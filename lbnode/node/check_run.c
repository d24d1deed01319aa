#include "lbnode/node/check_run.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ARGUMENTS_MAXIMUM = SUPERVISOR_CHECK_SIZE / 2, /* no setting has more words */
    SEARCHES_MAXIMUM = 8,                          /* in vain */
    SEARCH_GAP_MS = 5,
    SEARCH_GAP_MAXIMUM_MS = 1000,
};

/* ---- the command ----------------------------------------------------------------------------
 */

static _Noreturn void become_command(const struct supervisor_settings *settings)
{
    char text[SUPERVISOR_CHECK_SIZE], *rest = text, *word;
    char *arguments[ARGUMENTS_MAXIMUM + 1] = {NULL};
    size_t count = 0;
    sigset_t none;
    snprintf(text, sizeof(text), "%s", settings->check_command);
    while ((word = strsep(&rest, " \t")) && count < ARGUMENTS_MAXIMUM)
        if (*word)
            arguments[count++] = word;
    setpgid(0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (count == 0)
        _exit(CHECK_CANNOT_RUN);
    if (!settings->keep_privileges && privileges_drop(PROCESS_HEALTH, &settings->user) != 0)
        _exit(CHECK_CANNOT_RUN);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* forgotten when the account changes */
    execv(arguments[0], arguments);
    _exit(CHECK_CANNOT_RUN);
}

/* ---- what it leaves -------------------------------------------------------------------------
 */

/* The parent of process NAME of /proc; 0: it is gone, or none. */
static pid_t parent_of(const char *name)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%.32s/stat", name);
    int fd = isdigit((unsigned char)name[0]) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    const char *end = strrchr(text, ')'); /* of the program's name, which may have any bytes */
    int parent;
    return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* Kills each child, and returns how many there were. As a subreaper this process is the parent
 * of whatever loses its own. */
static size_t kill_children(void)
{
    const struct dirent *entry;
    size_t killed = 0;
    DIR *processes = opendir("/proc");
    while (processes && (entry = readdir(processes))) {
        if (parent_of(entry->d_name) != getpid())
            continue;
        kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
        killed++;
    }
    if (processes)
        closedir(processes);
    return killed;
}

/* False: there are no children any more. */
static bool reap(pid_t command, int *status)
{
    int any;
    pid_t pid;
    while ((pid = waitpid(-1, &any, WNOHANG)) > 0)
        if (pid == command)
            *status = any;
    return pid == 0;
}

/* The end of each makes its children ours. What waits for a disk may take long to end. Where
 * /proc does not show them, those that stayed in the command's group are ended at least. */
static void end_all(const sigset_t *awaited, pid_t command, int *status)
{
    long gap_ms = SEARCH_GAP_MS;
    kill(-command, SIGKILL);
    for (int vain = 0; reap(command, status) && vain < SEARCHES_MAXIMUM;) {
        vain = kill_children() > 0 ? 0 : vain + 1;
        const struct timespec gap = {gap_ms / 1000, gap_ms % 1000 * 1000000};
        bool ended = sigtimedwait(awaited, NULL, &gap) == SIGCHLD;
        gap_ms = ended ? SEARCH_GAP_MS : 2 * gap_ms;
        gap_ms = gap_ms < SEARCH_GAP_MAXIMUM_MS ? gap_ms : SEARCH_GAP_MAXIMUM_MS;
    }
}

/* ---- the run --------------------------------------------------------------------------------
 */

static void wait_for_signals(const sigset_t *awaited, pid_t command, int *status)
{
    siginfo_t info = {0};
    do {
        int any;
        pid_t pid;
        while ((pid = waitpid(-1, &any, WNOHANG)) > 0)
            if (pid == command) {
                *status = any;
                return;
            }
    } while (sigwaitinfo(awaited, &info) != SIGTERM);
}

static _Noreturn void end_as(int status)
{
    sigset_t none;
    if (WIFSIGNALED(status)) {
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        signal(WTERMSIG(status), SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : CHECK_CANNOT_RUN);
}

_Noreturn void check_run(const struct supervisor_settings *settings)
{
    sigset_t awaited;
    pid_t supervisor = getppid();
    int status = 0;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGTERM);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    if (close_range(STDERR_FILENO + 1, ~0u, 0) != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        _exit(CHECK_CANNOT_RUN);
    prctl(PR_SET_NAME, "lbnode-check", 0, 0, 0);
    pid_t command = fork();
    if (command == 0)
        become_command(settings);
    if (command < 0 || (!settings->keep_privileges && privileges_keep_kill() != 0))
        _exit(CHECK_CANNOT_RUN);
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() != supervisor)
        kill(getpid(), SIGTERM);
    wait_for_signals(&awaited, command, &status);
    end_all(&awaited, command, &status);
    end_as(status);
}
