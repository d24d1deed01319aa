#include "tests/sim/replication_world.h"

#include "replication/memory.h"
#include "replication/replication_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t wall_start_ms = 1800000000000ull;

uint64_t world_below(struct world *world, uint64_t bound)
{
    return random_sequence_below(&world->random, bound);
}

void world_fill(struct world *world, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)random_sequence_next(&world->random);
}

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;
    if (world->failure[0])
        return;
    va_start(arguments, format);
    vsnprintf(world->failure, sizeof(world->failure), format, arguments);
    va_end(arguments);
}

void world_trace(struct world *world, const void *data, size_t size)
{
    world->trace = bytes_hash(data, size, world->trace ^ world->now_us);
}

struct core_now world_now_of(const struct world_node *node)
{
    uint64_t mono_us = node->world->now_us;
    int64_t wall = (int64_t)(wall_start_ms + mono_us / 1000) + node->clock_offset_ms +
                   node->world->years_ms;
    return (struct core_now){mono_us, (uint64_t)wall};
}

/* ---- the queue -------------------------------------------------------------------------- */

static bool is_before(const struct world_message *a, const struct world_message *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct world_message *a, struct world_message *b)
{
    struct world_message saved = *a;
    *a = *b;
    *b = saved;
}

static void queue_push(struct world *world, struct world_message message)
{
    message.order = ++world->order;
    world->queue = memory_grow(world->queue, world->queue_count, &world->queue_capacity,
                               sizeof(*world->queue));
    size_t at = world->queue_count++;
    world->queue[at] = message;
    for (; at > 0 && is_before(&world->queue[at], &world->queue[(at - 1) / 2]);
         at = (at - 1) / 2)
        swap(&world->queue[at], &world->queue[(at - 1) / 2]);
}

static struct world_message queue_pop(struct world *world)
{
    struct world_message *queue = world->queue, first = queue[0];
    queue[0] = queue[--world->queue_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < world->queue_count && is_before(&queue[child], &queue[least]))
                least = child;
        if (least == at)
            return first;
        swap(&queue[at], &queue[least]);
        at = least;
    }
}

/* ---- actions ---------------------------------------------------------------------------- */

/* While a copied disk runs, packets for its node reach either of the two. */
static struct world_node *node_of(struct world *world, const struct uuid *id)
{
    struct world_node *copy = &world->nodes[WORLD_COPY];
    if (copy->is_member && uuid_equal(&copy->id, id) && world_below(world, 2) == 0)
        return copy;
    for (unsigned i = 0; i < world->node_count; i++)
        if (uuid_equal(&world->nodes[i].id, id))
            return &world->nodes[i];
    return NULL;
}

/* A packet is signed, so damage on the way loses it. A record is also checked by itself: those
 * arrive damaged, as from a node that means harm. False: lost. */
static bool damage(struct world *world, struct world_message *message)
{
    if (message->type != FRAME_RECORD || message->size == 0)
        return false;
    if (world_below(world, 3) == 0)
        message->size = world_below(world, message->size);
    else
        message->body[world_below(world, message->size)] ^=
            (uint8_t)(1u << world_below(world, 8));
    return true;
}

static void send_once(
    struct world_node *from, struct world_node *to, uint32_t type, struct bytes body, bool bulk)
{
    struct world *world = from->world;
    /* A stream keeps its order: its delay is the same for all. */
    uint64_t delay = bulk ? world->delay_us : 100 + world_below(world, world->delay_us + 1);
    struct world_message message = {
        .at_us = world->now_us + delay,
        .to = to->number,
        .from = from->number,
        .incarnation = from->incarnation,
        .type = type,
        .body = memory_copy(body.data, body.size),
        .size = body.size,
    };
    if (bulk) {
        uint64_t *last = &world->bulk_at_us[from->number][to->number];
        *last = message.at_us = *last > message.at_us ? *last : message.at_us;
    }
    if (!bulk && world_below(world, 100) < world->damage_percent && !damage(world, &message))
        free(message.body);
    else
        queue_push(world, message);
}

void world_send(struct world_node *from,
                const struct uuid *peer,
                uint32_t type,
                struct bytes body,
                bool bulk)
{
    struct world *world = from->world;
    struct world_node *to = node_of(world, peer);
    if (!to || to == from || world->cut[from->number][to->number])
        return;
    if (!bulk && world_below(world, 100) < world->loss_percent)
        return;
    unsigned copies = !bulk && world_below(world, 100) < world->duplicate_percent ? 2 : 1;
    for (unsigned i = 0; i < copies; i++)
        send_once(from, to, type, body, bulk);
}

struct pulled {
    struct world_node *node;
    const struct uuid *peer;
};

static void send_pulled(void *context, struct bytes record)
{
    const struct pulled *pulled = context;
    world_send(pulled->node, pulled->peer, FRAME_RECORD, record, true);
}

static void send_records(struct world_node *node, const struct core_action *action)
{
    struct pulled pulled = {node, &action->peer};
    struct wire_writer end = {0};
    bool more;
    pull_answer(node->store, (struct bytes){action->body, action->body_size},
                core_durable(node->core), send_pulled, &pulled, &more);
    if (!more)
        pull_answer(node->store, (struct bytes){action->body, action->body_size},
                    core_void_openings(node->core), send_pulled, &pulled, &more);
    pull_end(more, action->token, &end);
    if (!more)
        core_put_void_streams(node->core, &end);
    world_send(node, &action->peer, FRAME_PULL_END, wire_written(&end), true);
    wire_writer_free(&end);
}

static void begin_commit(struct world_node *node, struct store_batch *batch)
{
    struct world *world = node->world;
    uint64_t delay = world_below(world, 20) == 0 ? 300000 : 1000 + world_below(world, 8000);
    world_note_records(world, batch);
    node->committing = *batch;
    node->is_committing = true;
    struct bootstrap_view bootstrap;
    if (world->crash_switches && core_bootstrap(node->core, &bootstrap) &&
        world_below(world, 3) == 0)
        node->crash_at_commit = world_below(world, 2) ? CRASH_BEFORE : CRASH_AFTER;
    *batch = (struct store_batch){0};
    queue_push(world, (struct world_message){.at_us = world->now_us + delay,
                                             .to = node->number,
                                             .epoch = node->epoch,
                                             .is_commit = true});
}

void world_pump_later(struct world_node *node)
{
    struct world *world = node->world;
    queue_push(world,
               (struct world_message){.at_us = world->now_us + 500 + world_below(world, 20000),
                                      .to = node->number,
                                      .epoch = node->epoch,
                                      .is_pump = true});
}

static void begin_log_read(struct world_node *node, const struct core_action *action)
{
    queue_push(node->world, (struct world_message){.at_us = node->world->now_us +
                                                            world_below(node->world, 20000),
                                                   .to = node->number,
                                                   .epoch = node->epoch,
                                                   .is_log_read = true,
                                                   .first_row = action->first_row,
                                                   .row_count = action->row_count});
}

static void end_log_read(struct world *world, const struct world_message *message)
{
    struct world_node *node = &world->nodes[message->to];
    struct log_slice slice;
    size_t few = 1 + world_below(world, message->row_count);
    if (log_slice_read(node->store, message->first_row, few, &slice) == 0)
        world_step(world, node,
                   &(struct core_event){.kind = CORE_LOG_ROWS,
                                        .records = slice.records,
                                        .record_count = slice.count,
                                        .log_ended = slice.ended});
    log_slice_free(&slice);
}

static void note_answer(struct world *world, uint64_t token, const struct submit_result *result)
{
    if (token > 0 && token <= world->change_count && result->error.kind == ERROR_NONE)
        world->changes[token - 1].acknowledged = true;
}

static void reload(struct world_node *node)
{
    struct core *core = world_load(node);
    if (!core) {
        world_crash(node->world, node);
        return;
    }
    core_set_storage_problem(core, core_storage_problem(node->core), world_now_of(node));
    world_end_sending(node);
    core_free(node->core);
    node->core = core;
}

static bool perform(struct world_node *node, struct core_action *action)
{
    world_trace(node->world, action->text, strlen(action->text));
    switch (action->kind) {
    case CORE_PERSIST: begin_commit(node, &action->batch); break;
    case CORE_SEND:
        world_send(node, &action->peer, action->frame_type,
                   (struct bytes){action->body, action->body_size}, action->bulk);
        break;
    case CORE_SEND_RECORDS: send_records(node, action); break;
    case CORE_SEND_SNAPSHOT: world_send_snapshot(node, action); break;
    case CORE_STOP_SNAPSHOT: world_stop_snapshot(node, action); break;
    case CORE_COLLECT: world_collect(node, action); break;
    case CORE_ANSWER: note_answer(node->world, action->token, &action->answer); break;
    case CORE_EVENT: node->events[action->code]++; break;
    case CORE_RELOAD: return true;
    case CORE_LEFT: node->left = true; break;
    case CORE_READ_LOG: begin_log_read(node, action); break;
    case CORE_OUTLOOK:
    case CORE_APPLIED:
    case CORE_VERDICT:
    case CORE_VERDICTS_WANTED:
    case CORE_SWITCH_ASKED:
    case CORE_PROBE_ASKED: break;
    }
    return false;
}

void world_step_once(struct world_node *node, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool wants_reload = false;
    core_step(node->core, event, world_now_of(node), &actions);
    for (size_t i = 0; i < actions.count; i++)
        wants_reload |= perform(node, &actions.items[i]);
    core_actions_free(&actions);
    if (wants_reload)
        reload(node);
}

void world_step(struct world *world, struct world_node *node, const struct core_event *event)
{
    uint8_t what[2] = {(uint8_t)node->number, (uint8_t)event->kind};
    world_trace(world, what, sizeof(what));
    world_step_once(node, event);
    if (node->core && (core_wants_stage(node->core) || event->kind == CORE_TICK))
        world_step_once(node, &(struct core_event){.kind = CORE_STAGE});
    world_look_at_key(node);
    if (event->kind == CORE_TICK)
        world_resume_key(node);
    world_check_queues(world, node);
    world_schedule(node);
}

void world_schedule(struct world_node *node)
{
    node->next_tick_us = node->core ? core_next_tick_us(node->core) : UINT64_MAX;
}

bool world_is_up(const struct world_node *node)
{
    return node->core && node->is_member && !node->left;
}

/* ---- time ------------------------------------------------------------------------------- */

static void end_commit(struct world *world, struct world_node *node)
{
    struct core_event event = {.kind = CORE_PERSISTED};
    if (node->crash_at_commit != CRASH_NONE) {
        struct bootstrap_view bootstrap;
        node->switched_unheard |= core_bootstrap(node->core, &bootstrap);
        if (node->crash_at_commit == CRASH_AFTER)
            store_commit(node->store, &node->committing);
        node->is_committing = false; /* world_crash must not decide again */
        node->crash_at_commit = CRASH_NONE;
        world_crash(world, node);
        return;
    }
    event.result = store_commit(node->store, &node->committing);
    store_batch_free(&node->committing);
    node->is_committing = false;
    world_step(world, node, &event);
    if (event.result == 0 && node->core)
        world_check_growth(world, node);
}

/* Whoever runs under an older incarnation than one heard before is not listened to. */
static bool is_outdated(struct world_node *node, const struct world_message *message)
{
    unsigned from = message->from == WORLD_COPY ? WORLD_COPY : message->from;
    for (unsigned i = 0; i < WORLD_PLACES; i++)
        if (uuid_equal(&node->world->nodes[i].id, &node->world->nodes[from].id) &&
            node->heard[i] > message->incarnation)
            return true;
    node->heard[from] = message->incarnation;
    return false;
}

static void deliver(struct world *world, struct world_message *message)
{
    struct world_node *node = &world->nodes[message->to];
    const size_t enough = 64; /* the end of a record is its signature */
    size_t size = message->size < enough ? message->size : enough;
    world_trace(world, message->body + message->size - size, size);
    bool is_own = message->is_commit || message->is_log_read || message->is_pump;
    if (!node->core || (is_own && message->epoch != node->epoch))
        return;
    if (node->paused_until_us > world->now_us) {
        message->at_us = node->paused_until_us;
        queue_push(world, *message);
        message->body = NULL;
        return;
    }
    if (message->is_commit) {
        end_commit(world, node);
        return;
    }
    if (message->is_log_read) {
        end_log_read(world, message);
        return;
    }
    if (message->is_pump) {
        world_pump(node);
        return;
    }
    if (is_outdated(node, message))
        return;
    world_step(world, node,
               &(struct core_event){.kind = CORE_FRAME,
                                    .node = world->nodes[message->from].id,
                                    .frame_type = message->type,
                                    .body = {message->body, message->size}});
}

static uint64_t next_tick(const struct world_node *node)
{
    return node->next_tick_us > node->paused_until_us ? node->next_tick_us
                                                      : node->paused_until_us;
}

static struct world_node *next_ticker(struct world *world)
{
    struct world_node *next = NULL;
    for (unsigned i = 0; i < WORLD_PLACES; i++) {
        struct world_node *node = &world->nodes[i];
        if (node->core && (!next || next_tick(node) < next_tick(next)))
            next = node;
    }
    return next;
}

void world_run(struct world *world, uint64_t duration_us)
{
    uint64_t end = world->now_us + duration_us;
    while (!world->failure[0]) {
        struct world_node *ticker = next_ticker(world);
        uint64_t tick = ticker ? next_tick(ticker) : UINT64_MAX;
        uint64_t message = world->queue_count > 0 ? world->queue[0].at_us : UINT64_MAX;
        uint64_t next = tick < message ? tick : message;
        if (next > end)
            break;
        world->now_us = next > world->now_us ? next : world->now_us + 1;
        if (message <= tick) {
            struct world_message first = queue_pop(world);
            deliver(world, &first);
            free(first.body);
        } else {
            world_step(world, ticker, &(struct core_event){.kind = CORE_TICK});
        }
    }
    if (world->now_us < end)
        world->now_us = end;
}

static bool agree(const struct world *world)
{
    const struct core *first = NULL;
    for (unsigned i = 0; i < world->node_count; i++) {
        const struct world_node *node = &world->nodes[i];
        if (!world_is_up(node))
            continue;
        if (node->is_committing ||
            (first && !vv_equal(core_durable(first), core_durable(node->core))))
            return false;
        first = first ? first : node->core;
    }
    return true;
}

void world_settle(struct world *world, uint64_t limit_us)
{
    const uint64_t second_us = 1000000, quiet_us = 6 * second_us;
    uint64_t end = world->now_us + limit_us, since_us = world->now_us;
    while (world->now_us < end && world->now_us - since_us < quiet_us && !world->failure[0]) {
        world_run(world, second_us);
        if (!agree(world))
            since_us = world->now_us;
    }
}

/* ---- changes ----------------------------------------------------------------------------- */

void world_submit(struct world *world,
                  struct world_node *node,
                  struct change_set *changes,
                  size_t index)
{
    const struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes,
                   .change_id = world->changes[index].id,
                   .author = "sim",
                   .via = "sim",
                   .kind = RECORD_CONFIG,
                   .token = index + 1},
    };
    world_step(world, node, &event);
    change_set_free(changes);
}

/* ---- the world --------------------------------------------------------------------------- */

void world_init(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    random_sequence_init(&world->random, seed);
    world->now_us = 1000000;
    if (world_below(world, 4) > 0)
        world->retention = (struct retention){10000 + world_below(world, 20000),
                                              world_below(world, 4) == 0 ? 5000 : 0};
    /* Small clusters are the common ones, and large ones take long. */
    uint64_t most = world_below(world, 16) == 0 ? WORLD_NODES : 5;
    world->snapshot_after = world_below(world, 3) == 0 ? 1000000 : 3 + world_below(world, 30);
    world_form_cluster(world, 2 + (unsigned)world_below(world, most - 1));
}

static void free_node(struct world_node *node)
{
    world_end_sending(node);
    core_free(node->core);
    store_batch_free(&node->committing);
    store_close(node->store);
    store_close(node->image);
    sign_key_free(node->key);
    sign_key_free(node->other);
    vv_free(&node->persisted);
    vv_free(&node->seen);
}

void world_free(struct world *world)
{
    struct world_record *record;
    for (size_t i = 0; (record = uuid_map_next(&world->records, &i));) {
        free(record->bytes);
        free(record);
    }
    uuid_map_free(&world->records);
    for (unsigned i = 0; i < WORLD_PLACES; i++)
        free_node(&world->nodes[i]);
    for (size_t i = 0; i < world->queue_count; i++)
        free(world->queue[i].body);
    free(world->queue);
    sign_key_free(world->root);
}
