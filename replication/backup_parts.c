/* Backups of a truncated log. Its records alone do not give the state, so what is saved is a
 * snapshot, part by part, as a peer would get it. */
#include "replication/backup_parts.h"

#include "replication/memory.h"
#include "replication/snapshot_build.h"
#include "replication/snapshot_read.h"

#include "lbnode/base/monotime.h"
#include "lbnode/base/random.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 1 << 20
};

static const uint64_t idle_limit_us = 60000000;

/* ---- making one ------------------------------------------------------------------------- */

struct backup_reading {
    struct snapshot_reader *reader;
    uint64_t transfer, pages, used_us;
};

void backup_reading_end(struct replication *replication)
{
    struct backup_reading *reading = replication->backup_reading;
    if (!reading)
        return;
    core_hold_log(replication->core, false);
    snapshot_reader_free(reading->reader);
    free(reading);
    replication->backup_reading = NULL;
}

void backup_reading_tick(struct replication *replication)
{
    const struct backup_reading *reading = replication->backup_reading;
    if (reading && monotime_now_us() - reading->used_us > idle_limit_us)
        backup_reading_end(replication);
}

bool backup_reading_start(struct replication *replication)
{
    uint64_t transfer = random_u64() | 1;
    backup_reading_end(replication);
    struct snapshot_reader *reader =
        replication->committing
            ? NULL
            : snapshot_reader_new(replication->core, replication->store, transfer);
    if (!reader)
        return false;
    core_hold_log(replication->core, true);
    struct backup_reading *reading = memory_new(sizeof(*reading));
    *reading = (struct backup_reading){.reader = reader, .transfer = transfer};
    replication->backup_reading = reading;
    return true;
}

/* {2 transfer fixed64, 3 pages}: which page comes next. */
static bool is_next(const struct backup_reading *reading, struct bytes have)
{
    struct wire_reader reader = wire_reader_of(have);
    struct wire_field field;
    uint64_t transfer = 0, pages = 0;
    while (wire_next(&reader, &field)) {
        transfer = field.number == 2 ? field.integer : transfer;
        pages = field.number == 3 ? field.integer : pages;
    }
    return wire_ended(&reader) && transfer == reading->transfer && pages == reading->pages;
}

static bool put_parts(struct backup_reading *reading, struct wire_writer *page, bool *out_more)
{
    struct wire_writer part = {0};
    size_t bytes = 0;
    int result = 1;
    while (bytes < PAGE_BYTES) {
        uint32_t type;
        uint8_t letter = 0;
        struct wire_writer body = {0};
        result = snapshot_reader_next(reading->reader, &type, &body);
        if (result <= 0) {
            wire_writer_free(&body);
            break;
        }
        letter = (uint8_t)type;
        part.size = 0;
        wire_append(&part, &letter, 1);
        wire_append(&part, body.data, body.size);
        wire_put_bytes(page, 7, wire_written(&part));
        bytes += part.size;
        wire_writer_free(&body);
    }
    wire_writer_free(&part);
    *out_more = result > 0;
    return result >= 0;
}

bool backup_reading_page(struct replication *replication,
                         struct bytes have,
                         struct wire_writer *out_page,
                         struct wire_writer *out_have,
                         bool *out_more,
                         struct error *error)
{
    struct backup_reading *reading = replication->backup_reading;
    if (!reading || (have.size > 0 && !is_next(reading, have)))
        return error_set(error, ERROR_CONFLICT,
                         "another backup has begun, or this one took too long; begin anew");
    bool good = put_parts(reading, out_page, out_more);
    reading->used_us = monotime_now_us();
    reading->pages++;
    wire_put_fixed64(out_have, 2, reading->transfer);
    wire_put_varint(out_have, 3, reading->pages);
    if (!good || !*out_more)
        backup_reading_end(replication);
    return good || error_set(error, ERROR_INTERNAL, "the store cannot be read");
}

bool backup_is_page_of_parts(struct bytes have)
{
    struct wire_reader reader = wire_reader_of(have);
    struct wire_field field;
    return wire_next(&reader, &field) && field.number == 2 && field.type == WIRE_FIXED64;
}

/* ---- parts ------------------------------------------------------------------------------ */

bool backup_part_parse(struct bytes item, struct snapshot_part *out)
{
    return item.size > 0 &&
           snapshot_part_parse(item.data[0], (struct bytes){item.data + 1, item.size - 1}, out);
}

struct bytes backup_record_of(struct bytes item)
{
    struct snapshot_part part;
    if (!backup_part_parse(item, &part))
        return item;
    return part.kind == SNAPSHOT_RECORD ? part.record : (struct bytes){0};
}

static void gather_stream(const struct snapshot_part *part, struct record_set *set)
{
    uint8_t key[9] = {'s'};
    store_be64(key + 1, part->stream);
    record_set_add_stream(set, (struct bytes){key, sizeof(key)}, part->row);
}

static void
gather_dead(const struct snapshot_part *part, struct dot dot, struct record_set *set)
{
    uint8_t key[FACET_DEAD_KEY_SIZE];
    size_t cursor = 0;
    for (size_t at = 0; at + 4 <= part->dead.size; at += 4) {
        uint32_t op_index = load_be32(part->dead.data + at);
        struct bytes row = {0};
        if (snapshot_part_replaced(part, op_index, &cursor, &row) && row.size == 0)
            row = facet_row_of_void;
        facet_dead_key(dot, op_index, key);
        record_set_add_dead(set, (struct bytes){key, sizeof(key)}, row);
    }
}

bool backup_gather(struct bytes item, struct record_set *set)
{
    struct snapshot_part part;
    struct record record;
    bool is_part = backup_part_parse(item, &part);
    set->truncated |= is_part;
    if (is_part && part.kind == SNAPSHOT_STREAM)
        gather_stream(&part, set);
    if (is_part && part.kind != SNAPSHOT_RECORD)
        return true;
    size_t before = set->count;
    record_set_add(set, is_part ? part.record : item);
    if (is_part && record_parse(part.record, &record))
        gather_dead(&part, (struct dot){record.stream, record.seq}, set);
    return set->count > before;
}

/* ---- putting one in the place of nothing ------------------------------------------------ */

void backup_install_cancel(struct replication *replication)
{
    snapshot_build_free(replication->backup_build);
    replication->backup_build = NULL;
}

static bool
begin(struct replication *replication, struct bytes genesis_bytes, struct error *error)
{
    struct genesis genesis;
    backup_install_cancel(replication);
    struct core *core = replication_load_core(replication, error);
    if (!core || !genesis_parse(genesis_bytes, &genesis)) {
        core_free(core);
        return false;
    }
    core_found(core, &genesis);
    replication->backup_build = snapshot_build_new(core);
    store_batch_put(snapshot_build_rows(replication->backup_build), STORE_META,
                    (struct bytes){(const uint8_t *)"g", 1}, genesis_bytes);
    return true;
}

static bool switch_to(struct replication *replication, struct error *error)
{
    struct snapshot_build *build = replication->backup_build;
    snapshot_build_finish(build);
    int result = store_commit(replication->store, snapshot_build_rows(build));
    if (result)
        return error_set(error, ERROR_REFUSED, "the store cannot be written: %s",
                         strerror(-result));
    core_free(replication->core);
    replication->core = snapshot_build_take_core(build);
    backup_install_cancel(replication);
    if (replication->handler.applied)
        replication->handler.applied(replication->handler.context,
                                     core_position(replication->core));
    replication_step(replication, &(struct core_event){.kind = CORE_TICK});
    return true;
}

static bool take(struct replication *replication,
                 struct bytes genesis,
                 const struct snapshot_part *part,
                 struct error *error)
{
    if (part->kind == SNAPSHOT_BEGIN && !begin(replication, genesis, error))
        return false;
    if (!replication->backup_build)
        return error_set(error, ERROR_CONFLICT, "the beginning of the backup is missing");
    switch (
        snapshot_build_take(replication->backup_build, part, replication_now(replication))) {
    case SNAPSHOT_COMPLETE: return switch_to(replication, error);
    case SNAPSHOT_IS_WRONG:
        return error_set(error, ERROR_REFUSED, "the backup is not usable: %s",
                         snapshot_build_problem(replication->backup_build));
    case SNAPSHOT_GOES_ON: break;
    }
    return true;
}

void backup_install(struct replication *replication,
                    struct bytes genesis,
                    const struct bytes *items,
                    size_t count,
                    struct restore_result *out)
{
    *out = (struct restore_result){0};
    for (size_t i = 0; i < count && out->error.kind == ERROR_NONE; i++) {
        struct snapshot_part part;
        if (!backup_part_parse(items[i], &part))
            error_set(&out->error, ERROR_INVALID, "the backup is damaged");
        else if (take(replication, genesis, &part, &out->error))
            out->offered += part.kind == SNAPSHOT_RECORD;
    }
    out->merged = out->offered;
    if (out->error.kind != ERROR_NONE)
        backup_install_cancel(replication);
}
