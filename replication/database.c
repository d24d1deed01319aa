#include "replication/database.h"

#include "lbnode/base/monotime.h"
#include "replication/memory.h"
#include "replication/node_key.h"
#include "replication/record_set.h"
#include "replication/state_store.h"
#include "replication/store_check.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t map_size = (size_t)1 << 30;

struct database {
    const char *state_dir;
    struct core_settings settings;
    struct sign_key *key;
    struct core_now now;
    struct store *store, *derived; /* derived: what the log gives when applied anew */
    struct record_set set;
    struct core *core; /* on `derived` */
    struct database_report *report;
};

static void bad(struct database_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void bad(struct database_report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (report->bad++ == 0)
        vsnprintf(report->first_bad, sizeof(report->first_bad), format, arguments);
    va_end(arguments);
}

/* ---- opening ---------------------------------------------------------------------------- */

/* A key is only read here, never made. */
static bool open_key(struct database *database, struct error *error)
{
    database->key = node_key_find(database->state_dir, &database->settings.node_id, error);
    database->settings.key = database->key;
    database->settings.random_seed = 1;
    database->now = (struct core_now){monotime_now_us(), walltime_now_ms()};
    return database->key;
}

static bool derive(struct database *database, struct error *error)
{
    int result = record_set_read(&database->set, database->store);
    if (result)
        return error_set(error, ERROR_REFUSED, "the store cannot be read: %s",
                         strerror(-result));
    database->report->records = database->set.count;
    record_set_sort(&database->set);
    database->derived = store_mem_open();
    database->core = record_set_replay(&database->set, &database->settings, database->derived,
                                       database->now, &database->report->applied, error);
    if (!database->core)
        return false;
    uint8_t hash[HASH_SIZE];
    core_state_hash(database->core, hash);
    bytes_to_hex((struct bytes){hash, sizeof(hash)}, database->report->state_hash);
    return true;
}

static void database_free(struct database *database)
{
    core_free(database->core);
    record_set_free(&database->set);
    store_close(database->derived);
    store_close(database->store);
    sign_key_free(database->key);
}

/* ---- verifying -------------------------------------------------------------------------- */

/* Whatever does not verify was left out when the log was applied anew: said one by one. */
static void check_records(struct database *database)
{
    const struct vv *vector = core_vector(database->core);
    if (database->set.truncated && database->report->applied < database->set.count)
        bad(database->report, "%zu changes do not verify (signature, or chain of hashes)",
            database->set.count - database->report->applied);
    if (database->set.truncated && !record_set_is_complete(&database->set))
        bad(database->report, "changes are missing in the log");
    for (size_t i = 0; i < database->set.count; i++) {
        const struct record *record = &database->set.items[i];
        if (record->seq > vv_get(vector, record->stream) &&
            !core_is_void(database->core, (struct dot){record->stream, record->seq}))
            bad(database->report,
                "change %llu of stream %016llx does not verify (signature, chain of hashes, "
                "or something before it is missing)",
                (unsigned long long)record->seq, (unsigned long long)record->stream);
    }
}

struct comparison {
    struct database *database;
    struct store *other;
    const char *what;
    bool count;
};

static bool compare_facet(void *context, struct bytes key, struct bytes value)
{
    const struct comparison *comparison = context;
    struct wire_writer expected = {0};
    int result = store_get(comparison->other, STORE_FACET, key, &expected);
    bool same = result == 0 && bytes_equal(wire_written(&expected), value);
    wire_writer_free(&expected);
    comparison->database->report->rows += comparison->count;
    if (!same && key.size == FACET_KEY_SIZE) {
        struct uuid id;
        char text[UUID_TEXT_SIZE];
        memcpy(id.bytes, key.data, sizeof(id.bytes));
        uuid_format(&id, text);
        bad(comparison->database->report, "facet %u of object %s %s", load_be16(key.data + 16),
            text, comparison->what);
    }
    return true;
}

static bool compare_facets(struct database *database, struct error *error)
{
    struct comparison stored = {database, database->derived, "is not what the log says", true};
    struct comparison derived = {database, database->store, "is in the log alone", false};
    int result =
        store_walk(database->store, STORE_FACET, (struct bytes){0}, compare_facet, &stored);
    if (result)
        return error_set(error, ERROR_REFUSED, "the store cannot be read: %s",
                         strerror(-result));
    store_walk(database->derived, STORE_FACET, (struct bytes){0}, compare_facet, &derived);
    return true;
}

/* The core that a starting node would have, from the stored rows. */
static bool compare_hashes(struct database *database, struct error *error)
{
    uint8_t hash[HASH_SIZE];
    char text[2 * HASH_SIZE + 1];
    struct core *core = core_load(&database->settings, database->store, database->now, error);
    if (!core)
        return false;
    core_state_hash(core, hash);
    bytes_to_hex((struct bytes){hash, sizeof(hash)}, text);
    if (strcmp(text, database->report->state_hash) != 0)
        bad(database->report, "the hash of the state is %.16s..., the log gives %.16s...", text,
            database->report->state_hash);
    core_free(core);
    return true;
}

bool database_verify(const char *state_dir, struct database_report *out, struct error *error)
{
    char path[PATH_MAX];
    struct database database = {.state_dir = state_dir, .report = out};
    *out = (struct database_report){0};
    snprintf(path, sizeof(path), "%s/config.mdb", state_dir);
    bool good = open_key(&database, error) && store_check(path, map_size, error) &&
                (database.store = store_lmdb_open(path, map_size, error)) &&
                derive(&database, error) && compare_facets(&database, error) &&
                compare_hashes(&database, error);
    if (good)
        check_records(&database);
    database_free(&database);
    return good;
}

/* ---- rebuilding ------------------------------------------------------------------------- */

struct rewriting {
    struct database *database;
    struct store_batch *batch;
    enum store_table table;
};

static bool remove_row(void *context, struct bytes key, struct bytes value)
{
    const struct rewriting *rewriting = context;
    store_batch_remove(rewriting->batch, rewriting->table, key);
    return true;
}

static bool put_row(void *context, struct bytes key, struct bytes value)
{
    const struct rewriting *rewriting = context;
    store_batch_put(rewriting->batch, rewriting->table, key, value);
    rewriting->database->report->rows += rewriting->table == STORE_FACET;
    return true;
}

/* Rows about streams also hold what is not in the log (which of them are closed for good), so
 * only missing ones are made. */
static bool put_missing(void *context, struct bytes key, struct bytes value)
{
    const struct rewriting *rewriting = context;
    struct wire_writer stored = {0};
    if (store_get(rewriting->database->store, rewriting->table, key, &stored) == -ENOENT)
        store_batch_put(rewriting->batch, rewriting->table, key, value);
    wire_writer_free(&stored);
    return true;
}

static bool rewrite(struct database *database, struct error *error)
{
    static const enum store_table derived_tables[] = {STORE_FACET, STORE_CHANGE, STORE_DEAD};
    struct store_batch batch = {0};
    struct rewriting rewriting = {database, &batch, STORE_META};
    int result =
        store_walk(database->derived, STORE_META, (struct bytes){0}, put_missing, &rewriting);
    for (size_t i = 0; i < ARRAY_LENGTH(derived_tables) && !result; i++) {
        rewriting.table = derived_tables[i];
        result = store_walk(database->store, rewriting.table, (struct bytes){0}, remove_row,
                            &rewriting);
        if (!result)
            result = store_walk(database->derived, rewriting.table, (struct bytes){0}, put_row,
                                &rewriting);
    }
    if (!result)
        result = store_commit(database->store, &batch);
    store_batch_free(&batch);
    return result == 0 || error_set(error, ERROR_REFUSED, "the store cannot be written: %s",
                                    strerror(-result));
}

bool database_rebuild(const char *state_dir, struct database_report *out, struct error *error)
{
    struct database database = {.state_dir = state_dir, .report = out};
    struct state_store opened = {0};
    *out = (struct database_report){0};
    bool good = open_key(&database, error) &&
                state_store_open(state_dir, &database.settings, &opened, error);
    database.store = opened.store;
    if (good && opened.quarantined)
        bad(out, "%s", opened.report);
    good = good && derive(&database, error) && rewrite(&database, error);
    database_free(&database);
    return good;
}
