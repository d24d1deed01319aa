/* The index of the log (history_index.h): made in slices, so that a large log delays nothing.
 */
#include "replication/history_internal.h"

#include "replication/history.h"
#include "replication/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLICE_ROWS = 512
};

struct history *history_of(struct replication *replication)
{
    if (!replication->history)
        replication->history = memory_new(sizeof(*replication->history));
    return replication->history;
}

void history_forget(struct replication *replication)
{
    if (replication->history)
        history_index_free(&replication->history->index);
}

void history_free(struct replication *replication)
{
    struct history *history = replication->history;
    if (!history)
        return;
    loop_timer_stop(&history->timer);
    audits_free(history->audits);
    history_index_free(&history->index);
    vv_free(&history->target);
    free(history->waiters);
    free(history);
    replication->history = NULL;
}

static void finish(struct history *history, const struct error *error)
{
    struct history_waiter *waiters = history->waiters;
    size_t count = history->waiter_count;
    history->waiters = NULL;
    history->waiter_count = history->waiter_capacity = 0;
    for (size_t i = 0; i < count; i++)
        waiters[i].done(waiters[i].context, error);
    free(waiters);
}

/* The next rows of STREAM; those of the streams behind it come in their turn. 0 or -errno;
 * -E2BIG: the index is full. */
static int read_slice(struct replication *replication, struct dot target)
{
    struct history_index *index = &replication->history->index;
    struct log_slice slice;
    const struct dot first = {target.stream, vv_get(&index->read, target.stream) + 1};
    int result = log_slice_read(replication->store, first, SLICE_ROWS, &slice);
    bool ended = slice.ended;
    for (size_t i = 0; i < slice.count && !result; i++) {
        struct record record;
        if (!record_parse(slice.records[i], &record))
            continue;
        if (record.stream != target.stream) {
            ended = true;
            break;
        }
        if (!history_index_add(index, &record))
            result = -E2BIG;
    }
    /* What cannot be read is passed over, at the latest here. */
    if (!result && (ended || vv_get(&index->read, target.stream) < first.seq))
        vv_raise(&index->read, target.stream, target.seq);
    log_slice_free(&slice);
    return result;
}

static const struct dot *next_target(const struct history *history)
{
    for (size_t i = 0; i < history->target.count; i++)
        if (vv_get(&history->index.read, history->target.entries[i].stream) <
            history->target.entries[i].seq)
            return &history->target.entries[i];
    return NULL;
}

static void on_slice(struct loop_timer *timer)
{
    struct history *history = CONTAINER_OF(timer, struct history, timer);
    struct replication *replication = history->replication;
    struct error error = {0};
    const struct dot *target = next_target(history);
    int result = target ? read_slice(replication, *target) : 0;
    if (result == -E2BIG)
        error_set(&error, ERROR_UNAVAILABLE,
                  "the log is too large for questions about the past: more than %d writes; "
                  "history_mib and history_days limit it",
                  HISTORY_WRITES_MAXIMUM);
    else if (result)
        error_set(&error, ERROR_REFUSED, "the store cannot be read: %s", strerror(-result));
    replication->damaged |= result == -EBADMSG;
    if (result == -E2BIG)
        history_forget(replication);
    if (result || !next_target(history))
        finish(history, &error);
    else
        loop_timer_start(replication->loop, timer, 0, on_slice);
}

void replication_history_prepare(struct replication *replication,
                                 replication_done *done,
                                 void *context)
{
    struct history *history = history_of(replication);
    bool under_way = history->waiter_count > 0;
    history->replication = replication;
    vv_copy(&history->target, core_durable(replication->core));
    history->waiters = memory_grow(history->waiters, history->waiter_count,
                                   &history->waiter_capacity, sizeof(*history->waiters));
    history->waiters[history->waiter_count++] = (struct history_waiter){done, context};
    if (!under_way)
        loop_timer_start(replication->loop, &history->timer, 0, on_slice);
}
