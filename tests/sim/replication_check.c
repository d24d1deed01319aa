/* The invariants of the replicated state (replication.md 17.1, I1-I12). */
#include "tests/sim/replication_world.h"

#include "lbnode/model/configuration.h"
#include "lbnode/model/field_table.h"
#include "replication/core_internal.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

/* ---- I6: no (stream, seq) twice --------------------------------------------------------- */

void world_note_records(struct world *world, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_op *op = &batch->ops[i];
        struct uuid key;
        if (op->table != STORE_LOG || op->remove)
            continue;
        memcpy(key.bytes, op->key, 16);
        struct world_record *known = uuid_map_get(&world->records, &key);
        if (!known) {
            known = memory_new(sizeof(*known));
            *known =
                (struct world_record){memory_copy(op->value, op->value_size), op->value_size};
            uuid_map_set(&world->records, &key, known);
        } else if (known->size != op->value_size ||
                   memcmp(known->bytes, op->value, known->size) != 0) {
            world_fail(world, "a (stream, seq) was used twice");
        }
    }
}

const struct world_record *world_recorded(const struct world *world, struct dot dot)
{
    struct uuid key;
    store_be64(key.bytes, dot.stream);
    store_be64(key.bytes + 8, dot.seq);
    return uuid_map_get(&world->records, &key);
}

/* ---- I10: queues stay under their bounds; I7: vectors grow ------------------------------- */

void world_check_queues(struct world *world, const struct world_node *node)
{
    const struct core *core = node->core;
    if (!core)
        return;
    if (core->pending_bytes > PENDING_BYTES || core->submission_count > SUBMIT_QUEUE ||
        core->awaited_count > ANSWER_QUEUE + STAGE_SUBMITS ||
        core->pending_count > PENDING_PER_PEER * core->roster.count ||
        core->mark_count > RUNNING_RING)
        world_fail(world, "node %u: a queue grew beyond its bound", node->number);
}

void world_check_growth(struct world *world, struct world_node *node)
{
    const struct vv *shown = core_durable(node->core);
    for (size_t i = 0; i < node->seen.count; i++) {
        const struct dot *dot = &node->seen.entries[i];
        const struct stream *stream = core_stream(node->core, dot->stream);
        uint64_t limit = stream ? core_cutoff(node->core, stream) : 0;
        uint64_t floor = dot->seq < limit ? dot->seq : limit;
        if (vv_get(shown, dot->stream) < floor)
            world_fail(world, "node %u: its vector shrank", node->number);
    }
    vv_copy(&node->seen, shown);
    vv_copy(&node->persisted, shown);
}

/* ---- I1, I9: the same everywhere --------------------------------------------------------- */

/* Whether a deleted object and what was below it are still there depends on when a node last
 * cleaned up. An object of which it is disputed whether it lives stays everywhere. */
static bool stays(const struct core *core, const struct object *object)
{
    const struct facet_table *facets = core_facets(core);
    const struct facet_state *life = facet_of(object, FACET_LIFE);
    bool disputed = false;
    for (size_t i = 0; life && i < life->count; i++)
        disputed |= life->entries[i].value[0] != 0;
    return facet_object_counts(facets, object) ||
           (disputed && uuid_is_zero(&facet_winner(life)->owner));
}

static uint64_t conflict_sum(const struct object *object, const struct facet_state *state)
{
    uint64_t sum = 0;
    for (size_t e = 0; facet_seen_count(object, state) > 1 && e < state->count; e++)
        if (facet_realm_of(state->entries[e].type) == facet_object_realm(object))
            sum += load_be64(state->entries[e].hash);
    return sum;
}

/* Order does not matter to a sum. */
static uint64_t conflicts_sum(const struct core *core)
{
    const struct object *object;
    uint64_t sum = 0;
    for (size_t i = 0; (object = uuid_map_next(&core_facets(core)->objects, &i));)
        for (size_t f = 0; stays(core, object) && f < object->count; f++)
            sum += conflict_sum(object, &object->facets[f]);
    return sum;
}

static struct configuration *project(const struct core *core)
{
    struct configuration_builder *builder = configuration_builder_new();
    const struct object *object;
    for (size_t i = 0; (object = uuid_map_next(&core_facets(core)->objects, &i));) {
        for (size_t f = 0; f < object->count; f++) {
            const struct facet_state *state = &object->facets[f];
            const struct facet_entry *winner = facet_seen(object, state);
            if (!winner)
                continue;
            const struct raw_facet raw = {
                .object_id = object->id,
                .owner = winner->owner,
                .type = winner->type,
                .facet = state->facet,
                .value = {winner->value, winner->value_size},
                .hlc = winner->hlc,
                .stream = winner->dot.stream,
                .seq = winner->dot.seq,
                .entry_count = (unsigned)facet_seen_count(object, state),
            };
            configuration_builder_add(builder, &raw);
        }
    }
    return configuration_builder_finish(builder);
}

static uint64_t configuration_sum(const struct core *core,
                                  const struct configuration *configuration)
{
    const struct effective *object;
    uint64_t sum = 0;
    for (unsigned type = 1; type < 256; type++)
        for (size_t i = 0;
             (object = configuration_at(configuration, (enum resource_type)type, i)); i++) {
            uint64_t facts[3] = {object->effective, object->reason, object->revision};
            const struct object *raw = facet_object(core_facets(core), &object->resource->id);
            if (facet_object_counts(core_facets(core), raw))
                sum += bytes_hash(facts, sizeof(facts),
                                  bytes_hash(object->resource->id.bytes, 16, type));
        }
    return sum;
}

/* I9: of the listeners that count, no two have the same port. */
static void check_claims(struct world *world, const struct configuration *configuration)
{
    const struct effective *a, *b;
    for (size_t i = 0; (a = configuration_at(configuration, RESOURCE_LISTENER, i)); i++)
        for (size_t k = 0; k < i; k++) {
            b = configuration_at(configuration, RESOURCE_LISTENER, k);
            const struct listener *left = CONTAINER_OF(a->resource, struct listener, resource);
            const struct listener *right = CONTAINER_OF(b->resource, struct listener, resource);
            if (a->effective && b->effective &&
                uuid_equal(&a->resource->owner, &b->resource->owner) &&
                left->protocol_port == right->protocol_port)
                world_fail(world, "two listeners are effective on port %lld",
                           (long long)left->protocol_port);
        }
}

void world_check_equal(struct world *world, struct core *a, struct core *b, const char *what)
{
    uint8_t left[HASH_SIZE], right[HASH_SIZE];
    if (!vv_equal(core_durable(a), core_durable(b))) {
        world_fail(world, "%s: the vectors differ", what);
        return;
    }
    facet_state_hash(core_facets(a), left);
    facet_state_hash(core_facets(b), right);
    if (memcmp(left, right, HASH_SIZE) != 0)
        world_fail(world, "%s: the states differ", what);
    if (conflicts_sum(a) != conflicts_sum(b))
        world_fail(world, "%s: the conflicts differ", what);
    struct configuration *one = project(a), *other = project(b);
    if (configuration_sum(a, one) != configuration_sum(b, other))
        world_fail(world, "%s: the effective configurations differ", what);
    check_claims(world, one);
    configuration_free(one);
    configuration_free(other);
}

void world_check_convergence(struct world *world, const char *when)
{
    struct core *first = NULL;
    for (unsigned i = 0; i < world->node_count && !world->failure[0]; i++) {
        struct world_node *node = &world->nodes[i];
        if (!world_is_up(node))
            continue;
        if (first)
            world_check_equal(world, first, node->core, when);
        first = first ? first : node->core;
        if (node->events[EVENT_EQUIVOCATION] > 0)
            world_fail(world, "node %u saw an equivocation", i);
        if (node->events[EVENT_DIVERGENCE] > 0)
            world_fail(world, "node %u saw a divergence", i);
    }
}

/* ---- I3, I11: what was acknowledged is there, and nothing else ----------------------------
 */

struct counting {
    struct world *world;
    struct uuid_map index; /* change id -> counts[] */
    unsigned counts[WORLD_CHANGES];
    const struct world_node *node;
};

static bool is_in_log(const struct world_node *node, const struct record *record)
{
    uint8_t key[16];
    struct wire_writer row = {0};
    store_be64(key, record->stream);
    store_be64(key + 8, record->seq);
    bool there = store_get(node->store, STORE_LOG, (struct bytes){key, sizeof(key)}, &row) == 0;
    wire_writer_free(&row);
    return there;
}

/* What the node's vector tells is there must be in its log, or have been removed from it. */
static void count_record(struct counting *counting, const struct world_record *bytes)
{
    const struct core *core = counting->node->core;
    struct record record;
    if (!record_parse((struct bytes){bytes->bytes, bytes->size}, &record) ||
        record.seq > vv_get(core_durable(core), record.stream))
        return;
    if (record.seq > core_truncated(core, record.stream) && !is_in_log(counting->node, &record))
        world_fail(counting->world, "node %u lacks a record in its log",
                   counting->node->number);
    unsigned *count = uuid_map_get(&counting->index, &record.change_id);
    if (count)
        ++*count;
    else if (record.kind == RECORD_CONFIG)
        world_fail(counting->world, "node %u has a record that nobody asked for",
                   counting->node->number);
}

/* Every acknowledged change has come to every node, once; so has nothing unasked for. */
void world_check_acknowledged(struct world *world)
{
    struct counting *counting = memory_new(sizeof(*counting));
    counting->world = world;
    for (size_t i = 0; i < world->change_count; i++)
        uuid_map_set(&counting->index, &world->changes[i].id, &counting->counts[i]);
    for (unsigned n = 0; n < world->node_count && !world->failure[0]; n++) {
        const struct world_record *bytes;
        counting->node = &world->nodes[n];
        if (!world_is_up(counting->node) || counting->node->has_rot)
            continue;
        memset(counting->counts, 0, sizeof(counting->counts));
        for (size_t i = 0; (bytes = uuid_map_next(&world->records, &i));)
            count_record(counting, bytes);
        for (size_t i = 0; i < world->change_count; i++) {
            if (counting->counts[i] > 1 && !world->may_repeat)
                world_fail(world, "change %zu was done %u times", i, counting->counts[i]);
            if (world->changes[i].acknowledged && counting->counts[i] == 0)
                world_fail(world, "change %zu was acknowledged and is not on node %u", i, n);
        }
    }
    uuid_map_free(&counting->index);
    free(counting);
}

/* ---- I4: the merge against a model of it --------------------------------------------------
 */

struct model_record {
    struct record record;
    struct vv context; /* everything that its author had applied */
    uint64_t objects;  /* a bit for each that it writes to; many share one */
};

/* A record that makes an object anew, or deletes it. */
struct model_start {
    struct uuid object;
    enum facet_realm realm;
    size_t record;
    bool deletes;
};

struct model {
    struct model_record *records; /* by stream, then seq */
    size_t count, capacity;
    struct model_start *starts;
    size_t start_count, start_capacity;
    struct closings *closings;
};

/* Does RECORD name the object of OP in a higher realm, too? */
static bool names_higher(const struct record *record, const struct record_op *op)
{
    struct wire_reader ops = record->ops;
    struct record_op other;
    while (record_next_op(&ops, &other))
        if (facet_realm_of(other.type) > facet_realm_of(op->type) &&
            uuid_equal(&other.object_id, &op->object_id))
            return true;
    return false;
}

static uint64_t object_bit(const struct uuid *object)
{
    return 1ull << bytes_hash(object->bytes, sizeof(object->bytes), 0) % 64;
}

static void note_ops(struct model *model, size_t number)
{
    struct wire_reader ops = model->records[number].record.ops;
    struct record_op op;
    while (record_next_op(&ops, &op)) {
        model->records[number].objects |= object_bit(&op.object_id);
        bool deletes = op.value.size == 1 && op.value.data[0] == 0;
        if (!(op.anew || deletes) || op.facet != FACET_LIFE || op.type == RESOURCE_NODE ||
            names_higher(&model->records[number].record, &op))
            continue;
        model->starts = memory_grow(model->starts, model->start_count, &model->start_capacity,
                                    sizeof(*model->starts));
        model->starts[model->start_count++] =
            (struct model_start){op.object_id, facet_realm_of(op.type), number, deletes};
    }
}

static void model_read(struct model *model, const struct world *world, const struct vv *upto)
{
    for (size_t i = 0; i < upto->count; i++) {
        struct vv context = {0};
        for (uint64_t seq = 1; seq <= upto->entries[i].seq; seq++) {
            const struct world_record *bytes =
                world_recorded(world, (struct dot){upto->entries[i].stream, seq});
            model->records = memory_grow(model->records, model->count, &model->capacity,
                                         sizeof(*model->records));
            struct model_record *at = &model->records[model->count];
            *at = (struct model_record){0};
            if (!bytes || !record_parse((struct bytes){bytes->bytes, bytes->size}, &at->record))
                break;
            struct wire_reader deps = at->record.deps;
            struct dot dep;
            while (record_next_dep(&deps, &dep))
                vv_raise(&context, dep.stream, dep.seq);
            vv_raise(&context, at->record.stream, seq);
            vv_copy(&at->context, &context);
            note_ops(model, model->count++);
        }
        vv_free(&context);
    }
}

static bool writes(const struct model *model,
                   const struct record *record,
                   const struct uuid *object,
                   uint16_t facet,
                   enum facet_realm realm,
                   struct uuid *out_owner)
{
    struct wire_reader ops = record->ops;
    struct record_op op;
    const struct dot dot = {record->stream, record->seq};
    while (record_next_op(&ops, &op))
        if (op.facet == facet && facet_realm_of(op.type) == realm &&
            uuid_equal(&op.object_id, object)) {
            *out_owner = op.owner;
            if (realm == REALM_NODES && facet == FACET_LIFE)
                return op.value.size == 1 && op.value.data[0] == 1 && uuid_is_zero(&op.owner);
            return !names_higher(record, &op) &&
                   ((facet != FACET_NODE_KEY && facet != FACET_NODE_STATUS) ||
                    realm != REALM_NODES || closings_count(model->closings, dot, object));
        }
    return false;
}

/* Does START end what RECORD says? Of a folded stream later records do not say that they knew
 * it, as nobody has anything of it: what was deleted is purged then, and who writes to the
 * object afterwards (a thief may without making it anew) brings none of that back. */
static bool ends(const struct model *model,
                 const struct model_start *start,
                 const struct model_record *record,
                 bool is_folded)
{
    const struct model_record *by = &model->records[start->record];
    bool knew = vv_get(&by->context, record->record.stream) >= record->record.seq;
    if (start->deletes)
        return knew && is_folded;
    return knew || (is_folded && vv_get(&record->context, by->record.stream) < by->record.seq);
}

/* Did somebody who knew RECORD make OBJECT anew later, or what it was below? */
static bool ended(const struct model *model,
                  const struct core *core,
                  const struct model_record *record,
                  const struct uuid *object,
                  enum facet_realm realm,
                  const struct uuid *owner)
{
    const struct stream *stream = core_stream(core, record->record.stream);
    for (size_t i = 0; i < model->start_count; i++) {
        const struct model_start *start = &model->starts[i];
        if (&model->records[start->record] != record && start->realm == realm &&
            (uuid_equal(&start->object, object) || uuid_equal(&start->object, owner)) &&
            ends(model, start, record, stream && stream->folded))
            return true;
    }
    return false;
}

/* RECORD's value stands unless somebody who knew it wrote the same facet later. */
static bool stands(const struct model *model,
                   const struct model_record *record,
                   const struct model_record *const *writers,
                   size_t writer_count)
{
    for (size_t i = 0; i < writer_count; i++)
        if (writers[i] != record &&
            vv_get(&writers[i]->context, record->record.stream) >= record->record.seq)
            return false;
    return true;
}

static void check_facet(struct world *world,
                        const struct model *model,
                        const struct core *core,
                        const struct object *object,
                        const struct facet_state *state,
                        enum facet_realm realm)
{
    const struct model_record **writers = memory_new((model->count + 1) * sizeof(*writers));
    struct uuid *owners = memory_new((model->count + 1) * sizeof(*owners));
    size_t count = 0, standing = 0, there = 0;
    for (size_t e = 0; e < state->count; e++)
        there += facet_realm_of(state->entries[e].type) == realm;
    for (size_t i = 0; i < model->count; i++)
        if ((model->records[i].objects & object_bit(&object->id)) &&
            writes(model, &model->records[i].record, &object->id, state->facet, realm,
                   &owners[count]))
            writers[count++] = &model->records[i];
    for (size_t i = 0; i < count; i++) {
        bool present = false;
        for (size_t e = 0; e < state->count; e++)
            present |= state->entries[e].dot.stream == writers[i]->record.stream &&
                       state->entries[e].dot.seq == writers[i]->record.seq &&
                       facet_realm_of(state->entries[e].type) == realm;
        bool should = stands(model, writers[i], writers, count) &&
                      !ended(model, core, writers[i], &object->id, realm, &owners[i]);
        standing += should;
        bool purged = !present && (!facet_object_counts(core_facets(core), object) ||
                                   facet_object_realm(object) != realm);
        if (present != should && !purged)
            world_fail(world, "facet %u: a value %s", state->facet,
                       should ? "was lost" : "came back");
    }
    if (standing != there && facet_object_realm(object) == realm &&
        facet_object_counts(core_facets(core), object))
        world_fail(world, "facet %u has %zu values and should have %zu", state->facet, there,
                   standing);
    free(writers);
    free(owners);
}

void world_check_model(struct world *world, const struct world_node *node)
{
    struct model model = {0};
    const struct object *object;
    model_read(&model, world, core_durable(node->core));
    model.closings = world_closings(world, core_durable(node->core));
    for (size_t i = 0; (object = uuid_map_next(&core_facets(node->core)->objects, &i));)
        for (size_t f = 0; f < object->count && !world->failure[0]; f++)
            for (int realm = REALM_THINGS; realm <= REALM_NODES; realm++)
                check_facet(world, &model, node->core, object, &object->facets[f],
                            (enum facet_realm)realm);
    for (size_t i = 0; i < model.count; i++)
        vv_free(&model.records[i].context);
    free(model.records);
    free(model.starts);
    closings_free(model.closings);
}

/* I4, I5: memory is what the disk gives, and what any order of the records gives. */
void world_check_recomputed(struct world *world)
{
    struct world_node *node = NULL;
    uint64_t first = world_below(world, world->node_count);
    for (unsigned i = 0; i < world->node_count && !node; i++) {
        struct world_node *one = &world->nodes[(first + i) % world->node_count];
        node = world_is_up(one) && !one->has_rot ? one : NULL;
    }
    if (!node)
        return;
    world_check_model(world, node);
    struct core *replayed = world_replay(world, node);
    if (!world->failure[0])
        world_check_equal(world, node->core, replayed, "replayed in another order");
    core_free(replayed);
    world_crash(world, node);
    world_start(world, node);
    world_check_convergence(world, "after a restart");
}

/* ---- I8: what is not right changes nothing ------------------------------------------------
 */

static struct world_record *any_record(struct world *world)
{
    struct world_record *record = NULL;
    size_t at = world->records.capacity ? world_below(world, world->records.capacity) : 0;
    for (int round = 0; round < 2 && !record; round++, at = 0)
        record = uuid_map_next(&world->records, &at);
    return record;
}

/* A record that nobody of the roster signed. */
static struct bytes strangers_record(struct world *world, const struct world_node *victim)
{
    uint8_t seed[SIGN_SEED_SIZE], key_id[RECORD_KEY_ID_SIZE];
    struct change_set changes = {0};
    struct uuid object = {{7}}, none = {0};
    struct bytes out = {0};
    struct vv deps = {0};
    world_fill(world, seed, sizeof(seed));
    struct sign_key *key = sign_key_from_seed(seed);
    change_set_add(&changes, &object, &none, 5, 10, (struct bytes){seed, 4});
    /* Under its own key, or under that of a node of the cluster. */
    const uint8_t *claimed =
        world_below(world, 2) ? sign_key_public(key) : sign_key_public(victim->key);
    record_key_id(claimed, key_id);
    const struct record_draft draft = {
        .stream = random_sequence_next(&world->random) | 1,
        .seq = 1,
        .hlc = UINT64_MAX >> 1,
        .deps = &deps,
        .node_id = world->nodes[world_below(world, world->node_count)].id,
        .key_id = key_id,
        .incarnation = 1,
        .kind = RECORD_CONFIG,
        .change_id = object,
        .author = "eve",
        .via = "forged",
        .changes = &changes,
    };
    record_build(&draft, &core_genesis(victim->core)->cluster_id, key, &out);
    change_set_free(&changes);
    sign_key_free(key);
    return out;
}

void world_forge(struct world *world)
{
    struct world_node *victim = &world->nodes[world_below(world, world->node_count)];
    struct world_node *from = &world->nodes[world_below(world, world->node_count)];
    struct world_record *known = any_record(world);
    struct bytes forged = {0};
    struct vv before = {0};
    uint8_t hash[HASH_SIZE], after[HASH_SIZE];
    if (!world_is_up(victim) || victim == from || !known || victim->core->committing ||
        victim->core->submission_count > 0 || core_wants_stage(victim->core))
        return;
    if (world_below(world, 3) == 0) {
        forged = strangers_record(world, victim);
    } else {
        size_t size = world_below(world, 2) ? known->size : world_below(world, known->size);
        forged = (struct bytes){memory_copy(known->bytes, size), size};
        if (size == known->size)
            ((uint8_t *)(uintptr_t)forged.data)[world_below(world, size)] ^=
                (uint8_t)(1u << world_below(world, 8));
    }
    vv_copy(&before, core_vector(victim->core));
    facet_state_hash(core_facets(victim->core), hash);
    size_t pending = victim->core->pending_count;
    world_step(
        world, victim,
        &(struct core_event){
            .kind = CORE_FRAME, .node = from->id, .frame_type = FRAME_RECORD, .body = forged});
    facet_state_hash(core_facets(victim->core), after);
    if (!vv_equal(&before, core_vector(victim->core)) || memcmp(hash, after, HASH_SIZE) != 0 ||
        victim->core->pending_count != pending)
        world_fail(world, "node %u took a forged record", victim->number);
    vv_free(&before);
    free((void *)(uintptr_t)forged.data);
}
