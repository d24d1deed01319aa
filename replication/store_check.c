#include "replication/store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The parent reads the error as one message; a child that says nothing has crashed. */
static void check_in_child(const char *path, size_t map_size, int out)
{
    struct error error = {0};
    const struct store_batch nothing = {0};
    const struct rlimit no_core = {0};
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < ARRAY_LENGTH(crashes); i++)
        signal(crashes[i], SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &no_core);
    struct store *store = store_lmdb_open(path, map_size, &error);
    /* No room for a commit is no damage: the node then starts and refuses changes. */
    if (store && store_commit(store, &nothing) == -EBADMSG)
        error_set(&error, ERROR_INVALID, "the store %s is damaged: it takes no commit", path);
    store_close(store);
    ssize_t written = write(out, &error, sizeof(error));
    _exit(written == (ssize_t)sizeof(error) ? 0 : 1);
}

static bool wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool store_check(const char *path, size_t map_size, struct error *error)
{
    struct error found = {0};
    int ends[2];
    if (access(path, F_OK) != 0)
        return true;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set(error, ERROR_INTERNAL, "no pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0)
        check_in_child(path, map_size, ends[1]);
    close(ends[1]);
    ssize_t got = child < 0 ? 0 : read(ends[0], &found, sizeof(found));
    close(ends[0]);
    if (child < 0)
        return error_set(error, ERROR_INTERNAL, "no process: %s", strerror(errno));
    if (!wait_for(child) || got != (ssize_t)sizeof(found))
        return error_set(error, ERROR_INVALID,
                         "the store %s is damaged: reading it crashes the process", path);
    if (found.kind == ERROR_NONE)
        return true;
    *error = found;
    return false;
}
