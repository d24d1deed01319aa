/* The store of a running node: opening it, and what follows when it fails (replication.md 6,
 * 13.4). */
#include "replication/replication_internal.h"

#include "lbnode/base/monotime.h"
#include "lbnode/base/random.h"
#include "replication/history_internal.h"
#include "replication/memory.h"
#include "replication/state_store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t incarnation_key = 'i';

static struct core_settings core_settings_of(const struct replication *replication)
{
    return (struct core_settings){
        .node_id = replication->node_id,
        .key = replication->key,
        .incarnation = replication->incarnation,
        .snapshot_after = replication->settings.snapshot_after,
        .random_seed = random_u64(),
        .retention = replication->settings.retention,
    };
}

struct core *replication_load_core(struct replication *replication, struct error *error)
{
    const struct core_settings settings = core_settings_of(replication);
    history_forget(replication);
    struct core *core =
        core_load(&settings, replication->store, replication_now(replication), error);
    if (core && removal_was_noted(replication))
        core_leave(core);
    return core;
}

/* ---- opening and closing ---------------------------------------------------------------- */

void replication_store_tell(struct replication *replication)
{
    if (replication->storage_news[0])
        replication_event(replication, replication->storage_news_code,
                          replication->storage_news);
    replication->storage_news[0] = '\0';
}

/* Raised and on disk before the first packet, so that no counter is ever used twice; on a full
 * disk the clock alone must do. 0 or -errno of writing it. */
static int raise_incarnation(struct replication *replication)
{
    struct bytes key = {&incarnation_key, 1};
    struct wire_writer stored = {0};
    uint8_t value[8];
    uint64_t incarnation = walltime_now_ms();
    if (replication->settings.incarnation > incarnation)
        incarnation = replication->settings.incarnation;
    if (store_get(replication->store, STORE_META, key, &stored) == 0 && stored.size == 8 &&
        load_be64(stored.data) >= incarnation)
        incarnation = load_be64(stored.data) + 1;
    wire_writer_free(&stored);
    struct store_batch batch = {0};
    store_be64(value, incarnation);
    store_batch_put(&batch, STORE_META, key, (struct bytes){value, sizeof(value)});
    int result = store_commit(replication->store, &batch);
    store_batch_free(&batch);
    replication->incarnation = incarnation;
    return result;
}

/* A node whose disk is full serves what it has; it only takes no changes. */
static void start_degraded(struct replication *replication, int result)
{
    char problem[200];
    snprintf(problem, sizeof(problem),
             "the store cannot be written: %s; free disk space or replace the disk",
             strerror(-result));
    core_set_storage_problem(replication->core, problem, replication_now(replication));
    replication->storage_news_code = EVENT_STORAGE_DEGRADED;
    snprintf(replication->storage_news, sizeof(replication->storage_news), "%s", problem);
}

static void on_committed(void *context, int result)
{
    struct replication *replication = context;
    struct bootstrap_view bootstrap;
    bool was_large = core_bootstrap(replication->core, &bootstrap);
    replication->committing = false;
    replication->damaged |= result == -EBADMSG;
    if (replication->damaged)
        result = -EBADMSG;
    replication_step(replication,
                     &(struct core_event){.kind = CORE_PERSISTED, .result = result});
    if (was_large && !core_bootstrap(replication->core, &bootstrap)) {
        history_forget(replication);
        memory_trim();
    }
}

bool replication_store_open(struct replication *replication, struct error *error)
{
    const struct core_settings settings = core_settings_of(replication);
    struct state_store opened;
    if (!state_store_open(replication->settings.state_dir, &settings, &opened, error))
        return false;
    replication->store = opened.store;
    if (opened.quarantined) {
        replication->storage_news_code = EVENT_STORAGE_QUARANTINED;
        memcpy(replication->storage_news, opened.report, sizeof(opened.report));
    }
    int raised = raise_incarnation(replication);
    replication->core = replication_load_core(replication, error);
    if (!replication->core)
        return false;
    if (raised)
        start_degraded(replication, raised);
    replication->writer =
        writer_new(replication->loop, replication->store, on_committed, replication);
    return replication->writer ||
           error_set(error, ERROR_INTERNAL, "the writer thread cannot be started");
}

void replication_store_close(struct replication *replication)
{
    snapshot_send_cancel(replication);
    store_copy_end(&replication->copy);
    writer_free(replication->writer);
    core_free(replication->core);
    store_close(replication->store);
    replication->writer = NULL;
    replication->core = NULL;
    replication->store = NULL;
}

/* ---- failures --------------------------------------------------------------------------- */

/* Whoever waits for an answer gets one; then the damaged store is set aside. Without any store
 * there is nothing to go on with: the process ends, and its successor tries again. */
static void replace_store(struct replication *replication)
{
    char problem[200];
    struct error error = {0};
    replication_step_once(replication,
                          &(struct core_event){.kind = CORE_PERSISTED, .result = -EBADMSG});
    snprintf(problem, sizeof(problem), "%s", core_storage_problem(replication->core));
    replication_store_close(replication);
    if (!replication_store_open(replication, &error)) {
        replication_event(replication, EVENT_STORAGE_DEGRADED, error.text);
        abort();
    }
    core_set_storage_problem(replication->core, problem, replication_now(replication));
    replication->damaged = replication->reload = false;
    replication_store_tell(replication);
    keys_follow(replication);
    if (replication->handler.applied)
        replication->handler.applied(replication->handler.context,
                                     core_position(replication->core));
}

/* A commit failed. What the disk has is the truth. */
static void reload(struct replication *replication)
{
    struct error error;
    struct core *core = replication_load_core(replication, &error);
    replication->reload = false;
    if (!core) {
        replication_event(replication, EVENT_STORAGE_DEGRADED, error.text);
        replication->damaged = true;
        return;
    }
    core_set_storage_problem(core, core_storage_problem(replication->core),
                             replication_now(replication));
    snapshot_send_cancel(replication);
    core_free(replication->core);
    replication->core = core;
    keys_follow(replication);
    if (replication->handler.applied)
        replication->handler.applied(replication->handler.context, core_position(core));
}

/* A node in no cluster has nothing to keep. */
void replication_store_tick(struct replication *replication)
{
    char path[PATH_MAX], copy[PATH_MAX];
    if (!core_is_initialised(replication->core))
        return;
    snprintf(path, sizeof(path), "%s/config.mdb", replication->settings.state_dir);
    snprintf(copy, sizeof(copy), "%s/" STATE_STORE_COPY, replication->settings.state_dir);
    store_copy_refresh(&replication->copy, path, copy, monotime_now_ms());
}

void replication_store_care(struct replication *replication)
{
    if (replication->reload && !replication->damaged)
        reload(replication);
    if (replication->damaged && !replication->committing)
        replace_store(replication);
}
