#include "proxy/reserve.h"

#include <fcntl.h>
#include <unistd.h>

void reserve_refill(int *reserve, int fd)
{
    if (*reserve < 0)
        *reserve = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void reserve_release(int *reserve)
{
    if (*reserve >= 0)
        close(*reserve);
    *reserve = -1;
}
