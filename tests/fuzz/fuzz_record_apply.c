/* Records of a node that means harm and has a valid key, applied: input is [how u8, size u16,
 * body] repeated. Bodies are signed here, so that mutation gets past the signature; bit 0 of
 * `how` also puts the body's operations into the chain of a stream, which bit 1 chooses.
 * Whatever comes, the state in memory, the state on disk and the state from the same records in
 * another order are one, and the configuration can be made of it. */
#include "lbnode/model/configuration.h"
#include "replication/core.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    RECORDS = 8,
    STREAMS = 2,
    FIRST_STREAM = 99
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct uuid self = {{1}}, author = {{2}};
static const char context[] = "lbnode-record-v1";

struct chain {
    uint64_t seq;
    uint8_t hash[HASH_SIZE];
};

struct input {
    struct sign_key *key, *own_key;
    struct genesis genesis;
    struct wire_writer genesis_bytes;
    struct chain chains[STREAMS];
    struct bytes records[RECORDS];
    size_t count;
    bool names_nodes; /* a change of the roster */
};

/* ---- records ---------------------------------------------------------------------------- */

static struct bytes sign(const struct input *input, struct bytes body)
{
    struct bytes parts[] = {
        {(const uint8_t *)context, strlen(context)},
        {input->genesis.cluster_id.bytes, sizeof(input->genesis.cluster_id.bytes)},
        body};
    uint8_t *whole = memory_new(body.size + SIGNATURE_SIZE);
    if (body.size > 0)
        memcpy(whole, body.data, body.size);
    signature_make(input->key, parts, 3, whole + body.size);
    return (struct bytes){whole, body.size + SIGNATURE_SIZE};
}

static void read_ops(struct input *input, const struct record *record, struct change_set *out)
{
    struct wire_reader ops = record->ops;
    struct record_op op;
    while (record_next_op(&ops, &op)) {
        input->names_nodes |= op.type == RESOURCE_NODE;
        change_set_add(out, &op.object_id, &op.owner, op.type, op.facet, op.value);
    }
}

/* The operations of SIGNED as the next record of a stream. */
static struct bytes rebuild(struct input *input, const struct record *record, unsigned stream)
{
    static const struct vv no_deps = {0};
    struct chain *chain = &input->chains[stream];
    struct change_set changes = {0};
    struct bytes whole = {0};
    struct record_draft draft = {
        .stream = 100 + stream,
        .seq = chain->seq + 1,
        .hlc = record->hlc,
        .wall_ms = record->wall_ms,
        .previous_hash = chain->hash,
        .deps = &no_deps,
        .node_id = author,
        .incarnation = 1,
        .kind = record->kind,
        .change_id = record->change_id,
        .changes = &changes,
    };
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    record_key_id(sign_key_public(input->key), key_id);
    draft.key_id = key_id;
    read_ops(input, record, &changes);
    if (record_build(&draft, &input->genesis.cluster_id, input->key, &whole)) {
        record_hash(whole, chain->hash);
        chain->seq++;
    }
    change_set_free(&changes);
    return whole;
}

static void add_record(struct input *input, uint8_t how, struct bytes body)
{
    struct bytes whole = sign(input, body), chained = {0};
    struct record record;
    bool parsed = record_parse(whole, &record);
    struct change_set changes = {0};
    if (parsed)
        read_ops(input, &record, &changes);
    change_set_free(&changes);
    if (parsed && (how & 1))
        chained = rebuild(input, &record, how >> 1 & 1);
    if (chained.data) {
        free((void *)(uintptr_t)whole.data);
        whole = chained;
    }
    input->records[input->count++] = whole;
}

static void read_input(struct input *input, const uint8_t *data, size_t size)
{
    while (size >= 3 && input->count < RECORDS) {
        size_t length = load_be16(data + 1);
        if (length > size - 3)
            length = size - 3;
        add_record(input, data[0], (struct bytes){data + 3, length});
        data += 3 + length;
        size -= 3 + length;
    }
}

/* ---- applying --------------------------------------------------------------------------- */

struct side {
    struct store *store;
    struct core *core;
};

/* With the cluster's beginning on it, which says who may write. */
static struct store *open_store(const struct input *input)
{
    struct store *store = store_mem_open();
    struct store_batch batch = {0};
    store_batch_put(&batch, STORE_META, (struct bytes){(const uint8_t *)"g", 1},
                    wire_written(&input->genesis_bytes));
    if (store_commit(store, &batch) != 0)
        abort();
    store_batch_free(&batch);
    return store;
}

static struct core *load(const struct input *input, struct store *store)
{
    struct error error;
    const struct core_settings settings = {
        .node_id = self, .key = input->own_key, .random_seed = 1};
    struct core *core = core_load(&settings, store, (struct core_now){1000000, 1}, &error);
    if (!core)
        abort(); /* what it wrote itself, it can read */
    return core;
}

static void step(struct side *side, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool committed = false;
    core_step(side->core, event, (struct core_now){5000000, 1800000000000}, &actions);
    for (size_t i = 0; i < actions.count; i++)
        committed |= actions.items[i].kind == CORE_PERSIST &&
                     store_commit(side->store, &actions.items[i].batch) == 0;
    core_actions_free(&actions);
    if (committed)
        step(side, &(struct core_event){.kind = CORE_PERSISTED});
}

static void offer(struct side *side, struct bytes record)
{
    step(side, &(struct core_event){.kind = CORE_RECORD, .node = author, .body = record});
    step(side, &(struct core_event){.kind = CORE_STAGE});
}

static void check_same(struct core *a, struct core *b)
{
    uint8_t x[HASH_SIZE], y[HASH_SIZE];
    core_state_hash(a, x);
    core_state_hash(b, y);
    if (!vv_equal(core_vector(a), core_vector(b)) || memcmp(x, y, HASH_SIZE) != 0)
        abort();
    facet_state_hash(core_facets(a), y);
    if (memcmp(x, y, HASH_SIZE) != 0)
        abort();
}

static void check_disk(const struct input *input, struct side *side)
{
    struct core *loaded = load(input, side->store);
    check_same(side->core, loaded);
    core_free(loaded);
}

/* The first record of a cluster has its first node, which may write from then on. */
static struct bytes found(const struct input *input)
{
    static const struct vv no_deps = {0};
    static const struct text_list no_addresses = {0};
    const struct node_facts facts = {.id = author,
                                     .name = "first",
                                     .public_key = sign_key_public(input->key),
                                     .addresses = &no_addresses};
    struct change_set changes = {0};
    struct bytes whole = {0};
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    record_key_id(facts.public_key, key_id);
    const struct record_draft draft = {.stream = FIRST_STREAM,
                                       .seq = 1,
                                       .hlc = 1,
                                       .wall_ms = 1,
                                       .deps = &no_deps,
                                       .node_id = author,
                                       .key_id = key_id,
                                       .incarnation = 1,
                                       .kind = RECORD_ROSTER,
                                       .change_id = author,
                                       .changes = &changes};
    if (!membership_plan_node(NULL, &facts, &changes) ||
        !record_build(&draft, &input->genesis.cluster_id, input->key, &whole))
        abort();
    change_set_free(&changes);
    return whole;
}

static struct side open_side(const struct input *input)
{
    struct side side = {.store = open_store(input)};
    struct bytes first = found(input);
    side.core = load(input, side.store);
    offer(&side, first);
    if (!roster_find(core_roster(side.core), &author) || core_vector(side.core)->count != 1)
        abort();
    free((void *)(uintptr_t)first.data);
    return side;
}

/* Backwards, until nothing more can come of it. */
static void check_order(const struct input *input, struct side *side)
{
    struct side other = open_side(input);
    for (size_t round = 0;
         round < input->count && !vv_equal(core_vector(other.core), core_vector(side->core));
         round++)
        for (size_t i = input->count; i-- > 0;)
            offer(&other, input->records[i]);
    check_same(side->core, other.core);
    core_free(other.core);
    store_close(other.store);
}

static void check_projection(const struct core *core)
{
    struct configuration_builder *builder = configuration_builder_new();
    const struct object *object;
    for (size_t i = 0; (object = uuid_map_next(&core_facets(core)->objects, &i));)
        for (size_t k = 0; k < object->count; k++) {
            struct raw_facet facet = facet_view(object, &object->facets[k]);
            if (facet.entry_count > 0 && !configuration_builder_add(builder, &facet))
                abort();
        }
    struct configuration *configuration = configuration_builder_finish(builder);
    if (!configuration)
        abort();
    configuration_free(configuration);
}

/* Two records of one number: which one counts depends on which one came first. */
static bool is_unambiguous(const struct input *input)
{
    struct record a, b;
    for (size_t i = 0; i < input->count; i++)
        for (size_t k = i + 1; k < input->count; k++)
            if (record_parse(input->records[i], &a) && record_parse(input->records[k], &b) &&
                a.stream == b.stream && a.seq == b.seq)
                return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[SIGN_SEED_SIZE] = {1}, own_seed[SIGN_SEED_SIZE] = {2};
    crypto_start();
    struct input input = {.key = sign_key_from_seed(seed),
                          .own_key = sign_key_from_seed(own_seed)};
    if (!genesis_build(input.own_key, "fuzz", 1, &author, sign_key_public(input.key),
                       &input.genesis_bytes) ||
        !genesis_parse(wire_written(&input.genesis_bytes), &input.genesis))
        abort();
    struct side side = open_side(&input);
    read_input(&input, data, size);
    for (size_t i = 0; i < 2 * input.count; i++) /* twice: some may have waited for others */
        offer(&side, input.records[i % input.count]);
    if (!input.names_nodes) {
        check_disk(&input, &side);
        if (is_unambiguous(&input))
            check_order(&input, &side);
    }
    check_projection(side.core);
    core_free(side.core);
    store_close(side.store);
    for (size_t i = 0; i < input.count; i++)
        free((void *)(uintptr_t)input.records[i].data);
    wire_writer_free(&input.genesis_bytes);
    sign_key_free(input.key);
    sign_key_free(input.own_key);
    return 0;
}
