/* Creation of the two shared boards, and their small tables of names. */
#include "lbnode/base/bytes.h"
#include "lbnode/model/counter_board.h"
#include "lbnode/model/verdict_board.h"

#include <stddef.h>
#include <sys/mman.h>

static void *shared_pages(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

struct verdict_board *verdict_board_create(void)
{
    struct verdict_board *board = shared_pages(sizeof(*board));
    if (board)
        board->magic = 0x4c42564552443031u;
    return board;
}

struct counter_board *counter_board_create(void)
{
    struct counter_board *board = shared_pages(sizeof(*board));
    if (board)
        board->magic = 0x4c42434e54523031u;
    return board;
}

const char *verdict_reason_text(enum verdict_reason reason)
{
    static const char *const texts[] = {
        "",
        "connection refused",
        "connect timeout",
        "host unreachable",
        "connection reset",
        "no answer in time",
        "unexpected HTTP status",
        "malformed answer",
    };
    return (size_t)reason < ARRAY_LENGTH(texts) ? texts[reason] : "unknown";
}
