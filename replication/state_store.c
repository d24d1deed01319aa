#include "replication/state_store.h"

#include "lbnode/base/monotime.h"
#include "replication/record_set.h"
#include "replication/store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t first_map_size = (size_t)1 << 30;
static const struct bytes node_key = {(const uint8_t *)"n", 1};

/* Names in the state directory. A crash at any moment leaves either the damaged store, or a
 * whole new one under its last name but one. */
static const char current[] = "config.mdb", current_lock[] = "config.mdb-lock",
                  growing[] = "config.mdb.salvage", growing_lock[] = "config.mdb.salvage-lock",
                  complete[] = "config.mdb.salvaged";

struct place {
    const char *directory;
    char text[PATH_MAX];
};

static const char *path_of(struct place *place, const char *name)
{
    snprintf(place->text, sizeof(place->text), "%s/%s", place->directory, name);
    return place->text;
}

static bool rename_in(const char *from_directory,
                      const char *from_name,
                      const char *to_directory,
                      const char *to_name,
                      struct error *error)
{
    struct place from = {from_directory}, to = {to_directory};
    return rename(path_of(&from, from_name), path_of(&to, to_name)) == 0 || errno == ENOENT ||
           error_set(error, ERROR_REFUSED, "%.200s cannot be moved to %.200s: %s", from.text,
                     to.text, strerror(errno));
}

static void sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* ---- salvage ---------------------------------------------------------------------------- */

/* A store that was begun with something that turns out to be unusable would be worse than none.
 */
static bool is_installable(const struct record_set *set,
                           const struct core_settings *settings,
                           struct core_now now)
{
    struct error error = {0};
    size_t applied = 0;
    struct store *store = store_mem_open();
    struct core *core = record_set_replay(set, settings, store, now, &applied, &error);
    bool good = core && applied == set->count;
    core_free(core);
    store_close(store);
    return good;
}

/* A truncated log gives no state when some of it cannot be read; the copy of it that is kept
 * beside does, if that is whole. Then STORE has it, and the rest of SET goes on top. */
static struct core *start_from_copy(const char *state_dir,
                                    const struct core_settings *settings,
                                    const struct record_set *set,
                                    struct store *store,
                                    struct core_now now,
                                    size_t *out_applied)
{
    struct place place = {state_dir};
    struct record_set base = {0};
    struct error error = {0};
    struct core *core = NULL;
    const char *path = path_of(&place, STATE_STORE_COPY);
    struct store *copy = access(path, F_OK) == 0 && store_check(path, first_map_size, &error)
                             ? store_lmdb_open(path, first_map_size, &error)
                             : NULL;
    bool usable = copy && record_set_read(&base, copy) == 0 && base.truncated &&
                  record_set_is_complete(&base);
    store_close(copy);
    record_set_sort(&base);
    if (usable && is_installable(&base, settings, now))
        core = record_set_replay(&base, settings, store, now, out_applied, &error);
    if (core)
        record_set_merge(set, core, store, now);
    record_set_free(&base);
    unlink(path_of(&place, STATE_STORE_COPY "-lock"));
    return core;
}

/* What the damaged file still has, into a new store beside it. What is missing comes from the
 * peers. */
static bool salvage(const char *state_dir,
                    const struct core_settings *settings,
                    char report[STATE_STORE_REPORT_SIZE],
                    struct error *error)
{
    struct place place = {state_dir};
    struct record_set set = {0};
    struct error failure = {0};
    struct core_now now = {monotime_now_us(), walltime_now_ms()};
    size_t applied = 0;
    unlink(path_of(&place, growing));
    unlink(path_of(&place, growing_lock));
    struct store *store = store_lmdb_open(path_of(&place, growing), first_map_size, error);
    if (!store)
        return false;
    record_set_scrape(&set, path_of(&place, current));
    record_set_scrape(&set, path_of(&place, STATE_STORE_COPY));
    struct core *core = start_from_copy(state_dir, settings, &set, store, now, &applied);
    if (!core)
        core = record_set_replay(&set, settings, store, now, &applied, &failure);
    bool is_empty = failure.kind == ERROR_NOT_FOUND;
    if (core)
        snprintf(report, STATE_STORE_REPORT_SIZE,
                 "%zu of %zu changes that could be read are back, the rest comes from the "
                 "other nodes",
                 applied, set.count);
    else
        snprintf(report, STATE_STORE_REPORT_SIZE,
                 "nothing could be read from it: restore a backup or join again");
    record_set_free(&set);
    store_close(store);
    unlink(path_of(&place, growing_lock));
    if (!core && !is_empty) {
        *error = failure;
        return false;
    }
    core_free(core);
    return true;
}

/* ---- setting aside ---------------------------------------------------------------------- */

/* "quarantine-2026-01-31T12:34:56", with a number when there is one already. */
static bool make_quarantine(const char *state_dir, char out[PATH_MAX], struct error *error)
{
    char now[WALLTIME_TEXT_SIZE], number[16] = "";
    const int most = 100;
    walltime_format(walltime_now_ms(), now);
    for (int i = 1; i <= most; i++) {
        snprintf(out, PATH_MAX, "%s/quarantine-%s%s", state_dir, now, number);
        if (mkdir(out, 0700) == 0)
            return true;
        if (errno != EEXIST)
            break;
        snprintf(number, sizeof(number), "-%d", i + 1);
    }
    return error_set(error, ERROR_REFUSED, "%.300s cannot be made: %s", out, strerror(errno));
}

/* The damaged store goes to a quarantine, what was salvaged takes its place. */
static bool start_anew(const char *state_dir,
                       const struct core_settings *settings,
                       struct state_store *out,
                       struct error *error)
{
    char quarantine[PATH_MAX], what[200], salvaged[STATE_STORE_REPORT_SIZE];
    snprintf(what, sizeof(what), "%.190s", error->text);
    *error = (struct error){0};
    if (!salvage(state_dir, settings, salvaged, error) ||
        !rename_in(state_dir, growing, state_dir, complete, error) ||
        !make_quarantine(state_dir, quarantine, error) ||
        !rename_in(state_dir, current, quarantine, current, error) ||
        !rename_in(state_dir, current_lock, quarantine, current_lock, error) ||
        !rename_in(state_dir, complete, state_dir, current, error))
        return false;
    sync_directory(state_dir);
    struct place place = {state_dir};
    out->store = store_lmdb_open(path_of(&place, current), first_map_size, error);
    out->quarantined = true;
    snprintf(out->report, sizeof(out->report), "%.150s; it is now in %.100s; %.120s", what,
             quarantine, salvaged);
    return out->store;
}

/* ---- opening ---------------------------------------------------------------------------- */

static bool has_owner(struct store *store, const struct uuid *node_id, int *out_result)
{
    struct wire_writer owner = {0};
    *out_result = store_get(store, STORE_META, node_key, &owner);
    bool own = owner.size == sizeof(node_id->bytes) &&
               memcmp(owner.data, node_id->bytes, owner.size) == 0;
    wire_writer_free(&owner);
    return *out_result == 0 && own;
}

void state_store_give(const struct uuid *node_id, struct store_batch *batch)
{
    store_batch_put(batch, STORE_META, node_key,
                    (struct bytes){node_id->bytes, sizeof(node_id->bytes)});
}

bool state_store_is_of(const char *state_dir, const struct uuid *node_id)
{
    struct place place = {state_dir};
    struct error ignored;
    int result;
    const char *path = path_of(&place, current);
    if (access(path, F_OK) != 0 || !store_check(path, first_map_size, &ignored))
        return false;
    struct store *store = store_lmdb_open(path, first_map_size, &ignored);
    bool own = store && has_owner(store, node_id, &result);
    store_close(store);
    return own;
}

/* A store that was copied from another node must not speak in this one's name. A store that
 * takes no write (a full disk) is no reason to stay down. */
static bool
claim(struct store *store, const struct uuid *node_id, const char *path, struct error *error)
{
    struct store_batch batch = {0};
    int result;
    bool own = has_owner(store, node_id, &result);
    if (result == 0)
        return own || error_set(error, ERROR_REFUSED,
                                "the store %s belongs to another node than node.key; put back "
                                "the key that it came with, or move the store away and join "
                                "again",
                                path);
    state_store_give(node_id, &batch);
    store_commit(store, &batch);
    store_batch_free(&batch);
    return true;
}

bool state_store_open(const char *state_dir,
                      const struct core_settings *settings,
                      struct state_store *out,
                      struct error *error)
{
    struct place place = {state_dir};
    struct error found = {0};
    *out = (struct state_store){0};
    if (access(path_of(&place, current), F_OK) != 0 &&
        !rename_in(state_dir, complete, state_dir, current, error))
        return false;
    const char *path = path_of(&place, current);
    if (store_check(path, first_map_size, &found))
        out->store = store_lmdb_open(path, first_map_size, &found);
    bool opened = out->store ||
                  (found.kind == ERROR_INVALID && start_anew(state_dir, settings, out, &found));
    if (opened && claim(out->store, &settings->node_id, path, &found))
        return true;
    store_close(out->store);
    out->store = NULL;
    *error = found;
    return false;
}
