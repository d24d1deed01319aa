#include "lbnode/base/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int credential_open(const char *name)
{
    char path[PATH_MAX];
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (!directory || !*directory)
        return 0;
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fd > 0)
        return fd;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, 1); /* standard input was closed */
    int problem = errno;
    close(fd);
    return other > 0 ? other : -problem;
}
