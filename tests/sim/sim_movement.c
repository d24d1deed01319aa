/* How long a change takes until it is on the disk of every node, in virtual time: clusters of
 * up to 50 nodes over a network that loses packets, against the bars of replication.md 19.
 *
 *   sim_movement [--changes 1000] [--seed 1]   exit 1 when a bar is missed
 *
 * A frame takes 0.2 to 0.4 ms, a commit 1 to 2 ms, a configuration swap 1 ms. Pulls are never
 * answered, so that pushes, acknowledgements and resends are all there is. */
#include "lbnode/base/parse_number.h"
#include "lbnode/base/random.h"
#include "replication/core.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 50,
    LOSSES = 4,
    SWAP_US = 1000
};

static const unsigned losses[LOSSES] = {0, 1, 10, 30}; /* percent */
/* The 99th percentile in ms, for each loss. */
static const struct bars {
    unsigned nodes, limit_ms[LOSSES];
} all_bars[] = {
    {2, {15, 45, 100, 300}},
    {3, {15, 45, 70, 200}},
    {10, {20, 50, 80, 200}},
    {50, {25, 55, 120, 350}},
};

struct due {
    uint64_t at_us, position;
    enum core_event_kind kind; /* FRAME, PERSISTED or RUNNING */
    unsigned node, from;
    uint32_t type;
    uint8_t *body;
    size_t size;
};

struct node_state {
    struct store *store;
    struct sign_key *key;
    struct core *core;
    struct store_batch committing;
    uint64_t tick_us;
};

struct net {
    struct node_state nodes[NODES];
    unsigned count, loss;
    struct random_sequence random;
    uint64_t now_us;
    struct due *due;
    size_t due_count, due_capacity;
    uint64_t changes, frames;
    struct bytes first; /* the record that founded the cluster */
};

static struct uuid id_of(unsigned node)
{
    return (struct uuid){{(uint8_t)(node + 1)}};
}

/* ---- what the cores want ---------------------------------------------------------------- */

static void add_due(struct net *net, struct due due)
{
    net->due = memory_grow(net->due, net->due_count, &net->due_capacity, sizeof(*net->due));
    net->due[net->due_count++] = due;
}

static void transmit(struct net *net, unsigned from, struct core_action *action)
{
    net->frames++;
    if (random_sequence_below(&net->random, 100) < net->loss)
        return;
    add_due(net,
            (struct due){.at_us = net->now_us + 200 + random_sequence_below(&net->random, 200),
                         .kind = CORE_FRAME,
                         .node = action->peer.bytes[0] - 1u,
                         .from = from,
                         .type = action->frame_type,
                         .body = action->body,
                         .size = action->body_size});
    action->body = NULL;
}

static void keep_first(struct net *net, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->count && !net->first.data; i++)
        if (batch->ops[i].table == STORE_LOG)
            net->first =
                (struct bytes){memory_copy(batch->ops[i].value, batch->ops[i].value_size),
                               batch->ops[i].value_size};
}

static void perform(struct net *net, unsigned node, struct core_action *action)
{
    if (action->kind == CORE_SEND)
        transmit(net, node, action);
    if (action->kind == CORE_APPLIED)
        add_due(net, (struct due){.at_us = net->now_us + SWAP_US,
                                  .kind = CORE_RUNNING,
                                  .node = node,
                                  .position = action->position});
    if (action->kind != CORE_PERSIST)
        return;
    keep_first(net, &action->batch);
    net->nodes[node].committing = action->batch;
    action->batch = (struct store_batch){0};
    add_due(net, (struct due){.at_us = net->now_us + 1000 +
                                       random_sequence_below(&net->random, 1000),
                              .kind = CORE_PERSISTED,
                              .node = node});
}

static void step_once(struct net *net, unsigned node, const struct core_event *event)
{
    struct core_actions actions = {0};
    core_step(net->nodes[node].core, event,
              (struct core_now){net->now_us, 1800000000000 + net->now_us / 1000}, &actions);
    for (size_t i = 0; i < actions.count; i++)
        perform(net, node, &actions.items[i]);
    core_actions_free(&actions);
}

static void step(struct net *net, unsigned node, const struct core_event *event)
{
    struct node_state *state = &net->nodes[node];
    step_once(net, node, event);
    if (event->kind == CORE_TICK || core_wants_stage(state->core))
        step_once(net, node, &(struct core_event){.kind = CORE_STAGE});
    state->tick_us = core_next_tick_us(state->core);
}

/* ---- time ------------------------------------------------------------------------------- */

static void happen(struct net *net, struct due *due)
{
    struct node_state *state = &net->nodes[due->node];
    struct core_event event = {.kind = due->kind,
                               .node = id_of(due->from),
                               .frame_type = due->type,
                               .body = {due->body, due->size},
                               .position = due->position};
    if (due->kind == CORE_PERSISTED) {
        event.result = store_commit(state->store, &state->committing);
        store_batch_free(&state->committing);
    }
    step(net, due->node, &event);
    free(due->body);
}

/* The next thing that happens, at the latest at END_US. */
static void advance(struct net *net, uint64_t end_us)
{
    size_t first = net->due_count;
    unsigned ticker = net->count;
    uint64_t next_us = end_us;
    for (size_t i = 0; i < net->due_count; i++)
        if (net->due[i].at_us < next_us) {
            next_us = net->due[i].at_us;
            first = i;
        }
    for (unsigned node = 0; node < net->count; node++)
        if (net->nodes[node].tick_us < next_us) {
            next_us = net->nodes[node].tick_us;
            ticker = node;
        }
    net->now_us = next_us > net->now_us ? next_us : net->now_us + 1;
    if (ticker < net->count) {
        step(net, ticker, &(struct core_event){.kind = CORE_TICK});
    } else if (first < net->due_count) {
        struct due due = net->due[first];
        net->due[first] = net->due[--net->due_count];
        happen(net, &due);
    }
}

static void run(struct net *net, uint64_t duration_us)
{
    uint64_t end_us = net->now_us + duration_us;
    while (net->now_us < end_us)
        advance(net, end_us);
}

/* ---- the cluster ------------------------------------------------------------------------ */

static void submit(struct net *net, unsigned node, const struct change_set *changes)
{
    struct core_event event = {.kind = CORE_SUBMIT,
                               .submit = {.changes = changes, .kind = RECORD_ROSTER}};
    store_be64(event.submit.change_id.bytes, ++net->changes);
    step(net, node, &event);
}

static void found(struct net *net)
{
    struct text_list addresses = {0};
    struct change_set changes = {0};
    char name[16];
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    for (unsigned node = 0; node < net->count; node++) {
        snprintf(name, sizeof(name), "lb%u", node + 1);
        const struct node_facts facts = {.id = id_of(node),
                                         .name = name,
                                         .public_key = sign_key_public(net->nodes[node].key),
                                         .addresses = &addresses};
        membership_plan_node(NULL, &facts, &changes);
    }
    submit(net, 0, &changes);
    run(net, 5000);
    for (unsigned node = 1; node < net->count; node++)
        step(net, node, &(struct core_event){.kind = CORE_RECORD, .body = net->first});
    change_set_free(&changes);
    text_list_free(&addresses);
    run(net, 5000000);
}

static void start(struct net *net, uint64_t seed)
{
    uint8_t key_seed[SIGN_SEED_SIZE] = {1};
    struct genesis genesis = {.first_node = id_of(0), .cluster_id = {{7}}};
    struct error error;
    random_sequence_init(&net->random, seed);
    net->now_us = 1000000;
    for (unsigned node = 0; node < net->count; node++) {
        struct node_state *state = &net->nodes[node];
        key_seed[1] = (uint8_t)node;
        state->key = sign_key_from_seed(key_seed);
        state->store = store_mem_open();
        if (node == 0)
            memcpy(genesis.first_key, sign_key_public(state->key), SIGN_PUBLIC_KEY_SIZE);
        const struct core_settings settings = {.node_id = id_of(node),
                                               .key = state->key,
                                               .incarnation = 1,
                                               .random_seed = seed + node};
        state->core = core_load(&settings, state->store,
                                (struct core_now){net->now_us, 1800000000000}, &error);
        core_found(state->core, &genesis);
        state->tick_us = core_next_tick_us(state->core);
    }
    found(net);
}

static void stop(struct net *net)
{
    for (unsigned node = 0; node < net->count; node++) {
        struct node_state *state = &net->nodes[node];
        core_free(state->core);
        store_batch_free(&state->committing);
        store_close(state->store);
        sign_key_free(state->key);
    }
    for (size_t i = 0; i < net->due_count; i++)
        free(net->due[i].body);
    free(net->due);
    free((void *)(uintptr_t)net->first.data);
}

/* ---- measuring -------------------------------------------------------------------------- */

static bool is_everywhere(const struct net *net)
{
    const struct vv *first = core_durable(net->nodes[0].core);
    for (unsigned node = 1; node < net->count; node++)
        if (!vv_equal(core_durable(net->nodes[node].core), first))
            return false;
    return true;
}

/* Milliseconds until a change of some node is on every disk. */
static double measure(struct net *net)
{
    struct change_set changes = {0};
    const struct uuid object = {{0x0b}}, none = {0};
    uint8_t value = (uint8_t)net->changes;
    unsigned node = (unsigned)random_sequence_below(&net->random, net->count);
    uint64_t start_us = net->now_us, limit_us = start_us + 60000000;
    uint64_t position = core_position(net->nodes[node].core);
    change_set_add(&changes, &object, &none, 5, 10, (struct bytes){&value, 1});
    submit(net, node, &changes);
    change_set_free(&changes);
    while (core_position(net->nodes[node].core) == position ||
           (!is_everywhere(net) && net->now_us < limit_us))
        advance(net, limit_us);
    double took_ms = (double)(net->now_us - start_us) / 1000;
    run(net, 20000 + random_sequence_below(&net->random, 40000));
    while (!is_everywhere(net) && net->now_us < limit_us)
        advance(net, limit_us);
    return took_ms;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool run_one(const struct bars *bars, unsigned which, uint64_t changes, uint64_t seed)
{
    struct net *net = memory_new(sizeof(*net));
    double *took_ms = memory_new(changes * sizeof(*took_ms));
    net->count = bars->nodes;
    start(net, seed);
    net->loss = losses[which];
    uint64_t before = net->frames;
    for (uint64_t i = 0; i < changes; i++)
        took_ms[i] = measure(net);
    qsort(took_ms, changes, sizeof(*took_ms), compare);
    double p99 = took_ms[(changes * 99 + 99) / 100 - 1];
    bool good = p99 <= bars->limit_ms[which];
    printf(
        "%2u nodes, %2u %% loss: p50 %5.1f ms, p99 %5.1f ms (bar %3u%s), worst %5.1f ms, %.1f "
        "frames per change and node\n",
        bars->nodes, losses[which], took_ms[changes / 2], p99, bars->limit_ms[which],
        good ? "" : ": MISSED", took_ms[changes - 1],
        (double)(net->frames - before) / (double)changes / bars->nodes);
    fflush(stdout);
    stop(net);
    free(net);
    free(took_ms);
    return good;
}

int main(int argc, char **argv)
{
    int64_t changes = 1000, seed = 1;
    bool good = true;
    crypto_start();
    for (int i = 1; i + 1 < argc; i += 2) {
        int64_t *target = strcmp(argv[i], "--changes") == 0 ? &changes
                          : strcmp(argv[i], "--seed") == 0  ? &seed
                                                            : NULL;
        if (!target || !parse_integer(argv[i + 1], 1, 1000000, target)) {
            fprintf(stderr, "usage: sim_movement [--changes COUNT] [--seed SEED]\n");
            return 2;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(all_bars); i++)
        for (unsigned which = 0; which < LOSSES; which++)
            good &= run_one(&all_bars[i], which, (uint64_t)changes, (uint64_t)seed);
    return good ? 0 : 1;
}
