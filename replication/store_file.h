/* The file below the store: where it may lie, and room for it ahead of need. */
#ifndef REPLICATION_STORE_FILE_H
#define REPLICATION_STORE_FILE_H

#include "lbnode/base/error.h"

#include <stddef.h>

/* Not on a network file system, where neither locks nor fsync can be relied on. PATH's
 * directory exists. False with ERROR, which names the file system. */
bool store_file_place_is_fit(const char *path, struct error *error);
/* Makes FD at least 16 MiB longer than USED bytes, allocated in steps of 32 MiB when the file
 * system has much room, else only in length. Never fails: what the file lacks then shows when
 * it is written. */
void store_file_reach_ahead(int fd, size_t used);
/* The file system below FD has hardly any room left. */
bool store_file_is_full(int fd);

#endif
