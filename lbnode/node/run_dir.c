#include "lbnode/node/run_dir.h"

#include "lbnode/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    PATH_SIZE = 512
};

int run_dir_lock(const char *directory, struct error *error)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/lbnode.lock", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        error_set(error, ERROR_REFUSED, "Cannot open %s: %s.", path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        error_set(error, ERROR_CONFLICT,
                  "Another node runs with the run directory %s; stop it, or give this one its "
                  "own --run-dir and --state-dir.",
                  directory);
        close(fd);
        return -1;
    }
    return fd;
}

static int replace_file(const char *directory, const char *name, const char *data)
{
    char path[PATH_SIZE], temporary[PATH_SIZE + 8];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    ssize_t written = write(fd, data, strlen(data));
    close(fd);
    if (written != (ssize_t)strlen(data))
        return -EIO;
    return rename(temporary, path) == 0 ? 0 : -errno;
}

int run_dir_write_pids(const char *directory, const pid_t pids[PROCESS_ROLE_COUNT])
{
    char own[32];
    struct text text = {.limit = 1024};
    for (int role = 0; role < PROCESS_ROLE_COUNT; role++)
        if (pids[role] > 0)
            text_appendf(&text, "%s %d\n", process_role_name((enum process_role)role),
                         (int)pids[role]);
    snprintf(own, sizeof(own), "%d\n", (int)pids[PROCESS_SUPERVISOR]);
    int rv = replace_file(directory, "pids", text_string(&text));
    if (rv == 0)
        rv = replace_file(directory, "lbnode.pid", own);
    text_free(&text);
    return rv;
}

void run_dir_remove_pids(const char *directory)
{
    static const char *const names[] = {"pids", "lbnode.pid"};
    for (int i = 0; i < 2; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        unlink(path);
    }
}
