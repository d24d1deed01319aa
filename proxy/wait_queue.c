#include "proxy/wait_queue.h"

#include <stdlib.h>

struct wait_queue *wait_queue_new(void)
{
    struct wait_queue *queue = calloc(1, sizeof(*queue));
    for (uint32_t i = 0; queue && i < WORKERS_MAXIMUM; i++)
        queue->lines[i].queue = queue;
    return queue;
}

static void list_line(struct wait_lines *lines, struct wait_line *line)
{
    line->next = NULL;
    line->previous = lines->last;
    if (lines->last)
        lines->last->next = line;
    else
        lines->first = line;
    lines->last = line;
}

static void unlist_line(struct wait_lines *lines, struct wait_line *line)
{
    if (line->previous)
        line->previous->next = line->next;
    else
        lines->first = line->next;
    if (line->next)
        line->next->previous = line->previous;
    else
        lines->last = line->previous;
}

void wait_queue_add(struct wait_queue *queue,
                    uint32_t worker,
                    struct wait_lines *lines,
                    struct waiter *waiter,
                    bool front)
{
    struct wait_line *line = &queue->lines[worker];
    if (!line->first) {
        list_line(lines, line);
        line->pass = lines->pass; /* who is walking now has been here */
        atomic_fetch_or(&queue->workers, UINT64_C(1) << worker);
    }
    waiter->line = line;
    waiter->previous = front ? NULL : line->last;
    waiter->next = front ? line->first : NULL;
    if (waiter->previous)
        waiter->previous->next = waiter;
    else
        line->first = waiter;
    if (waiter->next)
        waiter->next->previous = waiter;
    else
        line->last = waiter;
    atomic_fetch_add(&queue->count, 1);
}

void wait_queue_remove(struct waiter *waiter, uint32_t worker, struct wait_lines *lines)
{
    struct wait_line *line = waiter->line;
    if (!line)
        return;
    waiter->line = NULL;
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        line->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        line->last = waiter->previous;
    atomic_fetch_sub(&line->queue->count, 1);
    if (line->first)
        return;
    unlist_line(lines, line);
    atomic_fetch_and(&line->queue->workers, ~(UINT64_C(1) << worker));
}

int wait_queue_next_worker(struct wait_queue *queue)
{
    uint64_t workers = atomic_load(&queue->workers);
    if (workers == 0)
        return -1;
    uint32_t turn = atomic_fetch_add_explicit(&queue->turn, 1, memory_order_relaxed);
    int number = __builtin_popcountll(workers);
    for (uint32_t skip = turn % (uint32_t)number; skip > 0; skip--)
        workers &= workers - 1;
    return __builtin_ctzll(workers);
}

void wait_lines_begin(struct wait_lines *lines)
{
    lines->pass++;
}

struct wait_line *wait_lines_next(struct wait_lines *lines)
{
    struct wait_line *line = lines->first;
    if (!line || line->pass == lines->pass)
        return NULL;
    line->pass = lines->pass;
    unlist_line(lines, line);
    list_line(lines, line);
    return line;
}
