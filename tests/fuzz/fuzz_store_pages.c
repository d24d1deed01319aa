#include "replication/store_pages.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_bounded(void *context, struct bytes key, struct bytes value)
{
    if (key.size > STORE_KEY_MAXIMUM)
        abort();
    return true;
}

/* A file of any bytes can be looked at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    int fd = memfd_create("store", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    store_pages_are_whole(fd, &error);
    for (int table = 0; table < STORE_TABLE_COUNT; table++)
        store_pages_scrape(fd, (enum store_table)table, is_bounded, NULL);
    close(fd);
    return 0;
}
