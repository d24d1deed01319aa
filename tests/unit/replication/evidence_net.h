/* Three cores on a network whose links can be cut one way, in virtual time. */
#ifndef TESTS_UNIT_REPLICATION_EVIDENCE_NET_H
#define TESTS_UNIT_REPLICATION_EVIDENCE_NET_H

#include "lbnode/model/hindrance.h"
#include "lbnode/model/message.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

enum {
    NODES = 3,
    GROUP = 9
};

struct frame {
    unsigned from, to;
    uint32_t type;
    uint8_t *body;
    size_t size;
};

/* What a node's election says, again each second. */
struct election {
    bool speaks, hangs;
    struct vrrp_claim claim;
    uint64_t began_us, told_us;
};

struct net {
    struct election elections[NODES];
    struct store *stores[NODES];
    struct sign_key *keys[NODES];
    struct core *cores[NODES];
    bool cut[NODES][NODES]; /* from, to */
    struct frame *frames;
    size_t count, capacity;
    uint64_t now_us;
    struct genesis genesis;
    uint8_t *record; /* the one that founded the cluster */
    size_t record_size;
    unsigned events[NODES][EVENT_CODE_COUNT];
    unsigned asked[NODES]; /* to give a group away */
    struct core_action last_asked;
    unsigned probe_asked[NODES]; /* to probe a pool */
    struct core_action last_probe_asked;
    unsigned verdicts[NODES], verdicts_wanted[NODES];
    struct shared_verdict last_verdict[NODES];
};

static inline struct uuid id_of(unsigned node)
{
    return (struct uuid){{(uint8_t)(node + 1)}};
}

static inline void transmit(struct net *net, unsigned from, const struct core_action *action)
{
    unsigned to = action->peer.bytes[0] - 1u;
    if (net->cut[from][to])
        return;
    net->frames = memory_grow(net->frames, net->count, &net->capacity, sizeof(*net->frames));
    net->frames[net->count++] =
        (struct frame){from, to, action->frame_type,
                       memory_copy(action->body, action->body_size), action->body_size};
}

static inline void step(struct net *net, unsigned node, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool committed = false;
    core_step(net->cores[node], event, (struct core_now){net->now_us, 1800000000000}, &actions);
    for (size_t i = 0; i < actions.count; i++) {
        struct core_action *action = &actions.items[i];
        if (action->kind == CORE_SEND)
            transmit(net, node, action);
        else if (action->kind == CORE_EVENT)
            net->events[node][action->code]++;
        else if (action->kind == CORE_SWITCH_ASKED) {
            net->asked[node]++;
            net->last_asked = *action;
        } else if (action->kind == CORE_PROBE_ASKED) {
            net->probe_asked[node]++;
            net->last_probe_asked = *action;
        } else if (action->kind == CORE_VERDICT) {
            net->verdicts[node]++;
            net->last_verdict[node] = action->verdict;
        } else if (action->kind == CORE_VERDICTS_WANTED) {
            net->verdicts_wanted[node]++;
        } else if (action->kind == CORE_PERSIST)
            committed = store_commit(net->stores[node], &action->batch) == 0;
        for (size_t k = 0; action->kind == CORE_PERSIST && k < action->batch.count; k++)
            if (action->batch.ops[k].table == STORE_LOG && !net->record) {
                net->record_size = action->batch.ops[k].value_size;
                net->record = memory_copy(action->batch.ops[k].value, net->record_size);
            }
    }
    core_actions_free(&actions);
    if (committed)
        step(net, node, &(struct core_event){.kind = CORE_PERSISTED});
    else if (core_wants_stage(net->cores[node]))
        step(net, node, &(struct core_event){.kind = CORE_STAGE});
}

static inline void tell(struct net *net, unsigned node)
{
    struct election *election = &net->elections[node];
    election->told_us = net->now_us;
    election->claim.since_ms_ago = (net->now_us - election->began_us) / 1000;
    step(net, node,
         &(struct core_event){
             .kind = CORE_CLAIMS, .claims = &election->claim, .claim_count = election->speaks});
}

static inline void tell_again(struct net *net)
{
    for (unsigned node = 0; node < NODES; node++) {
        const struct election *election = &net->elections[node];
        if (election->speaks && !election->hangs && net->now_us - election->told_us >= 1000000)
            tell(net, node);
    }
}

static inline void run(struct net *net, unsigned duration_ms)
{
    for (unsigned at = 0; at < duration_ms; at += 20) {
        net->now_us += 20000;
        tell_again(net);
        for (unsigned node = 0; node < NODES; node++)
            if (core_next_tick_us(net->cores[node]) <= net->now_us)
                step(net, node, &(struct core_event){.kind = CORE_TICK});
        while (net->count > 0) {
            struct frame frame = net->frames[--net->count];
            step(net, frame.to,
                 &(struct core_event){.kind = CORE_FRAME,
                                      .node = id_of(frame.from),
                                      .frame_type = frame.type,
                                      .body = {frame.body, frame.size}});
            free(frame.body);
        }
    }
}

static inline void
claim(struct net *net, unsigned node, enum vrrp_state state, uint8_t priority)
{
    net->elections[node] = (struct election){
        .speaks = true,
        .claim = {.group_id = {{GROUP}},
                  .family = 4,
                  .vrid = 7,
                  .state = (uint8_t)state,
                  .priority = priority,
                  .advert_ms = 20,
                  .source = {4, {192, 0, 2, (uint8_t)(node + 1)}}},
        .began_us = net->now_us,
    };
    tell(net, node);
}

static inline void plan_nodes(const struct net *net, struct change_set *changes)
{
    struct text_list addresses = {0};
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    for (unsigned node = 0; node < NODES; node++) {
        const char *const names[NODES] = {"lb1", "lb2", "lb3"};
        const struct node_facts facts = {.id = id_of(node),
                                         .name = names[node],
                                         .public_key = sign_key_public(net->keys[node]),
                                         .addresses = &addresses};
        assert_true(membership_plan_node(NULL, &facts, changes));
    }
    text_list_free(&addresses);
}

static inline void start(struct net *net, unsigned node)
{
    const struct core_settings settings = {
        .node_id = id_of(node), .key = net->keys[node], .incarnation = 1};
    struct error error;
    net->cores[node] =
        core_load(&settings, net->stores[node], (struct core_now){net->now_us, 0}, &error);
    core_found(net->cores[node], &net->genesis);
}

static inline int set_up(void **state)
{
    struct net *net = memory_new(sizeof(*net));
    struct wire_writer bytes = {0};
    struct change_set changes = {0};
    const struct uuid first = id_of(0);
    net->now_us = 1000000;
    for (unsigned node = 0; node < NODES; node++)
        net->keys[node] = sign_key_generate();
    assert_true(
        genesis_build(net->keys[0], "t", 1, &first, sign_key_public(net->keys[0]), &bytes));
    assert_true(genesis_parse(wire_written(&bytes), &net->genesis));
    for (unsigned node = 0; node < NODES; node++) {
        net->stores[node] = store_mem_open();
        start(net, node);
    }
    plan_nodes(net, &changes);
    step(net, 0,
         &(struct core_event){
             .kind = CORE_SUBMIT,
             .submit = {.changes = &changes, .change_id = {{1}}, .kind = RECORD_ROSTER}});
    for (unsigned node = 1; node < NODES; node++)
        step(
            net, node,
            &(struct core_event){.kind = CORE_RECORD, .body = {net->record, net->record_size}});
    change_set_free(&changes);
    wire_writer_free(&bytes);
    run(net, 2000);
    *state = net;
    return 0;
}

static inline int tear_down(void **state)
{
    struct net *net = *state;
    for (unsigned node = 0; node < NODES; node++) {
        core_free(net->cores[node]);
        store_close(net->stores[node]);
        sign_key_free(net->keys[node]);
    }
    free(net->frames);
    free(net->record);
    free(net);
    return 0;
}

#endif
