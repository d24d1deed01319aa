#include "replication/facet.h"

#include "replication/facet_internal.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    OWNER_DEPTH = 8 /* load balancer, pool, member, and room */
};

/* ---- entries ---------------------------------------------------------------------------- */

void facet_entry_free(struct facet_entry *entry)
{
    free(entry->author);
    free(entry->value);
    free(entry->by);
}

static void encode_key(const struct uuid *object_id,
                       uint16_t facet,
                       struct dot dot,
                       uint8_t out[FACET_KEY_SIZE])
{
    memcpy(out, object_id->bytes, 16);
    store_be16(out + 16, facet);
    store_be64(out + 18, dot.stream);
    store_be64(out + 26, dot.seq);
}

/* Canonical entry: key, type u8, owner 16, op_index u32, hlc u64 (big-endian), value. */
static void hash_entry(struct facet_entry *entry, const struct uuid *object_id, uint16_t facet)
{
    uint8_t head[FACET_KEY_SIZE + 1 + 16 + 4 + 8];
    encode_key(object_id, facet, entry->dot, head);
    head[FACET_KEY_SIZE] = entry->type;
    memcpy(head + FACET_KEY_SIZE + 1, entry->owner.bytes, 16);
    store_be32(head + FACET_KEY_SIZE + 17, entry->op_index);
    store_be64(head + FACET_KEY_SIZE + 21, entry->hlc);
    struct bytes parts[] = {{head, sizeof(head)}, {entry->value, entry->value_size}};
    hash_make((struct bytes){0}, parts, 2, entry->hash, HASH_SIZE);
}

void facet_entry_put(struct store_batch *batch,
                     const struct uuid *object_id,
                     uint16_t facet,
                     const struct facet_entry *entry)
{
    uint8_t key[FACET_KEY_SIZE];
    struct wire_writer writer = {0};
    encode_key(object_id, facet, entry->dot, key);
    wire_put_varint(&writer, 1, entry->type);
    wire_put_bytes(&writer, 2, (struct bytes){entry->owner.bytes, 16});
    wire_put_varint(&writer, 3, entry->op_index);
    wire_put_fixed64(&writer, 4, entry->hlc);
    wire_put_varint(&writer, 5, entry->wall_ms);
    wire_put_bytes(&writer, 6, (struct bytes){entry->node_id.bytes, 16});
    wire_put_text(&writer, 7, entry->author);
    wire_put_bytes(&writer, 8, (struct bytes){entry->value, entry->value_size});
    if (entry->by_count > 0)
        facet_put_by(&writer, 9, entry);
    store_batch_put(batch, STORE_FACET, (struct bytes){key, sizeof(key)},
                    wire_written(&writer));
    wire_writer_free(&writer);
}

static bool read_uuid(struct bytes in, struct uuid *out)
{
    if (in.size != sizeof(out->bytes))
        return false;
    memcpy(out->bytes, in.data, sizeof(out->bytes));
    return true;
}

static bool parse_entry(struct bytes in, struct facet_entry *out)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    bool valid = true;
    while (wire_next(&reader, &field)) {
        switch (field.number) {
        case 1: out->type = (uint8_t)field.integer; break;
        case 2: valid &= read_uuid(field.bytes, &out->owner); break;
        case 3: out->op_index = (uint32_t)field.integer; break;
        case 4: out->hlc = field.integer; break;
        case 5: out->wall_ms = field.integer; break;
        case 6: valid &= read_uuid(field.bytes, &out->node_id); break;
        case 7:
            free(out->author);
            out->author = memory_text(field.bytes.data, field.bytes.size);
            break;
        case 8:
            free(out->value);
            out->value = memory_copy(field.bytes.data, field.bytes.size);
            out->value_size = field.bytes.size;
            break;
        case 9: facet_take_by(field.bytes, out); break;
        }
    }
    return valid && wire_ended(&reader) && out->author && out->value;
}

/* ---- objects and facets ----------------------------------------------------------------- */

const struct object *facet_object(const struct facet_table *table, const struct uuid *id)
{
    return uuid_map_get(&table->objects, id);
}

struct object *facet_make_object(struct facet_table *table, const struct uuid *id)
{
    struct object *object = uuid_map_get(&table->objects, id);
    if (object)
        return object;
    object = memory_new(sizeof(*object));
    object->id = *id;
    if (!uuid_map_set(&table->objects, id, object))
        abort();
    return object;
}

static size_t facet_position(const struct object *object, uint16_t facet)
{
    size_t at = 0;
    while (at < object->count && object->facets[at].facet < facet)
        at++;
    return at;
}

const struct facet_state *facet_of(const struct object *object, uint16_t facet)
{
    size_t at = facet_position(object, facet);
    return at < object->count && object->facets[at].facet == facet ? &object->facets[at] : NULL;
}

struct facet_state *facet_make_facet(struct object *object, uint16_t facet)
{
    size_t at = facet_position(object, facet);
    if (at < object->count && object->facets[at].facet == facet)
        return &object->facets[at];
    object->facets =
        memory_grow(object->facets, object->count, &object->capacity, sizeof(*object->facets));
    memmove(object->facets + at + 1, object->facets + at,
            (object->count++ - at) * sizeof(*object->facets));
    object->facets[at] = (struct facet_state){.facet = facet};
    return &object->facets[at];
}

/* Room for one entry at first: that is the normal case, and there are many facets. */
struct facet_entry *facet_append_entry(struct facet_state *state)
{
    if (state->count == state->capacity) {
        state->capacity = state->capacity ? 2 * state->capacity : 1;
        state->entries =
            memory_resize(state->entries, state->capacity * sizeof(*state->entries));
    }
    struct facet_entry *entry = &state->entries[state->count++];
    *entry = (struct facet_entry){0};
    return entry;
}

/* One entry more names OWNER, or one less. */
void facet_count_owner(struct uuid_map *owners, const struct uuid *owner, bool comes)
{
    if (uuid_is_zero(owner))
        return;
    uintptr_t count = (uintptr_t)uuid_map_get(owners, owner);
    count = comes ? count + 1 : count - 1;
    if (count == 0)
        uuid_map_remove(owners, owner);
    else if (!uuid_map_set(owners, owner, (void *)count))
        abort();
}

static bool is_covered(const struct facet_entry *entry, const struct facet_stamp *stamp)
{
#ifdef BROKEN_MERGE /* a test build: "last writer wins", which the simulation must notice */
    if (entry->hlc < stamp->hlc)
        return true;
#endif
    if (entry->dot.stream == stamp->dot.stream)
        return entry->dot.seq <= stamp->dot.seq;
    return vv_get(stamp->context, entry->dot.stream) >= entry->dot.seq;
}

bool facet_is_reached(const struct facet_reach *reach,
                      uint16_t facet,
                      const struct facet_entry *entry)
{
    return facet_realm_of(entry->type) == reach->realm &&
           (!reach->facet || *reach->facet == facet) &&
           (!reach->owner || uuid_equal(&entry->owner, reach->owner)) &&
           is_covered(entry, reach->stamp);
}

void facet_dead_key(struct dot dot, uint32_t op_index, uint8_t out[FACET_DEAD_KEY_SIZE])
{
    store_be64(out, dot.stream);
    store_be64(out + 8, dot.seq);
    store_be32(out + 16, op_index);
}

void facet_put_dead(struct dot dot, uint32_t op_index, struct store_batch *batch)
{
    uint8_t key[FACET_DEAD_KEY_SIZE];
    facet_dead_key(dot, op_index, key);
    store_batch_put(batch, STORE_DEAD, (struct bytes){key, sizeof(key)}, (struct bytes){0});
}

void facet_follow_losses(struct facet_table *table)
{
    table->losses.followed = true;
    table->losses.count = 0;
}

static void note_loss(struct facet_losses *losses, struct dot dot)
{
    losses->followed &= losses->count < FACET_LOSSES;
    if (!losses->followed)
        return;
    losses->dots =
        memory_grow(losses->dots, losses->count, &losses->capacity, sizeof(*losses->dots));
    losses->dots[losses->count++] = dot;
}

static void note_trust(struct facet_table *table, uint8_t type)
{
    table->trust_version += facet_realm_of(type) != REALM_THINGS;
}

void facet_entry_out(struct facet_table *table,
                     const struct object *object,
                     uint16_t facet,
                     const struct facet_entry *entry,
                     struct store_batch *batch)
{
    uint8_t key[FACET_KEY_SIZE];
    encode_key(&object->id, facet, entry->dot, key);
    store_batch_remove(batch, STORE_FACET, (struct bytes){key, sizeof(key)});
    note_loss(&table->losses, entry->dot);
    note_trust(table, entry->type);
    facet_sum_entry(table, object, entry, false);
    facet_count_owner(&table->owners, &entry->owner, false);
}

void facet_entry_in(struct facet_table *table,
                    struct object *object,
                    struct facet_state *state,
                    const struct facet_entry *entry,
                    struct store_batch *batch)
{
    *facet_append_entry(state) = *entry;
    facet_entry_put(batch, &object->id, state->facet, entry);
    note_trust(table, entry->type);
    facet_sum_entry(table, object, entry, true);
    facet_count_owner(&table->owners, &entry->owner, true);
    if (state->facet == FACET_LIFE)
        facet_sum_life(table, object);
}

void facet_entry_make(const struct record_op *op,
                      uint32_t op_index,
                      const struct facet_stamp *stamp,
                      struct facet_entry *out)
{
    *out = (struct facet_entry){
        .dot = stamp->dot,
        .op_index = op_index,
        .hlc = stamp->hlc,
        .wall_ms = stamp->wall_ms,
        .owner = op->owner,
        .node_id = stamp->node_id,
        .type = op->type,
        .author = memory_text(stamp->author.data, stamp->author.size),
        .value = memory_copy(op->value.data, op->value.size),
        .value_size = op->value.size,
    };
    hash_entry(out, &op->object_id, op->facet);
}

static void drop_covered(struct facet_table *table,
                         const struct object *object,
                         struct facet_state *state,
                         const struct facet_reach *reach,
                         struct store_batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->count; i++) {
        struct facet_entry *entry = &state->entries[i];
        if (!facet_is_reached(reach, state->facet, entry)) {
            state->entries[kept++] = *entry;
            continue;
        }
        facet_entry_out(table, object, state->facet, entry, batch);
        facet_shadow_keep(table, &object->id, state->facet, entry, &reach->stamp->dot, batch);
    }
    state->count = kept;
}

void facet_note_changed(struct facet_table *table, struct object *object)
{
    struct facet_changes *changes = &table->changes;
    if (object->changed || !changes->followed)
        return;
    object->changed = true;
    changes->ids =
        memory_grow(changes->ids, changes->count, &changes->capacity, sizeof(*changes->ids));
    changes->ids[changes->count++] = object->id;
}

void facet_changes_taken(struct facet_table *table)
{
    struct facet_changes *changes = &table->changes;
    for (size_t i = 0; i < changes->count; i++) {
        struct object *object = uuid_map_get(&table->objects, &changes->ids[i]);
        if (object)
            object->changed = false;
    }
    changes->count = 0;
    changes->followed = true;
}

void facet_restore(struct facet_table *table,
                   const struct record_op *op,
                   uint32_t op_index,
                   const struct facet_stamp *stamp,
                   struct bytes by,
                   struct store_batch *batch)
{
    struct object *object = facet_make_object(table, &op->object_id);
    struct facet_entry entry;
    facet_entry_make(op, op_index, stamp, &entry);
    facet_take_by(by, &entry);
    facet_note_changed(table, object);
    facet_entry_in(table, object, facet_make_facet(object, op->facet), &entry, batch);
}

enum facet_effect facet_apply(struct facet_table *table,
                              const struct record_op *op,
                              uint32_t op_index,
                              const struct facet_stamp *stamp,
                              struct store_batch *batch)
{
    const struct facet_reach reach = {
        .stamp = stamp, .realm = facet_realm_of(op->type), .facet = &op->facet};
    facet_shadow_cover(table, &op->object_id, &reach, batch);
    if (stamp->is_late && facet_shadow_late(table, op, op_index, stamp, batch))
        return FACET_WRITTEN;
    struct object *object = facet_make_object(table, &op->object_id);
    struct facet_state *state = facet_make_facet(object, op->facet);
    struct facet_entry entry;
    size_t before = facet_seen_count(object, state);
    facet_entry_make(op, op_index, stamp, &entry);
    facet_note_changed(table, object);
    drop_covered(table, object, state, &reach, batch);
    facet_entry_in(table, object, state, &entry, batch);
    size_t count = facet_seen_count(object, state);
    if (count > 1 && before <= 1)
        return FACET_CONFLICT_OPENED;
    return count == 1 && before > 1 ? FACET_CONFLICT_CLOSED : FACET_WRITTEN;
}

bool facet_load(struct facet_table *table, struct bytes key, struct bytes value)
{
    struct uuid object_id;
    if (key.size != FACET_KEY_SIZE)
        return false;
    memcpy(object_id.bytes, key.data, 16);
    uint16_t facet = load_be16(key.data + 16);
    struct facet_entry loaded = {
        .dot = {load_be64(key.data + 18), load_be64(key.data + 26)},
    };
    if (!parse_entry(value, &loaded)) {
        facet_entry_free(&loaded);
        return false;
    }
    hash_entry(&loaded, &object_id, facet);
    facet_count_owner(&table->owners, &loaded.owner, true);
    note_trust(table, loaded.type);
    *facet_append_entry(facet_make_facet(facet_make_object(table, &object_id), facet)) = loaded;
    table->sum.known = false;
    return true;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Entries have no order, so the sum must not depend on it. */
static uint64_t hash_dots(const struct facet_state *state, enum facet_realm realm)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < state->count; i++) {
        uint8_t dot[16];
        if (facet_realm_of(state->entries[i].type) != realm)
            continue;
        store_be64(dot, state->entries[i].dot.stream);
        store_be64(dot + 8, state->entries[i].dot.seq);
        sum += bytes_hash(dot, sizeof(dot), 0);
    }
    return sum;
}

struct raw_facet facet_view(const struct object *object, const struct facet_state *state)
{
    const struct facet_entry *winner = facet_seen(object, state);
    if (!winner)
        return (struct raw_facet){.object_id = object->id, .facet = state->facet};
    return (struct raw_facet){
        .object_id = object->id,
        .owner = winner->owner,
        .type = winner->type,
        .facet = state->facet,
        .value = {winner->value, winner->value_size},
        .hlc = winner->hlc,
        .stream = winner->dot.stream,
        .seq = winner->dot.seq,
        .entry_count = (unsigned)facet_seen_count(object, state),
        .entries_hash = hash_dots(state, facet_realm_of(winner->type)),
    };
}

uint64_t facet_object_revision(const struct facet_table *table, const struct uuid *id)
{
    const struct object *object = facet_object(table, id);
    uint64_t revision = 0;
    for (size_t f = 0; object && f < object->count; f++) {
        const struct raw_facet raw = facet_view(object, &object->facets[f]);
        revision += raw.entry_count > 0 ? raw_facet_revision(&raw) : 0;
    }
    return revision;
}

bool facet_object_counts(const struct facet_table *table, const struct object *object)
{
    for (int depth = 0; depth < OWNER_DEPTH; depth++) {
        const struct facet_entry *life =
            object ? facet_winner(facet_of(object, FACET_LIFE)) : NULL;
        if (!life || life->value_size != 1 || life->value[0] == 0)
            return false;
        if (uuid_is_zero(&life->owner))
            return true;
        object = facet_object(table, &life->owner);
    }
    return false;
}

void facet_object_free(struct object *object)
{
    for (size_t f = 0; f < object->count; f++) {
        for (size_t e = 0; e < object->facets[f].count; e++)
            facet_entry_free(&object->facets[f].entries[e]);
        free(object->facets[f].entries);
    }
    free(object->facets);
    free(object);
}

bool facet_provides(const struct facet_table *table,
                    const struct record_op *op,
                    uint32_t op_index,
                    struct dot dot)
{
    const struct object *object = facet_object(table, &op->object_id);
    const struct facet_state *state = object ? facet_of(object, op->facet) : NULL;
    for (size_t i = 0; state && i < state->count; i++) {
        const struct facet_entry *entry = &state->entries[i];
        if (entry->dot.stream == dot.stream && entry->dot.seq == dot.seq &&
            entry->op_index == op_index)
            return true;
    }
    return false;
}

static void purge_entry(struct facet_table *table,
                        const struct object *object,
                        uint16_t facet,
                        struct facet_entry *entry,
                        struct store_batch *batch)
{
    facet_entry_out(table, object, facet, entry, batch);
    facet_put_dead(entry->dot, entry->op_index, batch);
    facet_entry_free(entry);
}

void facet_purge(struct facet_table *table, const struct uuid *id, struct store_batch *batch)
{
    struct object *object = uuid_map_remove(&table->objects, id);
    if (!object)
        return;
    for (size_t f = 0; f < object->count; f++) {
        struct facet_state *state = &object->facets[f];
        for (size_t e = 0; e < state->count; e++)
            purge_entry(table, object, state->facet, &state->entries[e], batch);
        state->count = 0;
    }
    facet_object_free(object);
}

void facet_table_free(struct facet_table *table)
{
    struct object *object;
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));)
        facet_object_free(object);
    uuid_map_free(&table->objects);
    uuid_map_free(&table->owners);
    free(table->changes.ids);
    free(table->losses.dots);
    facet_shadows_free(table);
    *table = (struct facet_table){0};
}
