/* Opening a store that may be damaged. LMDB trusts the pages that it maps, so a damaged file
 * can crash the process that reads it; it is therefore opened, read as a whole and written once
 * by a child first. */
#ifndef REPLICATION_STORE_CHECK_H
#define REPLICATION_STORE_CHECK_H

#include "replication/store.h"

/* True when PATH can be opened, is whole and takes a commit, or does not exist yet. Else false
 * with ERROR as store_lmdb_open gives it: INVALID means damaged. Call before this process opens
 * the store or starts threads. */
bool store_check(const char *path, size_t map_size, struct error *error);

#endif
