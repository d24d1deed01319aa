/* A copy of the data file beside it, made now and then: where salvage looks when the file
 * itself has nothing left to read. Made by a child while the store is in use, so it is no
 * store, but its rows carry their own checksums. */
#ifndef REPLICATION_STORE_COPY_H
#define REPLICATION_STORE_COPY_H

#include "lbnode/base/error.h"

#include <stdint.h>
#include <sys/types.h>

struct store_copy {
    pid_t child; /* 0: none under way */
    uint64_t next_ms;
};

/* Starts a copy of PATH to COPY_PATH when the last one is missing or an hour older than PATH,
 * and the file system has ample room. Call each minute or so; NOW_MS is monotonic. */
void store_copy_refresh(struct store_copy *copy,
                        const char *path,
                        const char *copy_path,
                        uint64_t now_ms);
/* Waits for a copy under way. */
void store_copy_end(struct store_copy *copy);

#endif
