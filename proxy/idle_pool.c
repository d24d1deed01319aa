#include "proxy/idle_pool.h"

#include "lbnode/base/bytes.h"
#include "proxy/member_connection.h"

static void unlink_idle(struct member_connection *connection)
{
    *connection->idle_link = connection->idle_next;
    if (connection->idle_next)
        connection->idle_next->idle_link = connection->idle_link;
    connection->idle_link = NULL;
    connection->worker->idle.by_slot[connection->slot].count--;
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
    struct idle_list *list = &worker->idle.by_slot[connection->slot];
    if (list->count >= IDLE_PER_MEMBER || worker->draining ||
        !stream_is_quiet(&connection->stream)) {
        member_connection_close(connection);
        return;
    }
    buffer_put(&worker->buffers, &connection->in);
    connection->on_event = on_idle_event;
    connection->owner = NULL;
    connection->reused = true;
    connection->idle_next = list->first;
    connection->idle_link = &list->first;
    if (list->first)
        list->first->idle_link = &connection->idle_next;
    list->first = connection;
    list->count++;
    connection->timed.on_expiry = on_idle_expiry;
    worker_set_deadline(worker, &connection->timed,
                        connection->idle_ms ? connection->idle_ms : IDLE_TIMEOUT_MS);
}

struct member_connection *
idle_pool_take(struct worker *worker, uint32_t slot, uint32_t incarnation)
{
    struct idle_list *list = &worker->idle.by_slot[slot];
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

static void drop_all(struct worker *worker, uint32_t slot)
{
    while (worker->idle.by_slot[slot].first)
        drop(worker->idle.by_slot[slot].first);
}

void idle_pool_sweep(struct worker *worker, const struct generation *generation)
{
    for (uint32_t slot = 0; slot < MEMBER_SLOTS; slot++) {
        const struct member_connection *first = worker->idle.by_slot[slot].first;
        /* Those of an older incarnation behind it go when somebody wants one. */
        if (first &&
            (!generation || generation->member_incarnations[slot] != first->incarnation))
            drop_all(worker, slot);
    }
}
