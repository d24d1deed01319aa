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

const char *termination_text(enum termination termination)
{
#define TEXT(name, text, help) text,
    static const char *const texts[] = {TERMINATIONS(TEXT)};
#undef TEXT
    return (size_t)termination < ARRAY_LENGTH(texts) ? texts[termination] : "unknown";
}

const char *termination_help(enum termination termination)
{
#define HELP(name, text, help) help,
    static const char *const helps[] = {TERMINATIONS(HELP)};
#undef HELP
    return (size_t)termination < ARRAY_LENGTH(helps) ? helps[termination] : "";
}

#define BOUND(bound_us, text) bound_us,
static const uint32_t latency_bounds[LATENCY_BUCKETS] = {LATENCY_BOUNDS(BOUND) UINT32_MAX};
#undef BOUND

unsigned latency_bucket(uint32_t duration_us)
{
    unsigned bucket = 0;
    for (unsigned step = LATENCY_BUCKETS / 2; step > 0; step /= 2)
        bucket += duration_us > latency_bounds[bucket + step - 1] ? step : 0;
    return bucket;
}

uint32_t latency_bound_us(unsigned bucket)
{
    return bucket < LATENCY_BUCKETS ? latency_bounds[bucket] : UINT32_MAX;
}

const char *latency_bound_text(unsigned bucket)
{
#define TEXT(bound_us, text) text,
    static const char *const texts[] = {LATENCY_BOUNDS(TEXT)};
#undef TEXT
    return bucket < ARRAY_LENGTH(texts) ? texts[bucket] : "+Inf";
}
