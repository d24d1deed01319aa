/* Preloaded into a writer: notes in the file $WRITE_LOG, in order, everything that reaches the
 * data file config.mdb (writes, length changes, syncs) and each acknowledgement that the writer
 * prints. One thread. Entry: kind u8, number or offset u64, size u64, the bytes. */
#include "tests/torture/write_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int log_fd(void)
{
    static int fd = -1;
    if (fd < 0)
        fd = open(getenv("WRITE_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd;
}

static void note(enum write_log_kind kind, uint64_t number, const void *data, size_t size)
{
    uint8_t head[WRITE_LOG_HEAD] = {(uint8_t)kind};
    struct iovec parts[2] = {{head, sizeof(head)}, {(void *)(uintptr_t)data, size}};
    uint64_t stored_size = size;
    memcpy(head + 1, &number, 8);
    memcpy(head + 9, &stored_size, 8);
    if (syscall(SYS_writev, log_fd(), parts, data ? 2 : 1) !=
        (ssize_t)(sizeof(head) + (data ? size : 0)))
        abort();
}

static int is_data_file(int fd)
{
    char link[64], path[512];
    static const char name[] = "/config.mdb";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    if (size < (ssize_t)sizeof(name))
        return 0;
    path[size] = '\0';
    return strcmp(path + size - (sizeof(name) - 1), name) == 0;
}

static void note_write(int fd, const void *data, size_t size, off_t offset)
{
    int synchronous = fcntl(fd, F_GETFL) & O_DSYNC;
    note(synchronous ? WRITE_LOG_WRITE_SYNCED : WRITE_LOG_WRITE, (uint64_t)offset, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    if (is_data_file(fd))
        note_write(fd, data, size, offset);
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (is_data_file(fd)) {
        off_t offset = lseek(fd, 0, SEEK_CUR);
        for (int i = 0; i < count; i++) {
            note_write(fd, parts[i].iov_base, parts[i].iov_len, offset);
            offset += (off_t)parts[i].iov_len;
        }
    }
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fd == STDOUT_FILENO)
        note(WRITE_LOG_ACKNOWLEDGED, strtoull(data, NULL, 10), NULL, 0);
    else if (is_data_file(fd))
        abort(); /* LMDB does not use it */
    return syscall(SYS_write, fd, data, size);
}

int fdatasync(int fd)
{
    int result = (int)syscall(SYS_fdatasync, fd);
    if (result == 0 && is_data_file(fd))
        note(WRITE_LOG_SYNC, 0, NULL, 0);
    return result;
}

int fsync(int fd)
{
    int result = (int)syscall(SYS_fsync, fd);
    if (result == 0 && is_data_file(fd))
        note(WRITE_LOG_SYNC, 0, NULL, 0);
    return result;
}

int ftruncate64(int fd, off64_t size)
{
    if (is_data_file(fd))
        note(WRITE_LOG_LENGTH, (uint64_t)size, NULL, 0);
    return (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
    return ftruncate64(fd, offset + size);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    return ftruncate64(fd, offset + size);
}

/* LMDB uses it for writable maps only, which the store never asks for. */
int msync(void *address, size_t size, int flags)
{
    abort();
}
