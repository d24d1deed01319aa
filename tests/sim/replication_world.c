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

static void fill_random(struct world *world, uint8_t *out, size_t size)
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

static void trace(struct world *world, const void *data, size_t size)
{
    world->trace = bytes_hash(data, size, world->trace ^ world->now_us);
}

static struct core_now now_of(const struct world_node *node)
{
    uint64_t mono_us = node->world->now_us;
    int64_t wall = (int64_t)(wall_start_ms + mono_us / 1000) + node->clock_offset_ms;
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

static struct world_node *node_of(struct world *world, const struct uuid *id)
{
    for (unsigned i = 0; i < world->node_count; i++)
        if (uuid_equal(&world->nodes[i].id, id))
            return &world->nodes[i];
    return NULL;
}

static void send_frame(struct world_node *from,
                       const struct uuid *peer,
                       uint32_t type,
                       struct bytes body,
                       bool bulk)
{
    struct world *world = from->world;
    struct world_node *to = node_of(world, peer);
    if (!to || world->cut[from->number][to->number])
        return;
    if (!bulk && world_below(world, 100) < world->loss_percent)
        return;
    unsigned copies = !bulk && world_below(world, 100) < world->duplicate_percent ? 2 : 1;
    for (unsigned i = 0; i < copies; i++) {
        /* A stream keeps its order: its delay is the same for all. */
        uint64_t delay = bulk ? world->delay_us : 100 + world_below(world, world->delay_us + 1);
        queue_push(world, (struct world_message){
                              .at_us = world->now_us + delay,
                              .to = to->number,
                              .from = from->number,
                              .type = type,
                              .body = memory_copy(body.data, body.size),
                              .size = body.size,
                          });
    }
}

struct pulled {
    struct world_node *node;
    const struct uuid *peer;
};

static void send_pulled(void *context, struct bytes record)
{
    const struct pulled *pulled = context;
    send_frame(pulled->node, pulled->peer, FRAME_RECORD, record, true);
}

static void send_records(struct world_node *node, const struct core_action *action)
{
    struct pulled pulled = {node, &action->peer};
    struct wire_writer end = {0};
    bool more;
    pull_answer(node->store, (struct bytes){action->body, action->body_size},
                core_durable(node->core), send_pulled, &pulled, &more);
    wire_put_varint(&end, 1, more);
    send_frame(node, &action->peer, FRAME_PULL_END, wire_written(&end), true);
    wire_writer_free(&end);
}

/* No two records ever share a number: stream and seq are used once, or the bytes are equal. */
static void check_records(struct world *world, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_op *op = &batch->ops[i];
        struct uuid key;
        if (op->table != STORE_LOG)
            continue;
        memcpy(key.bytes, op->key, 16);
        uint64_t hash = bytes_hash(op->value, op->value_size, 1);
        uint64_t *known = uuid_map_get(&world->records, &key);
        if (!known) {
            known = memory_new(sizeof(*known));
            *known = hash;
            uuid_map_set(&world->records, &key, known);
        } else if (*known != hash) {
            world_fail(world, "a (stream, seq) was used twice");
        }
    }
}

static void begin_commit(struct world_node *node, struct store_batch *batch)
{
    struct world *world = node->world;
    uint64_t delay = world_below(world, 20) == 0 ? 300000 : 1000 + world_below(world, 8000);
    check_records(world, batch);
    node->committing = *batch;
    node->is_committing = true;
    *batch = (struct store_batch){0};
    queue_push(world, (struct world_message){.at_us = world->now_us + delay,
                                             .to = node->number,
                                             .epoch = node->epoch,
                                             .is_commit = true});
}

static void note_answer(struct world *world, uint64_t token, const struct submit_result *result)
{
    if (token > 0 && token <= world->change_count && result->error.kind == ERROR_NONE)
        world->changes[token - 1].acknowledged = true;
}

static struct core *load(struct world_node *node)
{
    struct error error;
    const struct core_settings settings = {
        .node_id = node->id,
        .key = node->key,
        .incarnation = ++node->incarnation,
        .random_seed = random_sequence_next(&node->world->random),
    };
    struct core *core = core_load(&settings, node->store, now_of(node), &error);
    if (!core) {
        world_fail(node->world, "node %u: %s", node->number, error.text);
        return NULL;
    }
    if (!vv_covers(core_vector(core), &node->persisted))
        world_fail(node->world, "node %u lost something that was on its disk", node->number);
    return core;
}

static void reload(struct world_node *node)
{
    struct core *core = load(node);
    if (!core)
        return;
    core_set_storage_problem(core, core_storage_problem(node->core), now_of(node));
    core_free(node->core);
    node->core = core;
}

static bool perform(struct world_node *node, struct core_action *action)
{
    trace(node->world, action->text, strlen(action->text));
    switch (action->kind) {
    case CORE_PERSIST: begin_commit(node, &action->batch); break;
    case CORE_SEND:
        send_frame(node, &action->peer, action->frame_type,
                   (struct bytes){action->body, action->body_size}, action->bulk);
        break;
    case CORE_SEND_RECORDS: send_records(node, action); break;
    case CORE_ANSWER: note_answer(node->world, action->token, &action->answer); break;
    case CORE_EVENT: node->events[action->code]++; break;
    case CORE_RELOAD: return true;
    case CORE_LEFT: node->left = true; break;
    case CORE_APPLIED:
    case CORE_VERDICT: break;
    }
    return false;
}

static void step_once(struct world_node *node, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool wants_reload = false;
    core_step(node->core, event, now_of(node), &actions);
    for (size_t i = 0; i < actions.count; i++)
        wants_reload |= perform(node, &actions.items[i]);
    core_actions_free(&actions);
    if (wants_reload)
        reload(node);
}

void world_step(struct world *world, struct world_node *node, const struct core_event *event)
{
    uint8_t what[2] = {(uint8_t)node->number, (uint8_t)event->kind};
    trace(world, what, sizeof(what));
    step_once(node, event);
    if (core_wants_stage(node->core) || event->kind == CORE_TICK)
        step_once(node, &(struct core_event){.kind = CORE_STAGE});
}

/* ---- time ------------------------------------------------------------------------------- */

static void end_commit(struct world *world, struct world_node *node)
{
    struct core_event event = {.kind = CORE_PERSISTED};
    struct vv durable = {0};
    event.result = store_commit(node->store, &node->committing);
    store_batch_free(&node->committing);
    node->is_committing = false;
    world_step(world, node, &event);
    if (event.result == 0) {
        vv_copy(&durable, core_durable(node->core));
        vv_merge(&node->persisted, &durable);
    }
    vv_free(&durable);
}

static void deliver(struct world *world, const struct world_message *message)
{
    struct world_node *node = &world->nodes[message->to];
    trace(world, message->body, message->size);
    if (!node->core || (message->is_commit && message->epoch != node->epoch))
        return;
    if (message->is_commit) {
        end_commit(world, node);
        return;
    }
    world_step(world, node,
               &(struct core_event){.kind = CORE_FRAME,
                                    .node = world->nodes[message->from].id,
                                    .frame_type = message->type,
                                    .body = {message->body, message->size}});
}

static struct world_node *next_ticker(struct world *world)
{
    struct world_node *next = NULL;
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        if (node->core &&
            (!next || core_next_tick_us(node->core) < core_next_tick_us(next->core)))
            next = node;
    }
    return next;
}

void world_run(struct world *world, uint64_t duration_us)
{
    uint64_t end = world->now_us + duration_us;
    while (!world->failure[0]) {
        struct world_node *ticker = next_ticker(world);
        uint64_t tick = ticker ? core_next_tick_us(ticker->core) : UINT64_MAX;
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

/* ---- nodes ------------------------------------------------------------------------------ */

void world_start(struct world *world, struct world_node *node)
{
    if (node->core)
        return;
    node->epoch++;
    node->core = load(node);
}

void world_crash(struct world *world, struct world_node *node)
{
    if (!node->core)
        return;
    if (node->is_committing && world_below(world, 2) == 0)
        store_commit(node->store, &node->committing);
    store_batch_free(&node->committing);
    node->is_committing = false;
    core_free(node->core);
    node->core = NULL;
}

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

/* ---- replaying a log -------------------------------------------------------------------- */

struct log_copy {
    struct bytes *records;
    size_t count, capacity;
};

static bool copy_record(void *context, struct bytes key, struct bytes value)
{
    struct log_copy *log = context;
    log->records = memory_grow(log->records, log->count, &log->capacity, sizeof(*log->records));
    log->records[log->count++] =
        (struct bytes){memory_copy(value.data, value.size), value.size};
    return true;
}

static void feed(struct core *core, struct core_now now, const struct core_event *event)
{
    struct core_actions actions = {0};
    core_step(core, event, now, &actions);
    core_actions_free(&actions);
}

static void feed_record(struct core *core, struct core_now now, struct bytes record)
{
    feed(core, now, &(struct core_event){.kind = CORE_RECORD, .body = record});
    feed(core, now, &(struct core_event){.kind = CORE_STAGE});
    feed(core, now, &(struct core_event){.kind = CORE_PERSISTED});
}

struct core *world_replay(struct world *world, struct world_node *node)
{
    struct log_copy log = {0};
    struct store *empty = store_mem_open();
    struct error error;
    const struct core_settings settings = {.node_id = node->id, .key = node->key};
    struct core *core = core_load(&settings, empty, now_of(node), &error);
    core_found(core, core_genesis(node->core));
    store_walk(node->store, STORE_LOG, (struct bytes){0}, copy_record, &log);
    for (size_t i = log.count; i > 1; i--) {
        size_t k = world_below(world, i);
        struct bytes saved = log.records[i - 1];
        log.records[i - 1] = log.records[k];
        log.records[k] = saved;
    }
    /* Early ones that are refused (their signer not yet known) come again. */
    for (int round = 0; round < 60 && !vv_equal(core_vector(core), core_vector(node->core));
         round++)
        for (size_t i = 0; i < log.count; i++)
            feed_record(core, now_of(node), log.records[i]);
    for (size_t i = 0; i < log.count; i++)
        free((void *)(uintptr_t)log.records[i].data);
    free(log.records);
    store_close(empty);
    return core;
}

/* ---- the cluster ------------------------------------------------------------------------ */

static void plan_members(struct world *world, struct change_set *changes)
{
    struct text_list addresses = {0};
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    for (unsigned i = 0; i < world->node_count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "lb%u", i + 1);
        const struct node_facts facts = {
            .id = world->nodes[i].id,
            .name = name,
            .public_key = sign_key_public(world->nodes[i].key),
            .addresses = &addresses,
        };
        if (!membership_plan_node(NULL, &facts, changes))
            world_fail(world, "no node record");
    }
    text_list_free(&addresses);
}

static void commit_now(struct world_node *node, const struct core_event *event)
{
    struct core_actions actions = {0};
    core_step(node->core, event, now_of(node), &actions);
    core_step(node->core, &(struct core_event){.kind = CORE_STAGE}, now_of(node), &actions);
    for (size_t i = 0; i < actions.count; i++)
        if (actions.items[i].kind == CORE_PERSIST)
            store_commit(node->store, &actions.items[i].batch);
    core_step(node->core, &(struct core_event){.kind = CORE_PERSISTED}, now_of(node), &actions);
    core_actions_free(&actions);
}

static void found(struct world_node *node, const struct wire_writer *genesis_bytes)
{
    struct genesis genesis;
    struct store_batch batch = {0};
    store_batch_put(&batch, STORE_META, (struct bytes){(const uint8_t *)"g", 1},
                    wire_written(genesis_bytes));
    store_commit(node->store, &batch);
    store_batch_free(&batch);
    genesis_parse(wire_written(genesis_bytes), &genesis);
    core_found(node->core, &genesis);
}

static void copy_to_others(void *context, struct bytes record)
{
    struct world *world = context;
    for (unsigned i = 1; i < world->node_count; i++)
        commit_now(&world->nodes[i], &(struct core_event){.kind = CORE_RECORD, .body = record});
}

static void form_cluster(struct world *world)
{
    struct wire_writer genesis = {0};
    struct change_set changes = {0};
    uint8_t seed[SIGN_SEED_SIZE];
    bool more;
    fill_random(world, seed, sizeof(seed));
    struct sign_key *root = sign_key_from_seed(seed);
    struct world_node *first = &world->nodes[0];
    genesis_build(root, "sim", wall_start_ms, &first->id, sign_key_public(first->key),
                  &genesis);
    sign_key_free(root);
    for (unsigned i = 0; i < world->node_count; i++)
        found(&world->nodes[i], &genesis);
    wire_writer_free(&genesis);
    plan_members(world, &changes);
    struct core_event event = {.kind = CORE_SUBMIT,
                               .submit = {.changes = &changes, .kind = RECORD_ROSTER}};
    fill_random(world, event.submit.change_id.bytes, 16);
    commit_now(first, &event);
    change_set_free(&changes);
    pull_answer(first->store, (struct bytes){0}, core_durable(first->core), copy_to_others,
                world, &more);
}

void world_init(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    random_sequence_init(&world->random, seed);
    world->now_us = 1000000;
    world->node_count = 2 + (unsigned)world_below(world, WORLD_NODES - 1);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        uint8_t key_seed[SIGN_SEED_SIZE];
        node->world = world;
        node->number = i;
        fill_random(world, node->id.bytes, sizeof(node->id.bytes));
        fill_random(world, key_seed, sizeof(key_seed));
        node->key = sign_key_from_seed(key_seed);
        node->store = store_mem_open();
        world_start(world, node);
    }
    form_cluster(world);
}

void world_free(struct world *world)
{
    uint64_t *hash;
    for (size_t i = 0; (hash = uuid_map_next(&world->records, &i));)
        free(hash);
    uuid_map_free(&world->records);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        core_free(node->core);
        store_batch_free(&node->committing);
        store_close(node->store);
        sign_key_free(node->key);
        vv_free(&node->persisted);
    }
    for (size_t i = 0; i < world->queue_count; i++)
        free(world->queue[i].body);
    free(world->queue);
}
