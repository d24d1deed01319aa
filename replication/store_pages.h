/* The file format of LMDB 0.9 as far as it is needed to look at a data file without the
 * library, which trusts every byte of its pages: is the file whole before it is mapped, and
 * which rows can still be read from one that is not. Everything read here is bounded. */
#ifndef REPLICATION_STORE_PAGES_H
#define REPLICATION_STORE_PAGES_H

#include "replication/store.h"

#include <sys/types.h>

/* FD's two meta pages are readable, agree with each other, and the file has every page that
 * the newer one counts (a shorter file would end this process with SIGBUS). An empty file is
 * fine. False with a sentence about what is wrong in ERROR. */
bool store_pages_are_whole(int fd, struct error *error);

/* Every row of TABLE in any leaf page of FD, reachable or not, whose own checksum is right, in
 * file order; the same row may come more than once and replaced ones come too. Returns how many
 * were visited. Stops when VISIT returns false. */
size_t store_pages_scrape(int fd,
                          enum store_table table,
                          bool (*visit)(void *context, struct bytes key, struct bytes value),
                          void *context);

#endif
