#include "replication/store_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHUNK = 64 << 10,
    CHECK_MS = 60000,
    AGE_S = 3600
};

/* ---- the child: system calls only, since the parent has threads ------------------------- */

static bool copy_range(int from, int to, off_t at, off_t end)
{
    uint8_t chunk[CHUNK];
    while (at < end) {
        size_t wanted = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
        ssize_t got = pread(from, chunk, wanted, at);
        if (got == 0)
            return true;
        if (got < 0 || pwrite(to, chunk, (size_t)got, at) != got)
            return false;
        at += got;
    }
    return true;
}

static bool copy_data(int from, int to)
{
    off_t at = 0, end;
    while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
        end = lseek(from, at, SEEK_HOLE);
        if (end < 0 || !copy_range(from, to, at, end))
            return false;
        at = end;
    }
    return errno == ENXIO && fsync(to) == 0;
}

static void run_child(const char *path, const char *temporary, const char *copy_path)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int to = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool copied = from >= 0 && to >= 0 && copy_data(from, to);
    if (!copied || rename(temporary, copy_path) != 0)
        unlink(temporary);
    _exit(copied ? 0 : 1);
}

/* ---- the parent ------------------------------------------------------------------------- */

static bool is_due(const char *path, const char *copy_path)
{
    struct stat file, copy;
    struct statfs room;
    if (stat(path, &file) != 0 || statfs(path, &room) != 0)
        return false;
    const uint64_t ample = ((uint64_t)256 << 20) + 4 * (uint64_t)file.st_blocks * 512;
    if ((uint64_t)room.f_bavail * (uint64_t)room.f_bsize < ample)
        return false;
    return stat(copy_path, &copy) != 0 || file.st_mtime >= copy.st_mtime + AGE_S;
}

static void reap(struct store_copy *copy, int options)
{
    if (copy->child > 0 && waitpid(copy->child, NULL, options) != 0)
        copy->child = 0;
}

void store_copy_refresh(struct store_copy *copy,
                        const char *path,
                        const char *copy_path,
                        uint64_t now_ms)
{
    char temporary[PATH_MAX];
    reap(copy, WNOHANG);
    if (copy->child > 0 || now_ms < copy->next_ms)
        return;
    copy->next_ms = now_ms + CHECK_MS;
    if (!is_due(path, copy_path))
        return;
    snprintf(temporary, sizeof(temporary), "%s.new", copy_path);
    pid_t child = fork();
    if (child == 0)
        run_child(path, temporary, copy_path);
    copy->child = child > 0 ? child : 0;
}

void store_copy_end(struct store_copy *copy)
{
    reap(copy, 0);
}
