#include "replication/history_index.h"

#include "lbnode/base/bytes.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

int history_write_compare(const struct history_write *a, const struct history_write *b)
{
    const uint64_t left[] = {a->hlc, a->dot.stream, a->dot.seq, a->op_index};
    const uint64_t right[] = {b->hlc, b->dot.stream, b->dot.seq, b->op_index};
    for (size_t i = 0; i < ARRAY_LENGTH(left); i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

size_t history_index_find(const struct history_write *writes,
                          size_t count,
                          const struct history_write *stamp)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (history_write_compare(&writes[middle], stamp) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Nearly always at the end: what comes late was made on a node that was away. */
static void insert(struct history_write **writes,
                   size_t *count,
                   size_t *capacity,
                   const struct history_write *write)
{
    *writes = memory_grow(*writes, *count, capacity, sizeof(**writes));
    size_t at = *count;
    if (at > 0 && history_write_compare(&(*writes)[at - 1], write) > 0)
        at = history_index_find(*writes, *count, write);
    memmove(*writes + at + 1, *writes + at, (*count - at) * sizeof(**writes));
    (*writes)[at] = *write;
    ++*count;
}

static struct history_object *object_for(struct history_index *index, const struct uuid *id)
{
    struct history_object *object = uuid_map_get(&index->objects, id);
    if (object)
        return object;
    object = memory_new(sizeof(*object));
    object->id = *id;
    if (!uuid_map_set(&index->objects, id, object))
        abort();
    return object;
}

static struct history_context *
find_context(const struct history_index *index, uint64_t stream, uint64_t other)
{
    for (size_t i = 0; i < index->context_count; i++)
        if (index->contexts[i].stream == stream && index->contexts[i].other == other)
            return &index->contexts[i];
    return NULL;
}

/* Records name only what changed since their predecessor. */
static void add_dep(struct history_index *index, const struct record *record, struct dot dep)
{
    struct history_context *context = find_context(index, record->stream, dep.stream);
    if (!context) {
        index->contexts = memory_grow(index->contexts, index->context_count,
                                      &index->context_capacity, sizeof(*index->contexts));
        context = &index->contexts[index->context_count++];
        *context = (struct history_context){.stream = record->stream, .other = dep.stream};
    }
    context->steps = memory_grow(context->steps, context->count, &context->capacity,
                                 sizeof(*context->steps));
    context->steps[context->count++] = (struct history_step){record->seq, dep.seq};
}

bool history_index_knew(const struct history_index *index, struct dot later, struct dot earlier)
{
    if (later.stream == earlier.stream)
        return later.seq > earlier.seq;
    const struct history_context *context = find_context(index, later.stream, earlier.stream);
    size_t low = 0, high = context ? context->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (context->steps[middle].seq <= later.seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && context->steps[low - 1].known >= earlier.seq;
}

bool history_index_add(struct history_index *index, const struct record *record)
{
    struct history_write write = {.hlc = record->hlc, .dot = {record->stream, record->seq}};
    struct wire_reader ops = record->ops, deps = record->deps;
    struct record_op op;
    struct dot dep;
    if (index->write_count + record->op_count + 1 > HISTORY_WRITES_MAXIMUM)
        return false;
    insert(&index->changes, &index->change_count, &index->change_capacity, &write);
    for (uint32_t i = 0; record_next_op(&ops, &op); i++) {
        struct history_object *object = object_for(index, &op.object_id);
        write.op_index = i;
        write.facet = op.facet;
        write.type = op.type;
        insert(&object->writes, &object->count, &object->capacity, &write);
    }
    while (record_next_dep(&deps, &dep))
        add_dep(index, record, dep);
    index->write_count += record->op_count + 1;
    vv_raise(&index->read, record->stream, record->seq);
    return true;
}

const struct history_object *history_index_object(const struct history_index *index,
                                                  const struct uuid *id)
{
    return uuid_map_get(&index->objects, id);
}

void history_index_free(struct history_index *index)
{
    struct history_object *object;
    for (size_t i = 0; (object = uuid_map_next(&index->objects, &i));) {
        free(object->writes);
        free(object);
    }
    uuid_map_free(&index->objects);
    for (size_t i = 0; i < index->context_count; i++)
        free(index->contexts[i].steps);
    free(index->contexts);
    free(index->changes);
    vv_free(&index->read);
    *index = (struct history_index){0};
}
