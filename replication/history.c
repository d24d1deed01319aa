/* Questions about the past, answered from the log by way of its index (history_index.h). */
#include "replication/history.h"

#include "replication/core_internal.h"
#include "replication/history_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONCURRENT_WRITES = 32 /* of one facet, that are compared with its last one */
};

/* A question while it is answered; the horizon is found once. */
struct question {
    struct replication *replication;
    const struct history_index *index;
    uint64_t horizon;
    int result; /* of the store */
};

static struct question question_of(struct replication *replication)
{
    return (struct question){
        .replication = replication,
        .index = &history_of(replication)->index,
        .horizon = replication_history_horizon(replication),
    };
}

static bool answered(struct question *question, struct error *error)
{
    question->replication->damaged |= question->result == -EBADMSG;
    return question->result == 0 ||
           error_set(error, ERROR_REFUSED, "the store cannot be read: %s",
                     strerror(-question->result));
}

/* ---- records ---------------------------------------------------------------------------- */

/* False: it is gone, or the store fails. */
static bool
load(struct question *question, struct dot dot, struct wire_writer *bytes, struct record *out)
{
    uint8_t key[16];
    store_be64(key, dot.stream);
    store_be64(key + 8, dot.seq);
    bytes->size = 0;
    int result = store_get(question->replication->store, STORE_LOG,
                           (struct bytes){key, sizeof(key)}, bytes);
    if (result && result != -ENOENT)
        question->result = result;
    return result == 0 && record_parse(wire_written(bytes), out);
}

static void copy_name(struct bytes from, char out[HISTORY_NAME_SIZE])
{
    snprintf(out, HISTORY_NAME_SIZE, "%.*s", (int)from.size, (const char *)from.data);
}

static void
describe(const struct question *question, const struct record *record, struct past_change *out)
{
    const struct stream *stream = core_stream(question->replication->core, record->stream);
    *out = (struct past_change){
        .change_id = record->change_id,
        .stamp = {record->hlc, record->stream, record->seq},
        .wall_ms = record->wall_ms,
        .about_nodes = record->kind == RECORD_ROSTER,
        .op_count = record->op_count,
    };
    if (stream)
        out->node_id = stream->node_id;
    copy_name(record->author, out->author);
    copy_name(record->via, out->via);
}

static bool find_op(const struct record *record, uint32_t wanted, struct record_op *out)
{
    struct wire_reader ops = record->ops;
    for (uint32_t i = 0; record_next_op(&ops, out); i++)
        if (i == wanted)
            return true;
    return false;
}

/* ---- what stood there before ------------------------------------------------------------ */

/* Did record BY replace the value of WRITE? Known while both are in the log, unless they came
 * as a snapshot. */
static bool
was_replaced_by(struct question *question, const struct history_write *write, struct dot by)
{
    struct wire_writer row = {0};
    uint8_t key[FACET_DEAD_KEY_SIZE];
    facet_dead_key(write->dot, write->op_index, key);
    bool found = store_get(question->replication->store, STORE_DEAD,
                           (struct bytes){key, sizeof(key)}, &row) == 0 &&
                 row.size >= 16;
    found = found && load_be64(row.data) == by.stream && load_be64(row.data + 8) == by.seq;
    wire_writer_free(&row);
    return found;
}

/* Is nothing missing between WRITE and the record that wrote to the facet next? */
static bool
is_adjacent(struct question *question, const struct history_write *write, struct dot next)
{
    return write->hlc >= question->horizon || was_replaced_by(question, write, next);
}

static bool writes_life(const struct history_object *object, struct dot dot)
{
    for (size_t i = object->count; i-- > 0;)
        if (object->writes[i].facet == FACET_LIFE && object->writes[i].dot.seq == dot.seq &&
            object->writes[i].dot.stream == dot.stream)
            return true;
    return false;
}

/* Was the value of WRITES[AT] replaced by one of the writes before UPTO? By any, where records
 * that would tell may be gone. */
static bool was_replaced_before(const struct question *question,
                                const struct history_object *object,
                                size_t at,
                                size_t upto)
{
    const struct history_write *write = &object->writes[at];
    for (size_t i = at + 1; i < upto; i++)
        if (object->writes[i].facet == write->facet &&
            (write->hlc < question->horizon ||
             history_index_knew(question->index, object->writes[i].dot, write->dot)))
            return true;
    return false;
}

static bool load_value(struct question *question,
                       const struct history_write *write,
                       struct wire_writer *bytes,
                       struct bytes *out)
{
    struct record record;
    struct record_op op;
    if (!load(question, write->dot, bytes, &record) || !find_op(&record, write->op_index, &op))
        return false;
    *out = op.value;
    return true;
}

/* Which of the writes to FACET before UPTO was in force then: the last one, unless the merge
 * rules prefer one that it did not know of (replication.md 3.3). NULL: there is none. */
static const struct history_write *find_in_force(struct question *question,
                                                 const struct history_object *object,
                                                 size_t upto,
                                                 uint16_t facet)
{
    const struct history_write *last = NULL, *best = NULL;
    struct wire_writer bytes = {0};
    uint64_t best_rank = 0;
    unsigned seen = 0;
    for (size_t i = upto; i-- > 0 && seen < CONCURRENT_WRITES;) {
        const struct history_write *write = &object->writes[i];
        struct bytes value;
        if (write->facet != facet)
            continue;
        seen++;
        if (!last)
            last = write;
        if (facet != FACET_LIFE && facet != FACET_ADMIN)
            break;
        if (was_replaced_before(question, object, i, upto) ||
            !load_value(question, write, &bytes, &value))
            continue;
        uint64_t rank = facet_safety_rank(facet, value);
        if (!best || rank > best_rank) {
            best = write;
            best_rank = rank;
        }
    }
    wire_writer_free(&bytes);
    return best ? best : last;
}

/* Of the facet that WRITES[AT] wrote; BYTES keep the value. */
static enum past_before find_before(struct question *question,
                                    const struct history_object *object,
                                    size_t at,
                                    struct wire_writer *bytes,
                                    struct bytes *out)
{
    const struct history_write *write = &object->writes[at];
    const struct history_write *before = find_in_force(question, object, at, write->facet);
    if (!before)
        return writes_life(object, write->dot) ? BEFORE_NOTHING : BEFORE_GONE;
    return is_adjacent(question, before, write->dot) && load_value(question, before, bytes, out)
               ? BEFORE_KNOWN
               : BEFORE_GONE;
}

/* What is in force after WRITES[AT], whose operation VIEW is; BYTES keep the value. */
static void find_after(struct question *question,
                       const struct history_object *object,
                       size_t at,
                       struct wire_writer *bytes,
                       struct past_op *view)
{
    const struct history_write *write = &object->writes[at];
    const struct history_write *after = find_in_force(question, object, at + 1, write->facet);
    if (after != write)
        view->overruled = load_value(question, after, bytes, &view->in_force);
}

static struct past_op view_of(const struct record_op *op)
{
    return (struct past_op){
        .object_id = op->object_id,
        .owner = op->owner,
        .type = op->type,
        .facet = op->facet,
        .value = op->value,
        .in_force = op->value,
    };
}

static void tell_ops(struct question *question,
                     const struct record *record,
                     const struct uuid *object_id,
                     const struct past_visitor *visitor)
{
    struct history_write stamp = {.hlc = record->hlc, .dot = {record->stream, record->seq}};
    struct wire_writer before = {0}, after = {0};
    struct wire_reader ops = record->ops;
    struct record_op op;
    for (; record_next_op(&ops, &op); stamp.op_index++) {
        if (object_id && !uuid_equal(&op.object_id, object_id))
            continue;
        const struct history_object *object =
            history_index_object(question->index, &op.object_id);
        struct past_op view = view_of(&op);
        size_t at = object ? history_index_find(object->writes, object->count, &stamp) : 0;
        view.has_before = BEFORE_GONE;
        if (object && at < object->count) {
            view.has_before = find_before(question, object, at, &before, &view.before);
            find_after(question, object, at, &after, &view);
        }
        visitor->op(visitor->context, &view);
    }
    wire_writer_free(&before);
    wire_writer_free(&after);
}

/* ---- questions -------------------------------------------------------------------------- */

static bool is_same_record(const struct history_write *a, const struct history_write *b)
{
    return a->dot.stream == b->dot.stream && a->dot.seq == b->dot.seq;
}

bool replication_history_visit(struct replication *replication,
                               const struct uuid *object_id,
                               uint64_t since_ms,
                               const struct past_visitor *visitor,
                               struct error *error)
{
    struct question question = question_of(replication);
    const struct history_object *object =
        object_id ? history_index_object(question.index, object_id) : NULL;
    const struct history_write *writes = object ? object->writes : question.index->changes;
    size_t count = object ? object->count : object_id ? 0 : question.index->change_count;
    struct wire_writer bytes = {0};
    bool more = true;
    for (size_t i = count; i-- > 0 && more && !question.result;) {
        struct record record;
        struct past_change change;
        if (writes[i].hlc >> 16 < since_ms)
            break;
        if ((i + 1 < count && is_same_record(&writes[i], &writes[i + 1])) ||
            !load(&question, writes[i].dot, &bytes, &record) || record.wall_ms < since_ms)
            continue;
        describe(&question, &record, &change);
        more = visitor->change(visitor->context, &change);
        if (more && visitor->op)
            tell_ops(&question, &record, object_id, visitor);
    }
    wire_writer_free(&bytes);
    return answered(&question, error);
}

bool replication_history_show(struct replication *replication,
                              const struct uuid *change_id,
                              const struct past_visitor *visitor,
                              struct error *error)
{
    struct question question = question_of(replication);
    struct wire_writer row = {0}, bytes = {0};
    struct record record;
    struct past_change change;
    char id[UUID_TEXT_SIZE];
    uuid_format(change_id, id);
    bool known = store_get(replication->store, STORE_CHANGE,
                           (struct bytes){change_id->bytes, 16}, &row) == 0 &&
                 row.size == 24;
    bool found =
        known && load(&question, (struct dot){load_be64(row.data), load_be64(row.data + 8)},
                      &bytes, &record);
    if (found) {
        describe(&question, &record, &change);
        if (visitor->change(visitor->context, &change) && visitor->op)
            tell_ops(&question, &record, NULL, visitor);
    } else if (known) {
        error_set(error, ERROR_NOT_FOUND,
                  "Change %s is gone: nothing of it was in force any more and it was older "
                  "than what is kept (history_days, history_mib).",
                  id);
    } else {
        error_set(error, ERROR_NOT_FOUND,
                  "Change %s is not known here: there was none, or it is older than what is "
                  "kept (history_days, history_mib).",
                  id);
    }
    wire_writer_free(&row);
    wire_writer_free(&bytes);
    return found && answered(&question, error);
}

static struct history_write write_of(const struct change_stamp *stamp)
{
    return (struct history_write){.hlc = stamp->hlc, .dot = {stamp->stream, stamp->seq}};
}

bool replication_history_objects(struct replication *replication,
                                 const struct change_stamp *stamp,
                                 void (*visit)(void *context, const struct uuid *object_id),
                                 void *context,
                                 struct error *error)
{
    const struct history_index *index = &history_of(replication)->index;
    const struct history_write from = write_of(stamp);
    const struct history_object *object;
    for (size_t i = 0; (object = uuid_map_next(&index->objects, &i));)
        if (object->count > 0 &&
            history_write_compare(&object->writes[object->count - 1], &from) >= 0)
            visit(context, &object->id);
    return true;
}

static bool is_last_before(const struct history_object *object, size_t at, size_t start)
{
    for (size_t i = at + 1; i < start; i++)
        if (object->writes[i].facet == object->writes[at].facet)
            return false;
    return true;
}

/* The record that wrote next to the facet of WRITES[AT], from START on; NULL: none. */
static const struct history_write *
next_write(const struct history_object *object, size_t at, size_t start)
{
    for (size_t i = start; i < object->count; i++)
        if (object->writes[i].facet == object->writes[at].facet)
            return &object->writes[i];
    return NULL;
}

static void tell_write(struct question *question,
                       const struct history_object *object,
                       const struct history_write *write,
                       enum past_before before,
                       const struct past_visitor *visitor)
{
    struct wire_writer bytes = {0}, after = {0};
    struct record record;
    struct record_op op;
    struct past_change change;
    if (load(question, write->dot, &bytes, &record) && find_op(&record, write->op_index, &op)) {
        describe(question, &record, &change);
        struct past_op view = view_of(&op);
        view.has_before = before;
        find_after(question, object, (size_t)(write - object->writes), &after, &view);
        visitor->change(visitor->context, &change);
        visitor->op(visitor->context, &view);
    }
    wire_writer_free(&bytes);
    wire_writer_free(&after);
}

bool replication_history_writes(struct replication *replication,
                                const struct uuid *object_id,
                                const struct change_stamp *stamp,
                                const struct past_visitor *visitor,
                                struct error *error)
{
    struct question question = question_of(replication);
    const struct history_object *object = history_index_object(question.index, object_id);
    const struct history_write from = write_of(stamp);
    if (!object)
        return true;
    size_t start = history_index_find(object->writes, object->count, &from);
    for (size_t i = 0; i < start; i++) {
        if (!is_last_before(object, i, start))
            continue;
        const struct history_write *next = next_write(object, i, start);
        const struct history_write *write =
            find_in_force(&question, object, start, object->writes[i].facet);
        bool sure = !next || is_adjacent(&question, write, next->dot);
        tell_write(&question, object, write, sure ? BEFORE_KNOWN : BEFORE_GONE, visitor);
    }
    for (size_t i = start; i < object->count; i++)
        tell_write(&question, object, &object->writes[i], BEFORE_KNOWN, visitor);
    return answered(&question, error);
}

/* ---- how far back everything is kept ---------------------------------------------------- */

/* The clock of the first record of the stream that follows on those which are gone. */
static uint64_t clock_after(struct question *question, const struct stream *stream)
{
    const struct retention *retention = &question->replication->settings.retention;
    struct wire_writer bytes = {0};
    struct record record;
    uint64_t now_ms = replication_now(question->replication).wall_ms, clock = UINT64_MAX;
    if (load(question, (struct dot){stream->id, stream->truncated + 1}, &bytes, &record))
        clock = record.hlc;
    else if (retention->keep_bytes == 0 ||
             question->replication->core->log_bytes < retention->keep_bytes / 2)
        clock = now_ms > retention->keep_ms ? (now_ms - retention->keep_ms) << 16 : 0;
    wire_writer_free(&bytes);
    return clock;
}

uint64_t replication_history_horizon(struct replication *replication)
{
    struct question question = {.replication = replication};
    const struct core *core = replication->core;
    uint64_t horizon = 0;
    for (size_t i = 0; i < core->stream_count; i++) {
        if (core->streams[i]->truncated == 0)
            continue;
        uint64_t clock = clock_after(&question, core->streams[i]);
        horizon = clock > horizon ? clock : horizon;
    }
    return horizon;
}
