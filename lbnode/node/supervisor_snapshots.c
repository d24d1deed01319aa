/* Which snapshot the node runs. A configuration that crashes the proxy is replicated and would
 * take every node down; so the last one that ran a minute is kept, and takes over when the
 * proxy dies twice soon after it got a new one. */
#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/bytes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_list(struct endpoint_list *list)
{
    free(list->items);
    *list = (struct endpoint_list){0};
}

static void release(struct kept_snapshot *kept)
{
    if (kept->fd >= 0)
        close(kept->fd);
    free_list(&kept->endpoints);
    *kept = (struct kept_snapshot){.fd = -1};
}

static bool copy(const struct kept_snapshot *from, struct kept_snapshot *out)
{
    struct kept_snapshot result = {.fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 3),
                                   .generation = from->generation,
                                   .change_id = from->change_id};
    size_t size = from->endpoints.count * sizeof(*from->endpoints.items);
    result.endpoints.items = size > 0 ? malloc(size) : NULL;
    if (result.fd < 0 || (size > 0 && !result.endpoints.items)) {
        release(&result);
        return false;
    }
    if (size > 0)
        memcpy(result.endpoints.items, from->endpoints.items, size);
    result.endpoints.count = from->endpoints.count;
    release(out);
    *out = result;
    return true;
}

void snapshots_init(struct supervisor *supervisor)
{
    supervisor->current.fd = -1;
    supervisor->proven.fd = -1;
}

void snapshots_free(struct supervisor *supervisor)
{
    loop_timer_stop(&supervisor->proven_timer);
    release(&supervisor->current);
    release(&supervisor->proven);
    free_list(&supervisor->pending);
}

void snapshots_add_binding(struct supervisor *supervisor, const struct message_binding *binding)
{
    struct endpoint_list *pending = &supervisor->pending;
    if (binding->generation != supervisor->pending_generation)
        pending->count = 0;
    supervisor->pending_generation = binding->generation;
    if (!pending->items)
        pending->items = calloc(ENDPOINTS_MAXIMUM, sizeof(*pending->items));
    if (!pending->items || pending->count == ENDPOINTS_MAXIMUM)
        return;
    pending->items[pending->count++] =
        (struct wanted_endpoint){binding->endpoint, binding->defer_accept};
}

static void proven(struct loop_timer *timer)
{
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, proven_timer);
    copy(&supervisor->current, &supervisor->proven);
    supervisor->poisoned = false;
}

/* Order: sockets before the snapshot that serves them, so that "running" means listening; and
 * the snapshot before the sockets that it no longer serves. */
static void hand_on(struct supervisor *supervisor)
{
    struct message_snapshot message = MESSAGE_OF(SNAPSHOT, struct message_snapshot);
    message.generation = supervisor->current.generation;
    bindings_open(supervisor, &supervisor->current.endpoints);
    supervisor_send(supervisor, PROCESS_PROXY, &message.header, &supervisor->current.fd, 1);
    supervisor_send(supervisor, PROCESS_HEALTH, &message.header, &supervisor->current.fd, 1);
    bindings_close_unwanted(supervisor);
}

void snapshots_adopt(struct supervisor *supervisor,
                     const struct message_snapshot *message,
                     int fd)
{
    uint64_t generation = message->generation;
    release(&supervisor->current);
    supervisor->current.fd = fd;
    supervisor->current.generation = generation;
    supervisor->current.change_id = message->change_id;
    if (supervisor->pending_generation == generation)
        supervisor->current.endpoints = supervisor->pending;
    else
        free_list(&supervisor->pending);
    supervisor->pending = (struct endpoint_list){0};
    supervisor->pending_generation = 0;
    supervisor->current_since_ms = loop_now_ms(supervisor->loop);
    supervisor->current_deaths = 0;
    loop_timer_start(supervisor->loop, &supervisor->proven_timer,
                     supervisor->settings->proven_after_ms, proven);
    hand_on(supervisor);
}

static void report_poison(struct supervisor *supervisor)
{
    char change[UUID_TEXT_SIZE];
    uuid_format(&supervisor->current.change_id, change);
    supervisor_event(supervisor, EVENT_POISON_CONFIG,
                     "the proxy died %u times on configuration %llu (change %s); serving %llu "
                     "again",
                     supervisor->current_deaths,
                     (unsigned long long)supervisor->current.generation, change,
                     (unsigned long long)supervisor->proven.generation);
}

bool snapshots_proxy_died(struct supervisor *supervisor)
{
    uint64_t age_ms = loop_now_ms(supervisor->loop) - supervisor->current_since_ms;
    if (supervisor->proven_timer.active)
        loop_timer_start(supervisor->loop, &supervisor->proven_timer,
                         supervisor->settings->proven_after_ms, proven);
    if (supervisor->current.fd < 0 || age_ms > supervisor->settings->proven_after_ms)
        return false;
    uint32_t limit = supervisor->poisoned ? 1 : POISON_DEATHS;
    supervisor->current_deaths++;
    if (supervisor->current_deaths < limit || supervisor->proven.fd < 0 ||
        supervisor->proven.generation == supervisor->current.generation)
        return false;
    report_poison(supervisor);
    loop_timer_stop(&supervisor->proven_timer);
    if (!copy(&supervisor->proven, &supervisor->current))
        return false;
    supervisor->current_deaths = 0;
    supervisor->poisoned = true;
    hand_on(supervisor);
    return true;
}
