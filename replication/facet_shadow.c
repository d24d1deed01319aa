/* Values that do not count now, and may again. Records of a node that is removed are void
 * beyond a cut-off, and some nodes may have applied them before they heard of it
 * (replication.md 9.5). So what a record replaced is kept beside the state, with the records
 * that replaced it, until all nodes have one of these on their disks: then it can never become
 * void any more.
 *
 * A value counts when its own record is not void and all records that replaced it are. That
 * does not depend on the order in which records and cut-offs came. Of each stream the first
 * record that replaced a value is enough: a cut-off makes void whatever follows. */
#include "replication/facet_internal.h"

#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    DOT_SIZE = 16
};

/* ---- rows ------------------------------------------------------------------------------- */

static void append_by(struct wire_writer *out, const struct facet_entry *entry)
{
    uint8_t dot[DOT_SIZE];
    for (size_t i = 0; i < entry->by_count; i++) {
        store_be64(dot, entry->by[i].stream);
        store_be64(dot + 8, entry->by[i].seq);
        wire_append(out, dot, sizeof(dot));
    }
}

static void add_by(struct facet_entry *entry, struct dot by)
{
    entry->by = memory_resize(entry->by, (entry->by_count + 1) * sizeof(*entry->by));
    entry->by[entry->by_count++] = by;
}

void facet_put_by(struct wire_writer *out, uint32_t number, const struct facet_entry *entry)
{
    struct wire_writer list = {0};
    append_by(&list, entry);
    wire_put_bytes(out, number, wire_written(&list));
    wire_writer_free(&list);
}

void facet_take_by(struct bytes in, struct facet_entry *entry)
{
    for (size_t at = 0; at + DOT_SIZE <= in.size; at += DOT_SIZE)
        add_by(entry, (struct dot){load_be64(in.data + at), load_be64(in.data + at + 8)});
}

static const uint8_t only_void = 1;
const struct bytes facet_row_of_void = {&only_void, 1};

/* The table `dead`: nothing: for good; one byte: the record is void; else what replaced it. */
static void put_row(const struct facet_entry *entry, struct store_batch *batch)
{
    uint8_t key[FACET_DEAD_KEY_SIZE];
    struct wire_writer row = {0};
    facet_dead_key(entry->dot, entry->op_index, key);
    if (entry->by_count == 0)
        wire_append(&row, facet_row_of_void.data, facet_row_of_void.size);
    append_by(&row, entry);
    store_batch_put(batch, STORE_DEAD, (struct bytes){key, sizeof(key)}, wire_written(&row));
    wire_writer_free(&row);
}

static void remove_row(const struct facet_entry *entry, struct store_batch *batch)
{
    uint8_t key[FACET_DEAD_KEY_SIZE];
    facet_dead_key(entry->dot, entry->op_index, key);
    store_batch_remove(batch, STORE_DEAD, (struct bytes){key, sizeof(key)});
}

bool facet_row_has_shadow(struct bytes row)
{
    return row.size == 1 || (row.size > 0 && row.size % DOT_SIZE == 0);
}

/* ---- keeping ---------------------------------------------------------------------------- */

static bool has_stream(const struct facet_entry *entry, uint64_t stream)
{
    for (size_t i = 0; i < entry->by_count; i++)
        if (entry->by[i].stream == stream)
            return true;
    return false;
}

/* Takes the memory of SHADOW over. */
static void add_shadow(struct facet_table *table,
                       const struct uuid *object_id,
                       const struct facet_shadow *shadow)
{
    struct facet_shadows *shadows = uuid_map_get(&table->shadows, object_id);
    if (!shadows) {
        shadows = memory_new(sizeof(*shadows));
        shadows->id = *object_id;
        if (!uuid_map_set(&table->shadows, object_id, shadows))
            abort();
    }
    if (shadows->count == 0)
        shadows->common = shadow->entry.by_count == 1 ? shadow->entry.by[0].stream : 0;
    else if (!has_stream(&shadow->entry, shadows->common))
        shadows->common = 0;
    shadows->items =
        memory_grow(shadows->items, shadows->count, &shadows->capacity, sizeof(*shadow));
    shadows->items[shadows->count++] = *shadow;
    table->shadow_count++;
    facet_count_owner(&table->shadow_owners, &shadow->entry.owner, true);
}

void facet_shadow_keep(struct facet_table *table,
                       const struct uuid *object_id,
                       uint16_t facet,
                       struct facet_entry *entry,
                       const struct dot *by,
                       struct store_batch *batch)
{
    struct facet_shadow shadow = {.facet = facet, .entry = *entry};
    if (by && !has_stream(&shadow.entry, by->stream))
        add_by(&shadow.entry, *by);
    put_row(&shadow.entry, batch);
    add_shadow(table, object_id, &shadow);
}

bool facet_restore_shadow(struct facet_table *table,
                          const struct record_op *op,
                          uint32_t op_index,
                          const struct facet_stamp *stamp,
                          struct bytes row,
                          struct store_batch *batch)
{
    struct facet_shadow shadow = {.facet = op->facet};
    if (!facet_row_has_shadow(row))
        return false;
    facet_entry_make(op, op_index, stamp, &shadow.entry);
    facet_take_by(row, &shadow.entry);
    if (batch)
        put_row(&shadow.entry, batch);
    add_shadow(table, &op->object_id, &shadow);
    return true;
}

static void
cover(struct facet_shadows *shadows, const struct facet_reach *reach, struct store_batch *batch)
{
    const struct facet_stamp *stamp = reach->stamp;
    bool all = true;
    if (shadows->common == stamp->dot.stream)
        return;
    for (size_t i = 0; i < shadows->count; i++) {
        struct facet_shadow *shadow = &shadows->items[i];
        if (has_stream(&shadow->entry, stamp->dot.stream))
            continue;
        if (!facet_is_reached(reach, shadow->facet, &shadow->entry)) {
            all = false;
            continue;
        }
        add_by(&shadow->entry, stamp->dot);
        put_row(&shadow->entry, batch);
    }
    if (all)
        shadows->common = stamp->dot.stream;
}

void facet_shadow_cover(struct facet_table *table,
                        const struct uuid *object_id,
                        const struct facet_reach *reach,
                        struct store_batch *batch)
{
    struct facet_shadows *shadows;
    if (object_id) {
        shadows = uuid_map_get(&table->shadows, object_id);
        if (shadows)
            cover(shadows, reach, batch);
        return;
    }
    for (size_t i = 0; (shadows = uuid_map_next(&table->shadows, &i));)
        cover(shadows, reach, batch);
}

bool facet_has_shadow(const struct facet_table *table,
                      const struct uuid *object_id,
                      struct dot dot)
{
    const struct facet_shadows *shadows = uuid_map_get(&table->shadows, object_id);
    for (size_t i = 0; shadows && i < shadows->count; i++) {
        const struct dot *own = &shadows->items[i].entry.dot;
        if (own->stream == dot.stream && own->seq == dot.seq)
            return true;
    }
    return false;
}

/* ---- records that come late ------------------------------------------------------------- */

static void note_late(struct facet_entry *out,
                      const struct facet_stamp *stamp,
                      const struct facet_entry *later)
{
    struct dot by = later->dot;
    if (facet_realm_of(later->type) != facet_realm_of(out->type) ||
        !stamp->is_late(stamp->judge, by, stamp->dot))
        return;
    for (size_t i = 0; i < out->by_count; i++)
        if (out->by[i].stream == by.stream) {
            out->by[i].seq = by.seq < out->by[i].seq ? by.seq : out->by[i].seq;
            return;
        }
    add_by(out, by);
}

bool facet_shadow_late(struct facet_table *table,
                       const struct record_op *op,
                       uint32_t op_index,
                       const struct facet_stamp *stamp,
                       struct store_batch *batch)
{
    const struct object *object = facet_object(table, &op->object_id);
    const struct facet_state *state = object ? facet_of(object, op->facet) : NULL;
    const struct facet_shadows *shadows = uuid_map_get(&table->shadows, &op->object_id);
    struct facet_shadow found = {.facet = op->facet};
    facet_entry_make(op, op_index, stamp, &found.entry);
    for (size_t i = 0; state && i < state->count; i++)
        note_late(&found.entry, stamp, &state->entries[i]);
    for (size_t i = 0; shadows && i < shadows->count; i++)
        if (shadows->items[i].facet == op->facet)
            note_late(&found.entry, stamp, &shadows->items[i].entry);
    if (found.entry.by_count == 0) {
        facet_entry_free(&found.entry);
        return false;
    }
    put_row(&found.entry, batch);
    add_shadow(table, &op->object_id, &found);
    return true;
}

/* ---- judging ---------------------------------------------------------------------------- */

static void
note_judged(struct facet_table *table, struct facet_judgement *judgement, uint8_t type)
{
    judgement->changed = true;
    judgement->changed_nodes |= facet_realm_of(type) != REALM_THINGS;
    table->sum.known = false;
    table->changes.followed = false;
}

static bool counts(const struct facet_entry *entry, const struct facet_judgement *judgement)
{
    if (judgement->is_void(judgement->context, entry->dot))
        return false;
    for (size_t i = 0; i < entry->by_count; i++)
        if (!judgement->is_void(judgement->context, entry->by[i]))
            return false;
    return true;
}

struct hiding {
    struct facet_table *table;
    struct facet_judgement *judgement;
};

static bool is_void_now(void *context, uint16_t facet, const struct facet_entry *entry)
{
    const struct hiding *hiding = context;
    if (counts(entry, hiding->judgement))
        return false;
    (void)facet;
    note_judged(hiding->table, hiding->judgement, entry->type);
    hiding->judgement->hidden++;
    return true;
}

static void hide_all(struct facet_table *table,
                     struct facet_judgement *judgement,
                     struct store_batch *batch)
{
    struct object *object, **empty = NULL;
    struct hiding hiding = {table, judgement};
    size_t count = 0, capacity = 0;
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));) {
        facet_sift(table, object, is_void_now, &hiding, NULL, batch);
        if (object->count > 0)
            continue;
        empty = memory_grow(empty, count, &capacity, sizeof(struct object *));
        empty[count++] = object;
    }
    for (size_t i = 0; i < count; i++)
        facet_drop_empty(table, empty[i]);
    free(empty);
}

/* SHADOW is a value again. What replaced it stays known: it may do so once more. */
static void bring_back(struct facet_table *table,
                       const struct uuid *object_id,
                       struct facet_shadow *shadow,
                       struct store_batch *batch)
{
    struct object *object = facet_make_object(table, object_id);
    remove_row(&shadow->entry, batch);
    facet_entry_in(table, object, facet_make_facet(object, shadow->facet), &shadow->entry,
                   batch);
    facet_count_owner(&table->shadow_owners, &shadow->entry.owner, false);
}

void facet_judge(struct facet_table *table,
                 struct facet_judgement *judgement,
                 struct store_batch *batch)
{
    struct facet_shadows *shadows;
    judgement->changed = judgement->changed_nodes = false;
    judgement->hidden = judgement->restored = 0;
#ifdef BROKEN_REMOVAL /* a test build: what was applied stays, which the simulation must       \
                         notice */
    return;
#endif
    hide_all(table, judgement, batch);
    for (size_t i = 0; (shadows = uuid_map_next(&table->shadows, &i));) {
        size_t kept = 0;
        for (size_t k = 0; k < shadows->count; k++) {
            struct facet_shadow *shadow = &shadows->items[k];
            if (!counts(&shadow->entry, judgement)) {
                shadows->items[kept++] = *shadow;
                continue;
            }
            note_judged(table, judgement, shadow->entry.type);
            judgement->restored++;
            bring_back(table, &shadows->id, shadow, batch);
        }
        table->shadow_count -= shadows->count - kept;
        shadows->count = kept;
    }
}

/* ---- forgetting ------------------------------------------------------------------------- */

static bool is_settled(const struct facet_entry *entry,
                       bool (*settled)(void *context, struct dot dot),
                       void *context)
{
    for (size_t i = 0; i < entry->by_count; i++)
        if (settled(context, entry->by[i]))
            return true;
    return false;
}

static void shadows_free(struct facet_shadows *shadows)
{
    for (size_t i = 0; i < shadows->count; i++)
        facet_entry_free(&shadows->items[i].entry);
    free(shadows->items);
    free(shadows);
}

static void prune(struct facet_table *table,
                  struct facet_shadows *shadows,
                  bool (*settled)(void *context, struct dot dot),
                  void *context)
{
    size_t kept = 0;
    for (size_t k = 0; k < shadows->count; k++) {
        struct facet_shadow *shadow = &shadows->items[k];
        if (!is_settled(&shadow->entry, settled, context)) {
            shadows->items[kept++] = *shadow;
            continue;
        }
        facet_count_owner(&table->shadow_owners, &shadow->entry.owner, false);
        facet_entry_free(&shadow->entry);
        table->shadow_count--;
    }
    shadows->count = kept;
}

void facet_shadows_prune(struct facet_table *table,
                         bool (*settled)(void *context, struct dot dot),
                         void *context)
{
    struct facet_shadows *shadows, **empty = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; (shadows = uuid_map_next(&table->shadows, &i));) {
        prune(table, shadows, settled, context);
        if (shadows->count > 0)
            continue;
        empty = memory_grow(empty, count, &capacity, sizeof(struct facet_shadows *));
        empty[count++] = shadows;
    }
    for (size_t i = 0; i < count; i++) {
        uuid_map_remove(&table->shadows, &empty[i]->id);
        shadows_free(empty[i]);
    }
    free(empty);
}

void facet_shadows_free(struct facet_table *table)
{
    struct facet_shadows *shadows;
    for (size_t i = 0; (shadows = uuid_map_next(&table->shadows, &i));)
        shadows_free(shadows);
    uuid_map_free(&table->shadows);
    uuid_map_free(&table->shadow_owners);
}
