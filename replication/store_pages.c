/* Layout (little endian here as there, 64 bit): a page starts with number u64, pad u16, flags
 * u16, then lower u16 and upper u16 (leaf) or the page count u32 (overflow). A leaf has offsets
 * u16 of its nodes from byte 16 to lower; a node is size u32, flags u16, key size u16, key,
 * value - or, if it is big, the number of its first overflow page. Pages 0 and 1 are meta
 * pages; their content starts at byte 16. */
#include "replication/store_pages.h"

#include "replication/memory.h"
#include "replication/record.h"
#include "replication/store_checksum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(size_t) == 8, "the layout below is that of 64-bit hosts");

enum {
    PAGE_HEADER = 16,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    NODE_HEADER = 8,
    NODE_BIG = 0x01,
    NODE_SPECIAL = 0x06, /* tables and duplicates: none of ours has them in its rows */
    META_SIZE = 152,
    META_MAGIC = 0,
    META_VERSION = 4,
    META_PAGE_SIZE = 24, /* pad of the first of two table descriptors */
    META_LAST_PAGE = 120,
    META_TRANSACTION = 128,
    VALUE_MAXIMUM = RECORD_MAXIMUM_SIZE + STORE_CHECKSUM_SIZE
};

static const uint32_t magic = 0xBEEFC0DE;

static uint16_t load16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t load32(const uint8_t *at)
{
    return load16(at) | (uint32_t)load16(at + 2) << 16;
}

/* ---- meta pages ------------------------------------------------------------------------- */

struct meta {
    uint64_t last_page, transaction;
    uint32_t page_size;
};

static bool read_exactly(int fd, void *out, size_t size, uint64_t offset)
{
    ssize_t got = pread(fd, out, size, (off_t)offset);
    return got >= 0 && (size_t)got == size;
}

static bool read_meta(int fd, uint64_t offset, struct meta *out)
{
    uint8_t bytes[META_SIZE];
    if (!read_exactly(fd, bytes, sizeof(bytes), offset + PAGE_HEADER) ||
        load32(bytes + META_MAGIC) != magic || load32(bytes + META_VERSION) != 1)
        return false;
    out->page_size = load32(bytes + META_PAGE_SIZE);
    out->last_page = load_le64(bytes + META_LAST_PAGE);
    out->transaction = load_le64(bytes + META_TRANSACTION);
    return out->page_size >= 512 && out->page_size <= 65536 &&
           (out->page_size & (out->page_size - 1)) == 0;
}

/* Transactions take turns on the two pages, so their numbers follow each other, even ones on
 * the first page. (In a new file both are 0.) A number that was damaged would let an older
 * state look like the newest. */
static bool metas_agree(const struct meta *first, const struct meta *second)
{
    uint64_t even = first->transaction, odd = second->transaction;
    if (first->page_size != second->page_size)
        return false;
    if (even == 0 && odd == 0)
        return true;
    return even % 2 == 0 && odd % 2 == 1 && (even + 1 == odd || odd + 1 == even);
}

static bool damaged(struct error *error, const char *what)
{
    return error_set(error, ERROR_INVALID, "the store is damaged: %s", what);
}

bool store_pages_are_whole(int fd, struct error *error)
{
    struct stat status;
    struct meta first, second;
    if (fstat(fd, &status) != 0)
        return error_set(error, ERROR_REFUSED, "the store cannot be read: %s", strerror(errno));
    if (status.st_size == 0)
        return true;
    if (!read_meta(fd, 0, &first) || !read_meta(fd, first.page_size, &second))
        return damaged(error, "its first pages are unreadable");
    if (!metas_agree(&first, &second))
        return damaged(error, "its first two pages contradict each other");
    const struct meta *newer = second.transaction > first.transaction ? &second : &first;
    uint64_t pages = (uint64_t)status.st_size / newer->page_size;
    if (newer->last_page < 1 || newer->last_page >= pages)
        return damaged(error, "the file is shorter than its content");
    return true;
}

/* ---- scraping --------------------------------------------------------------------------- */

struct scrape {
    int fd;
    uint32_t page_size;
    uint64_t pages;
    enum store_table table;
    bool (*visit)(void *context, struct bytes key, struct bytes value);
    void *context;
    size_t visited;
    bool stopped;
};

static void offer(struct scrape *scrape, struct bytes key, struct bytes stored)
{
    struct bytes value;
    if (!store_checksum_strip((uint8_t)scrape->table, key, stored, &value))
        return;
    scrape->visited++;
    scrape->stopped = !scrape->visit(scrape->context, key, value);
}

static void offer_big(struct scrape *scrape, struct bytes key, uint64_t page, size_t size)
{
    uint64_t needed = (PAGE_HEADER + size + scrape->page_size - 1) / scrape->page_size;
    if (page < 2 || page >= scrape->pages || needed > scrape->pages - page)
        return;
    uint8_t *bytes = memory_new(size);
    if (read_exactly(scrape->fd, bytes, size, page * scrape->page_size + PAGE_HEADER))
        offer(scrape, key, (struct bytes){bytes, size});
    free(bytes);
}

static void scrape_node(struct scrape *scrape, const uint8_t *page, size_t offset)
{
    const uint8_t *node = page + offset;
    if (offset < PAGE_HEADER || offset + NODE_HEADER > scrape->page_size)
        return;
    size_t size = load32(node), key_size = load16(node + 6);
    uint16_t flags = load16(node + 4);
    size_t room = scrape->page_size - offset - NODE_HEADER;
    if ((flags & NODE_SPECIAL) || key_size > STORE_KEY_MAXIMUM || key_size > room ||
        size < STORE_CHECKSUM_SIZE || size > VALUE_MAXIMUM)
        return;
    struct bytes key = {node + NODE_HEADER, key_size};
    const uint8_t *value = node + NODE_HEADER + key_size;
    if (flags & NODE_BIG) {
        if (room - key_size >= 8)
            offer_big(scrape, key, load_le64(value), size);
    } else if (size <= room - key_size) {
        offer(scrape, key, (struct bytes){value, size});
    }
}

static void scrape_page(struct scrape *scrape, const uint8_t *page)
{
    size_t lower = load16(page + 12);
    if (!(load16(page + 10) & PAGE_LEAF) || lower > scrape->page_size)
        return;
    for (size_t at = PAGE_HEADER; at + 2 <= lower && !scrape->stopped; at += 2)
        scrape_node(scrape, page, load16(page + at));
}

size_t store_pages_scrape(int fd,
                          enum store_table table,
                          bool (*visit)(void *context, struct bytes key, struct bytes value),
                          void *context)
{
    struct stat status;
    struct meta meta;
    if (fstat(fd, &status) != 0 || status.st_size < 0)
        return 0;
    struct scrape scrape = {
        .fd = fd, .table = table, .visit = visit, .context = context, .page_size = 4096};
    if (read_meta(fd, 0, &meta) || read_meta(fd, 4096, &meta))
        scrape.page_size = meta.page_size;
    scrape.pages = (uint64_t)status.st_size / scrape.page_size;
    uint8_t *page = memory_new(scrape.page_size);
    for (uint64_t i = 0; i < scrape.pages && !scrape.stopped; i++)
        if (read_exactly(fd, page, scrape.page_size, i * scrape.page_size))
            scrape_page(&scrape, page);
    free(page);
    return scrape.visited;
}
