#include "proxy/idle_pool.h"

#include "lbnode/base/bytes.h"
#include "proxy/member_connection.h"

static void link_age(struct idle_pool *idle, struct member_connection *connection)
{
    connection->older = idle->newest;
    connection->newer = NULL;
    if (idle->newest)
        idle->newest->newer = connection;
    else
        idle->oldest = connection;
    idle->newest = connection;
    idle->count++;
}

static void unlink_age(struct idle_pool *idle, struct member_connection *connection)
{
    if (connection->older)
        connection->older->newer = connection->newer;
    else
        idle->oldest = connection->newer;
    if (connection->newer)
        connection->newer->older = connection->older;
    else
        idle->newest = connection->older;
    idle->count--;
}

static void unlink_idle(struct member_connection *connection)
{
    *connection->idle_link = connection->idle_next;
    if (connection->idle_next)
        connection->idle_next->idle_link = connection->idle_link;
    connection->idle_link = NULL;
    connection->worker->idle.by_slot[connection->slot].count--;
    unlink_age(&connection->worker->idle, connection);
    counter_add(&connection->worker->counters->proxy.kept_connections, UINT64_MAX);
    worker_clear_deadline(connection->worker, &connection->timed);
}

static void drop(struct member_connection *connection)
{
    unlink_idle(connection);
    member_connection_close(connection);
}

/* Bytes nobody asked for, or the end: either way it is of no use any more. Room to write is
 * no news, nor is the late word of bytes that were read already. */
static void on_idle_event(struct member_connection *connection)
{
    if (!stream_is_quiet(&connection->stream))
        drop(connection);
}

static void on_idle_expiry(struct timed *timed)
{
    drop(CONTAINER_OF(timed, struct member_connection, timed));
}

void idle_pool_put(struct worker *worker, struct member_connection *connection)
{
    struct member_links *list = &worker->idle.by_slot[connection->slot];
    if (list->count >= IDLE_PER_MEMBER || worker->draining ||
        worker->idle.count >= worker->shared->maximum_kept ||
        list->down_incarnation == connection->incarnation ||
        !stream_is_quiet(&connection->stream)) {
        member_connection_close(connection);
        return;
    }
    buffer_put(&worker->buffers, &connection->in);
    connection->on_event = on_idle_event;
    connection->on_news = NULL;
    connection->owner = NULL;
    connection->reused = true;
    connection->idle_next = list->first;
    connection->idle_link = &list->first;
    if (list->first)
        list->first->idle_link = &connection->idle_next;
    list->first = connection;
    list->count++;
    link_age(&worker->idle, connection);
    counter_add(&worker->counters->proxy.kept_connections, 1);
    connection->timed.on_expiry = on_idle_expiry;
    worker_set_deadline(worker, &connection->timed,
                        connection->idle_ms ? connection->idle_ms : IDLE_TIMEOUT_MS);
}

struct member_connection *
idle_pool_take(struct worker *worker, uint32_t slot, uint32_t incarnation)
{
    struct member_links *list = &worker->idle.by_slot[slot];
    while (list->first) {
        struct member_connection *connection = list->first;
        if (connection->incarnation == incarnation) {
            unlink_idle(connection);
            return connection;
        }
        drop(connection);
    }
    return NULL;
}

uint32_t idle_pool_evict(struct worker *worker, uint32_t limit)
{
    uint32_t count = 0;
    while (count < limit && worker->idle.oldest) {
        drop(worker->idle.oldest);
        count++;
    }
    counter_add(&worker->counters->proxy.kept_evicted, count);
    return count;
}

uint32_t idle_pool_drop(struct worker *worker, uint32_t slot)
{
    uint32_t count = 0;
    for (; worker->idle.by_slot[slot].first; count++)
        drop(worker->idle.by_slot[slot].first);
    return count;
}

void idle_pool_sweep(struct worker *worker, const struct generation *generation)
{
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++) {
        const struct member_connection *first = worker->idle.by_slot[slot].first;
        /* Those of an older incarnation behind it go when somebody wants one. */
        if (first &&
            (!generation || generation->member_incarnations[slot] != first->incarnation))
            idle_pool_drop(worker, slot);
    }
}
