#include "lbnode/node/run_dir.h"

#include "lbnode/base/monotime.h"
#include "lbnode/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    PATH_SIZE = 512,
    LOCK_RETRY_MS = 20
};

static bool lock_within(int fd, uint64_t wait_ms)
{
    uint64_t end_ms = monotime_now_ms() + wait_ms;
    const struct timespec pause = {.tv_nsec = LOCK_RETRY_MS * 1000000L};
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (monotime_now_ms() >= end_ms)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

int run_dir_lock(const char *directory,
                 const char *option,
                 uint64_t wait_ms,
                 struct error *error)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/lbnode.lock", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        error_set(error, ERROR_REFUSED, "Cannot open %s: %s.", path, strerror(errno));
        return -1;
    }
    if (!lock_within(fd, wait_ms)) {
        error_set(error, ERROR_CONFLICT,
                  "Another node uses %s; stop it, or give this one its own %s.", directory,
                  option);
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
