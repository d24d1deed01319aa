/* Pages of a backup, and merging one back. */
#include "replication/backup_parts.h"
#include "replication/memory.h"
#include "replication/record_set.h"
#include "replication/replication_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKUP_VERSION = 1,
    CHUNK = 256 /* records offered at a time */
};

static const struct bytes genesis_key = {(const uint8_t *)"g", 1};

/* ---- backup ----------------------------------------------------------------------------- */

static void put_roster(const struct core *core, struct wire_writer *page)
{
    const struct roster *roster = core_roster(core);
    for (size_t i = 0; i < roster->count; i++) {
        char id[UUID_TEXT_SIZE], line[UUID_TEXT_SIZE + 256];
        uuid_format(&roster->nodes[i].id, id);
        snprintf(line, sizeof(line), "%s %.200s", id, roster->nodes[i].name);
        if (roster->nodes[i].status == NODE_ACTIVE)
            wire_put_text(page, 6, line);
    }
}

static bool put_head(struct replication *replication, struct wire_writer *page)
{
    struct wire_writer genesis = {0};
    int result = store_get(replication->store, STORE_META, genesis_key, &genesis);
    wire_put_varint(page, 1, BACKUP_VERSION);
    wire_put_bytes(page, 2, wire_written(&genesis));
    wire_put_varint(page, 3, replication_now(replication).wall_ms);
    wire_put_text(page, 4, replication->settings.node_name);
    vv_put(page, 5, core_durable(replication->core));
    put_roster(replication->core, page);
    wire_writer_free(&genesis);
    return result == 0;
}

struct page {
    struct wire_writer *out;
    struct vv have;
};

static void put_record(void *context, struct bytes bytes)
{
    struct page *page = context;
    struct record record;
    wire_put_bytes(page->out, 7, bytes);
    if (record_parse(bytes, &record))
        vv_raise(&page->have, record.stream, record.seq);
}

bool replication_backup_page(struct replication *replication,
                             struct bytes have,
                             struct wire_writer *out_page,
                             struct wire_writer *out_have,
                             bool *out_more,
                             struct error *error)
{
    struct page page = {.out = out_page};
    if (!core_is_initialised(replication->core))
        return error_set(error, ERROR_CONFLICT, "this node is in no cluster yet");
    if (backup_is_page_of_parts(have))
        return backup_reading_page(replication, have, out_page, out_have, out_more, error);
    if (have.size == 0 && !core_can_answer(replication->core, &(struct vv){0})) {
        *out_more = true;
        return !backup_reading_start(replication) || /* else again after the commit */
               (put_head(replication, out_page) &&
                backup_reading_page(replication, have, out_page, out_have, out_more, error));
    }
    if (!vv_parse(have, 1, &page.have))
        return error_set(error, ERROR_INVALID,
                         "Value of have is not what the page before gave");
    bool good = have.size > 0 || put_head(replication, out_page);
    good = good && pull_answer(replication->store, have, core_durable(replication->core),
                               put_record, &page, out_more) == 0;
    vv_put(out_have, 1, &page.have);
    vv_free(&page.have);
    return (good && !out_page->failed && !out_have->failed) ||
           error_set(error, ERROR_INTERNAL, "the store cannot be read");
}

/* ---- restore ---------------------------------------------------------------------------- */

struct restore {
    struct record_set set;
    size_t next, pass_start, start; /* of the set; applied when the pass, the restore began */
    restore_done *done;
    void *context;
};

static size_t applied_count(const struct replication *replication)
{
    const struct vv *vector = core_vector(replication->core);
    size_t count = 0;
    for (size_t i = 0; i < vector->count; i++)
        count += vector->entries[i].seq;
    return count;
}

static void restore_free(struct restore *restore)
{
    record_set_free(&restore->set);
    free(restore);
}

static void finish(struct replication *replication, const struct error *error)
{
    struct restore *restore = replication->restore;
    struct restore_result result = {
        .error = *error,
        .offered = restore->set.count,
        .merged = applied_count(replication) - restore->start,
    };
    replication->restore = NULL;
    restore->done(restore->context, &result);
    restore_free(restore);
}

void replication_restore_cancel(struct replication *replication)
{
    if (replication->restore)
        restore_free(replication->restore);
    replication->restore = NULL;
}

/* The room for waiting records is per sender, so each stream is one. */
static void offer(struct replication *replication, const struct record *record)
{
    struct core_event event = {.kind = CORE_RECORD, .body = record->whole};
    if (record->seq <= vv_get(core_vector(replication->core), record->stream))
        return;
    store_be64(event.node.bytes, record->stream);
    replication_step_once(replication, &event);
}

/* A record of a node counts once its joining is applied: passes, until one brings nothing. */
static bool next_pass(struct replication *replication)
{
    struct restore *restore = replication->restore;
    size_t applied = applied_count(replication);
    if (restore->next < restore->set.count)
        return true;
    if (applied == restore->pass_start)
        return false;
    restore->pass_start = applied;
    restore->next = 0;
    return restore->set.count > 0;
}

void replication_restore_continue(struct replication *replication)
{
    struct error error = {.kind = ERROR_NONE};
    while (replication->restore && !replication->committing) {
        struct restore *restore = replication->restore;
        const char *problem = core_storage_problem(replication->core);
        if (problem[0])
            error_set(&error, ERROR_REFUSED, "%s", problem);
        if (problem[0] || !next_pass(replication)) {
            finish(replication, &error);
            return;
        }
        for (size_t i = 0; i < CHUNK && restore->next < restore->set.count; i++)
            offer(replication, &restore->set.items[restore->next++]);
        replication_step_once(replication, &(struct core_event){.kind = CORE_STAGE});
    }
}

static bool may_restore(const struct replication *replication,
                        const struct genesis *genesis,
                        struct error *error)
{
    const struct core *core = replication->core;
    if (replication->restore || replication->join)
        return error_set(error, ERROR_CONFLICT, "a restore or a join is under way already");
    if (core_is_initialised(core) &&
        !uuid_equal(&core_genesis(core)->cluster_id, &genesis->cluster_id))
        return error_set(error, ERROR_CONFLICT,
                         "the backup is of another cluster (%.64s) than this node's",
                         genesis->cluster_name);
    return !core_storage_problem(core)[0] ||
           error_set(error, ERROR_REFUSED, "%s", core_storage_problem(core));
}

static bool take_genesis(struct replication *replication,
                         struct bytes bytes,
                         const struct genesis *genesis,
                         struct error *error)
{
    struct store_batch batch = {0};
    if (core_is_initialised(replication->core))
        return true;
    store_batch_put(&batch, STORE_META, genesis_key, bytes);
    int result = store_commit(replication->store, &batch);
    store_batch_free(&batch);
    if (result)
        return error_set(error, ERROR_REFUSED, "the store cannot be written: %s",
                         strerror(-result));
    core_found(replication->core, genesis);
    return true;
}

void replication_restore(struct replication *replication,
                         struct bytes genesis,
                         const struct bytes *records,
                         size_t count,
                         restore_done *done,
                         void *context)
{
    struct restore_result refused = {.offered = count};
    struct genesis parsed;
    struct snapshot_part part;
    bool good = genesis_parse(genesis, &parsed) ||
                error_set(&refused.error, ERROR_INVALID, "this is no backup of lbnode");
    good = good && may_restore(replication, &parsed, &refused.error);
    if (good && count > 0 && backup_part_parse(records[0], &part) &&
        !core_is_initialised(replication->core)) {
        backup_install(replication, genesis, records, count, &refused);
        done(context, &refused);
        return;
    }
    good = good && take_genesis(replication, genesis, &parsed, &refused.error);
    if (!good) {
        done(context, &refused);
        return;
    }
    struct restore *restore = memory_new(sizeof(*restore));
    restore->done = done;
    restore->context = context;
    restore->start = applied_count(replication);
    restore->pass_start = SIZE_MAX;
    for (size_t i = 0; i < count; i++)
        record_set_add(&restore->set, backup_record_of(records[i]));
    restore->next = restore->set.count;
    replication->restore = restore;
    replication_step(replication, &(struct core_event){.kind = CORE_TICK});
}
