/* A whole snapshot, part after part, through the decoder and the state machine that takes it,
 * up to the switch. Input: frames (type, length, body). 0 is the genesis, whose first node
 * sends; 3 a record that this node has already; the others come from the sender. */
#include "replication/core_internal.h"
#include "replication/packet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct machine {
    struct store *store;
    struct sign_key *key;
    struct core *core;
    struct uuid sender;
    struct core_now now;
};

static void step(struct machine *machine, const struct core_event *event);

static void perform(struct machine *machine, struct core_action *action)
{
    if (action->kind == CORE_PERSIST) {
        struct core_event event = {.kind = CORE_PERSISTED};
        event.result = store_commit(machine->store, &action->batch);
        step(machine, &event);
    } else if (action->kind == CORE_COLLECT) {
        step(machine, &(struct core_event){.kind = CORE_KEPT_END});
    }
}

static void step(struct machine *machine, const struct core_event *event)
{
    struct core_actions actions = {0};
    core_step(machine->core, event, machine->now, &actions);
    for (size_t i = 0; i < actions.count; i++)
        perform(machine, &actions.items[i]);
    core_actions_free(&actions);
}

static void found(struct machine *machine, struct bytes body)
{
    struct genesis genesis;
    if (core_is_initialised(machine->core) || !genesis_parse(body, &genesis))
        return;
    core_found(machine->core, &genesis);
    machine->sender = genesis.first_node;
}

static void take(struct machine *machine, uint32_t type, struct bytes body)
{
    struct peer *peer = core_peer(machine->core, &machine->sender);
    if (type == 0) {
        found(machine, body);
        return;
    }
    machine->now.mono_us += 1000;
    if (peer) /* it was asked for */
        peer->pulled_us = machine->now.mono_us;
    struct core_event event = {
        .kind = type == FRAME_RECORD ? CORE_RECORD : CORE_FRAME,
        .node = machine->sender,
        .frame_type = type,
        .body = body,
    };
    step(machine, &event);
    step(machine, &(struct core_event){.kind = CORE_STAGE});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t seed[SIGN_SEED_SIZE] = {1};
    struct machine machine = {.store = store_mem_open(), .now = {1000000, 1800000000000}};
    struct error error;
    struct wire_reader frames = wire_reader_of((struct bytes){data, size});
    struct bytes body;
    uint32_t type;
    crypto_start();
    machine.key = sign_key_from_seed(seed);
    const struct core_settings settings = {.node_id = {{9}}, .key = machine.key};
    machine.core = core_load(&settings, machine.store, machine.now, &error);
    if (!machine.core)
        abort();
    while (frame_next(&frames, &type, &body))
        take(&machine, type, body);
    core_free(machine.core);
    /* Whatever came: what is on disk can be loaded. */
    machine.core = core_load(&settings, machine.store, machine.now, &error);
    if (!machine.core)
        abort();
    core_free(machine.core);
    store_close(machine.store);
    sign_key_free(machine.key);
    return 0;
}
