#include "replication/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static const size_t step = (size_t)32 << 20, ahead = (size_t)16 << 20;
/* Below this much free space nothing is taken before it is needed. */
static const uint64_t much_room = (uint64_t)4 << 30;

static const struct network_type {
    uint32_t magic;
    const char *name;
} network_types[] = {
    {0x6969, "NFS"},          {0xFF534D42, "CIFS"},   {0xFE534D42, "SMB2"},
    {0x517B, "SMB"},          {0x01021997, "9P"},     {0x5346414F, "AFS"},
    {0x00C36400, "Ceph"},     {0x73757245, "Coda"},   {0x47504653, "GPFS"},
    {0x0BD00BD0, "Lustre"},   {0x7461636F, "OCFS2"},  {0x01161970, "GFS2"},
    {0x20030528, "OrangeFS"}, {0x19830326, "BeeGFS"},
};

bool store_file_place_is_fit(const char *path, struct error *error)
{
    char directory[PATH_MAX];
    struct statfs status;
    snprintf(directory, sizeof(directory), "%s", path);
    if (statfs(dirname(directory), &status) != 0)
        return error_set(error, ERROR_REFUSED, "the store %s cannot be opened: %s", path,
                         strerror(errno));
    for (size_t i = 0; i < sizeof(network_types) / sizeof(network_types[0]); i++)
        if ((uint32_t)status.f_type == network_types[i].magic)
            return error_set(error, ERROR_REFUSED,
                             "the store %s is on a network file system (%s), where changes "
                             "could be lost; give --state-dir on a local disk",
                             path, network_types[i].name);
    return true;
}

static bool has_much_room(int fd)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 &&
           (uint64_t)status.f_bavail * (uint64_t)status.f_bsize >= much_room;
}

bool store_file_is_full(int fd)
{
    struct statfs status;
    const uint64_t little_room = 64 << 10;
    return fstatfs(fd, &status) == 0 &&
           (uint64_t)status.f_bavail * (uint64_t)status.f_bsize < little_room;
}

void store_file_reach_ahead(int fd, size_t used)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || (size_t)status.st_size >= used + ahead)
        return;
    size_t wanted = (used + ahead + step - 1) / step * step;
    if (has_much_room(fd) &&
        fallocate(fd, 0, status.st_size, (off_t)wanted - status.st_size) == 0)
        return;
    /* A sparse end costs nothing. LMDB may leave free pages at the end unwritten; with them in
     * the file's length a shorter file is always a damaged one. */
    if (ftruncate(fd, (off_t)wanted) != 0)
        return;
}
