/* Nodes and their cluster: founding, joining, starting, crashing. */
#include "tests/sim/replication_world.h"

#include "lbnode/model/field_table.h"
#include "replication/core_internal.h"
#include "replication/memory.h"
#include "replication/record_set.h"
#include "replication/replication_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct core *world_load(struct world_node *node)
{
    struct error error = {0};
    node->incarnation = ++node->world->last_incarnation;
    const struct core_settings settings = {
        .node_id = node->id,
        .key = node->key,
        .incarnation = node->incarnation,
        .random_seed = random_sequence_next(&node->world->random),
        .snapshot_after = node->world->snapshot_after,
        .retention = node->world->retention,
    };
    struct core *core = core_load(&settings, node->store, world_now_of(node), &error);
    if (!core && !node->has_rot)
        world_fail(node->world, "node %u: %s", node->number, error.text);
    if (core) {
        struct core *before = node->core;
        node->has_rot = false;
        node->core = core;
        world_look_at_key(node);
        node->core = before;
    }
    if (core && !vv_covers(core_vector(core), &node->persisted))
        world_fail(node->world, "node %u lost something that was on its disk", node->number);
    return core;
}

void world_start(struct world *world, struct world_node *node)
{
    if (node->core || !node->is_member)
        return;
    node->epoch++;
    node->paused_until_us = 0;
    node->known_us = 0;
    node->core = world_load(node);
    if (!node->core && node->has_rot)
        world_quarantine(node);
    world_schedule(node);
}

void world_crash(struct world *world, struct world_node *node)
{
    if (!node->core)
        return;
    struct bootstrap_view bootstrap;
    node->switched_unheard |= node->is_committing && core_bootstrap(node->core, &bootstrap);
    if (node->is_committing && world_below(world, 2) == 0)
        store_commit(node->store, &node->committing);
    store_batch_free(&node->committing);
    node->is_committing = false;
    world_end_sending(node);
    core_free(node->core);
    node->core = NULL;
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

/* What is left of a truncated log has no order in which it could be applied. */
static struct core *install(struct world_node *node, struct store *from, struct store *to)
{
    struct record_set set = {0};
    struct error error = {0};
    size_t applied = 0;
    const struct core_settings settings = {.node_id = node->id, .key = node->key};
    record_set_read(&set, from);
    record_set_sort(&set);
    if (!record_set_is_complete(&set))
        world_fail(node->world, "node %u: its log lacks a record", node->number);
    struct core *core =
        record_set_replay(&set, &settings, to, world_now_of(node), &applied, &error);
    if (!core || applied != set.count)
        world_fail(node->world, "node %u: %zu of %zu records applied %s", node->number, applied,
                   set.count, error.text);
    record_set_free(&set);
    return core;
}

static bool is_truncated(const struct core *core)
{
    return !core_can_answer(core, &(struct vv){0});
}

static void know_void(void *context, uint64_t stream, struct bytes row)
{
    core_know_void(context, stream, row);
}

struct core *world_replay(struct world *world, struct world_node *node)
{
    struct log_copy log = {0};
    struct store *empty = store_mem_open();
    struct error error;
    if (is_truncated(node->core)) {
        struct core *installed = install(node, node->store, empty);
        store_close(empty);
        return installed;
    }
    const struct core_settings settings = {.node_id = node->id, .key = node->key};
    struct core *core = core_load(&settings, empty, world_now_of(node), &error);
    core_found(core, core_genesis(node->core));
    core_visit_streams(node->core, know_void, core);
    store_walk(node->store, STORE_LOG, (struct bytes){0}, copy_record, &log);
    for (size_t i = log.count; i > 1; i--) {
        size_t k = world_below(world, i);
        struct bytes saved = log.records[i - 1];
        log.records[i - 1] = log.records[k];
        log.records[k] = saved;
    }
    /* Early ones that are refused (their signer not yet known) come again. */
    for (int round = 0; round < 60 && !vv_equal(core_durable(core), core_durable(node->core));
         round++)
        for (size_t i = 0; i < log.count; i++)
            feed_record(core, world_now_of(node), log.records[i]);
    for (size_t i = 0; i < log.count; i++)
        free((void *)(uintptr_t)log.records[i].data);
    free(log.records);
    store_close(empty);
    return core;
}

/* ---- the cluster ------------------------------------------------------------------------ */

static void plan_member(const struct world_node *node, struct change_set *changes)
{
    struct text_list addresses = {0};
    char name[16];
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    snprintf(name, sizeof(name), "lb%u", node->number + 1);
    const struct node_facts facts = {
        .id = node->id,
        .name = name,
        .public_key = sign_key_public(node->key),
        .addresses = &addresses,
    };
    if (!membership_plan_node(NULL, &facts, changes))
        world_fail(node->world, "no node record");
    text_list_free(&addresses);
}

static void commit_now(struct world_node *node, const struct core_event *event)
{
    struct core_actions actions = {0};
    core_step(node->core, event, world_now_of(node), &actions);
    core_step(node->core, &(struct core_event){.kind = CORE_STAGE}, world_now_of(node),
              &actions);
    for (size_t i = 0; i < actions.count; i++)
        if (actions.items[i].kind == CORE_PERSIST) {
            world_note_records(node->world, &actions.items[i].batch);
            store_commit(node->store, &actions.items[i].batch);
        }
    core_step(node->core, &(struct core_event){.kind = CORE_PERSISTED}, world_now_of(node),
              &actions);
    core_actions_free(&actions);
}

static void put_genesis(struct world_node *node, const struct wire_writer *genesis_bytes)
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

struct copying {
    struct world_node *to;
    size_t count;
};

static void copy_one(void *context, struct bytes record)
{
    struct copying *copying = context;
    commit_now(copying->to, &(struct core_event){.kind = CORE_RECORD, .body = record});
    copying->count++;
}

/* TO is empty: it gets the state of FROM. */
static void copy_state(struct world_node *from, struct world_node *to)
{
    store_close(to->store);
    core_free(to->core);
    to->store = store_mem_open();
    core_free(install(to, from->store, to->store));
    to->core = to->world->failure[0] ? NULL : world_load(to);
    world_schedule(to);
}

void world_copy_log(struct world_node *from, struct world_node *to)
{
    if (is_truncated(from->core)) {
        copy_state(from, to);
        return;
    }
    struct copying copying = {to, 0};
    bool more = true;
    while (more && !to->world->failure[0]) {
        struct wire_writer have = {0};
        size_t before = copying.count;
        vv_put(&have, 1, core_vector(to->core));
        if (pull_answer(from->store, wire_written(&have), core_durable(from->core), copy_one,
                        &copying, &more) ||
            copying.count == before)
            more = false;
        wire_writer_free(&have);
    }
}

void world_adopt_genesis(struct world_node *node, const struct world_node *other)
{
    struct wire_writer genesis = {0};
    if (store_get(other->store, STORE_META, (struct bytes){(const uint8_t *)"g", 1}, &genesis))
        world_fail(node->world, "no genesis to copy");
    else
        put_genesis(node, &genesis);
    wire_writer_free(&genesis);
}

static void make_node(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];
    uint8_t seed[SIGN_SEED_SIZE];
    node->world = world;
    node->number = number;
    world_fill(world, node->id.bytes, sizeof(node->id.bytes));
    world_fill(world, seed, sizeof(seed));
    node->key = sign_key_from_seed(seed);
    node->store = store_mem_open();
    node->is_member = true;
    world_start(world, node);
}

static void found(struct world *world)
{
    struct wire_writer genesis = {0};
    uint8_t seed[SIGN_SEED_SIZE];
    world_fill(world, seed, sizeof(seed));
    world->root = sign_key_from_seed(seed);
    struct world_node *first = &world->nodes[0];
    genesis_build(world->root, "sim", 1800000000000ull, &first->id, sign_key_public(first->key),
                  &genesis);
    put_genesis(first, &genesis);
    wire_writer_free(&genesis);
}

void world_form_cluster(struct world *world, unsigned node_count)
{
    struct change_set changes = {0};
    world->node_count = node_count;
    for (unsigned i = 0; i < node_count; i++)
        make_node(world, i);
    world->nodes[WORLD_COPY].world = world;
    world->nodes[WORLD_COPY].number = WORLD_COPY;
    found(world);
    for (unsigned i = 0; i < node_count; i++)
        plan_member(&world->nodes[i], &changes);
    struct core_event event = {.kind = CORE_SUBMIT,
                               .submit = {.changes = &changes, .kind = RECORD_ROSTER}};
    world_fill(world, event.submit.change_id.bytes, 16);
    commit_now(&world->nodes[0], &event);
    change_set_free(&changes);
    for (unsigned i = 1; i < node_count; i++) {
        world_adopt_genesis(&world->nodes[i], &world->nodes[0]);
        world_copy_log(&world->nodes[0], &world->nodes[i]);
    }
}

struct world_node *world_join(struct world *world, struct world_node *inviter)
{
    struct change_set changes = {0};
    if (!world_is_up(inviter) || inviter->number == WORLD_COPY || inviter->has_rot ||
        world->node_count == WORLD_NODES || world->nodes[WORLD_COPY].is_member ||
        !world_join_is_known(world) || world_has_rot(world) || world_lacks_key(inviter))
        return NULL;
    world_forget_images(world);
    struct world_node *node = &world->nodes[world->node_count];
    make_node(world, world->node_count++);
    plan_member(node, &changes);
    struct core_event event = {.kind = CORE_SUBMIT,
                               .submit = {.changes = &changes, .kind = RECORD_ROSTER}};
    world_fill(world, event.submit.change_id.bytes, 16);
    world->last_join = event.submit.change_id;
    world_step(world, inviter, &event);
    change_set_free(&changes);
    world_run(world, 1000000);
    const struct roster_node *known =
        inviter->core ? roster_find(core_roster(inviter->core), &node->id) : NULL;
    if (known && inviter->core && !inviter->is_committing &&
        core_durable(inviter->core)->count > 0 &&
        vv_equal(core_durable(inviter->core), core_vector(inviter->core))) {
        world_adopt_genesis(node, inviter);
        world_copy_state(inviter, node);
        return node;
    }
    world_crash(world, node); /* the join broke off; the roster may name it for ever */
    node->is_member = false;
    world->last_join = (struct uuid){0};
    return NULL;
}
