/* What a genuine peer that means harm encrypts, from the datagram to the core. The input is a
 * list of commands: a byte that says which frame, one for the size of what follows, and that.
 * A frame's body is either these bytes or has the fields that frames of its type have, with
 * values made of them: streams and numbers that the node knows among them. No signature is
 * right, so whatever comes, the node's state and what is on its disk stay as they were. */
#include "fuzz_session.h"

#include "replication/core.h"
#include "replication/replication_internal.h"
#include "replication/snapshot_frames.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    COMMANDS = 64,
    ACTIONS_MAXIMUM = 256, /* of one event */
    IS_RAW = 0x80,
    IS_LAST = 0x40, /* of its datagram */
    TYPE_BITS = 0x1f
};

static const struct uuid self = {{1}}, peer = {{2}};

struct victim {
    struct store *store;
    struct sign_key *key;
    struct core *core;
    struct genesis genesis;
    struct fuzz_pair *sessions;
    uint64_t now_us, own_stream;
};

/* ---- the node ---------------------------------------------------------------------------- */

static struct core_now now_of(const struct victim *node)
{
    return (struct core_now){node->now_us, 1800000000000};
}

static void step(struct victim *node, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool committed = false;
    core_step(node->core, event, now_of(node), &actions);
    if (actions.count > ACTIONS_MAXIMUM)
        abort();
    for (size_t i = 0; i < actions.count; i++)
        committed |= actions.items[i].kind == CORE_PERSIST &&
                     store_commit(node->store, &actions.items[i].batch) == 0;
    core_actions_free(&actions);
    if (committed)
        step(node, &(struct core_event){.kind = CORE_PERSISTED});
    else if (core_wants_stage(node->core))
        step(node, &(struct core_event){.kind = CORE_STAGE});
}

static void load(struct victim *node)
{
    struct error error;
    const struct core_settings settings = {
        .node_id = self, .key = node->key, .incarnation = 1, .random_seed = 1};
    core_free(node->core);
    node->core = core_load(&settings, node->store, now_of(node), &error);
    if (!node->core)
        abort();
    core_found(node->core, &node->genesis);
}

static void
add_node(struct change_set *changes, const struct uuid *id, const char *name, uint8_t seed)
{
    struct sign_key *key = sign_key_from_seed((uint8_t[SIGN_SEED_SIZE]){seed});
    struct text_list addresses = {0};
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    const struct node_facts facts = {
        .id = *id, .name = name, .public_key = sign_key_public(key), .addresses = &addresses};
    if (!membership_plan_node(NULL, &facts, changes))
        abort();
    text_list_free(&addresses);
    sign_key_free(key);
}

static void start(struct victim *node)
{
    static const uint8_t seed[SIGN_SEED_SIZE] = {1};
    struct change_set changes = {0};
    *node = (struct victim){.store = store_mem_open(),
                            .key = sign_key_from_seed(seed),
                            .genesis = {.first_node = self, .cluster_id = {{9}}},
                            .sessions = fuzz_pair_get(true),
                            .now_us = 1000000};
    memcpy(node->genesis.first_key, sign_key_public(node->key), SIGN_PUBLIC_KEY_SIZE);
    load(node);
    add_node(&changes, &self, "lb1", 1);
    add_node(&changes, &peer, "lb2", 2);
    const struct core_submit submit = {
        .changes = &changes, .change_id = {{0xc0}}, .kind = RECORD_ROSTER};
    step(node, &(struct core_event){.kind = CORE_SUBMIT, .submit = submit});
    change_set_free(&changes);
    if (core_vector(node->core)->count != 1)
        abort();
    node->own_stream = core_vector(node->core)->entries[0].stream;
}

static void stop(struct victim *node)
{
    core_free(node->core);
    store_close(node->store);
    sign_key_free(node->key);
}

/* ---- frames ------------------------------------------------------------------------------ */

/* The kinds of a field: v varint, f fixed64, s a stream, b bytes, i the id of a node, and the
 * messages e (of a vector), a (of ACK), c (a claim). Small letters in the order of numbers. */
static const struct frame_form {
    uint32_t type;
    const char *fields; /* number i + 1; a space: none; after +: repeated */
} frame_forms[] = {
    {FRAME_HEARTBEAT, "vvvvfbvvv+c+b vv"},
    {FRAME_VV, "+evf+e"},
    {FRAME_RECORD, ""},
    {FRAME_ACK, "+a"},
    {FRAME_PULL, "+ef"},
    {FRAME_HEALTH, "vvbvv"},
    {FRAME_ROSTER_NOTICE, ""},
    {FRAME_LEAVE, ""},
    {FRAME_PULL_END, "vf"},
    {FRAME_SWITCH, "ii"},
    {SNAPSHOT_BEGIN, "fvbvvf"},
    {SNAPSHOT_STREAM, "fsb"},
    {SNAPSHOT_RECORD, "fbb"},
    {SNAPSHOT_END, "fb v"},
    {FRAME_SNAPSHOT_STOP, "f"},
    {FRAME_PROBE, "i"},
    {FRAME_HEALTH_WANTED, ""},
};

struct source {
    struct bytes left;
    const struct victim *node;
};

static uint8_t take(struct source *source)
{
    if (source->left.size == 0)
        return 0;
    source->left.size--;
    return *source->left.data++;
}

static uint64_t take_number(struct source *source)
{
    static const uint64_t special[] = {0,
                                       1,
                                       2,
                                       127,
                                       UINT32_MAX,
                                       1ull << 32,
                                       INT64_MAX,
                                       UINT64_MAX,
                                       UINT64_MAX - 1,
                                       1000000,
                                       1800000000000,
                                       1800000000000ull << 16};
    uint8_t choice = take(source);
    return choice < ARRAY_LENGTH(special) ? special[choice] : choice;
}

static struct bytes take_bytes(struct source *source)
{
    size_t size = take(source);
    struct bytes taken = {source->left.data,
                          size < source->left.size ? size : source->left.size};
    source->left.data += taken.size;
    source->left.size -= taken.size;
    return taken;
}

static void put_fields(struct source *source, const char *fields, struct wire_writer *out);

static void
put_nested(struct source *source, uint32_t number, const char *fields, struct wire_writer *out)
{
    size_t mark = wire_begin(out, number);
    put_fields(source, fields, out);
    wire_end(out, mark);
}

static void
put_field(struct source *source, uint32_t number, char kind, struct wire_writer *out)
{
    switch (kind) {
    case 'v': wire_put_varint(out, number, take_number(source)); break;
    case 'f': wire_put_fixed64(out, number, take_number(source)); break;
    case 's':
        wire_put_fixed64(out, number,
                         take(source) % 2 ? source->node->own_stream : take_number(source));
        break;
    case 'i':
        wire_put_bytes(out, number,
                       (struct bytes){take(source) % 2 ? self.bytes : peer.bytes, 16});
        break;
    case 'b': wire_put_bytes(out, number, take_bytes(source)); break;
    case 'e': put_nested(source, number, "sv", out); break;
    case 'a': put_nested(source, number, "svvvf", out); break;
    case 'c': put_nested(source, number, "ivvvvvvvvv", out); break;
    default: break;
    }
}

static void put_fields(struct source *source, const char *fields, struct wire_writer *out)
{
    uint32_t number = 1;
    for (const char *at = fields; *at && source->left.size > 0; at++, number++) {
        bool is_repeated = *at == '+';
        uint8_t times = take(source);
        at += is_repeated;
        for (uint8_t i = 0; i < (is_repeated ? times % 32 : times % 4 != 0); i++)
            put_field(source, number, *at, out);
    }
}

static void
add_frame(const struct victim *node, uint8_t how, struct bytes bytes, struct wire_writer *plain)
{
    const struct frame_form *form = &frame_forms[(how & TYPE_BITS) % ARRAY_LENGTH(frame_forms)];
    struct source source = {bytes, node};
    struct wire_writer body = {0};
    if (how & IS_RAW || !*form->fields)
        wire_append(&body, bytes.data, bytes.size);
    else
        put_fields(&source, form->fields, &body);
    frame_append(plain, form->type, wire_written(&body));
    wire_writer_free(&body);
}

/* ---- datagrams --------------------------------------------------------------------------- */

static void receive(struct victim *node, struct bytes plain)
{
    struct session_source source = fuzz_source();
    uint8_t sealed[DATAGRAM_MAXIMUM], room[DATAGRAM_MAXIMUM];
    struct session_received received;
    struct core_event event = {.kind = CORE_FRAME, .node = peer};
    if (!sessions_seal(node->sessions->nodes[0], FUZZ_NOW_US, 0, plain, sealed))
        abort();
    sessions_receive(node->sessions->nodes[1], FUZZ_NOW_US, &source,
                     (struct bytes){sealed, plain.size + SESSION_DATA_OVERHEAD}, room,
                     &received);
    if (received.verdict != SESSION_OPENED || !bytes_equal(received.plain, plain))
        abort();
    struct wire_reader frames = wire_reader_of(received.plain);
    while (frame_next(&frames, &event.frame_type, &event.body))
        step(node, &event);
}

static void run(struct victim *node, const uint8_t *data, size_t size)
{
    struct wire_writer plain = {0};
    for (unsigned i = 0; size >= 2 && i < COMMANDS; i++) {
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        add_frame(node, data[0], (struct bytes){data + 2, length}, &plain);
        bool is_last = data[0] & IS_LAST;
        data += 2 + length;
        size -= 2 + length;
        if (plain.size > DATAGRAM_MAXIMUM - SESSION_DATA_OVERHEAD)
            plain.size = DATAGRAM_MAXIMUM - SESSION_DATA_OVERHEAD; /* cut off */
        if (!is_last && size >= 2 && plain.size < DATAGRAM_MAXIMUM / 2)
            continue;
        receive(node, wire_written(&plain));
        plain.size = 0;
        node->now_us += 10000;
        step(node, &(struct core_event){.kind = CORE_TICK});
    }
    wire_writer_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t before[HASH_SIZE], after[HASH_SIZE];
    struct victim node;
    crypto_start();
    start(&node);
    core_state_hash(node.core, before);
    run(&node, data, size);
    for (int is_loaded = 0; is_loaded < 2; is_loaded++) {
        core_state_hash(node.core, after);
        if (memcmp(before, after, HASH_SIZE) != 0 || core_vector(node.core)->count != 1 ||
            core_roster(node.core)->count != 2)
            abort();
        load(&node); /* and so is what is on disk */
    }
    stop(&node);
    return 0;
}
