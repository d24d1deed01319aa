#include "lbnode/model/undo_check.h"

#include "lbnode/model/change_set.h"
#include "lbnode/model/configuration_internal.h"
#include "lbnode/model/field_table.h"

#include <stdlib.h>

struct trial {
    struct configuration *scratch;
    const struct change_set *changes;
    struct error *error;
};

static bool is_deletion(const struct change_op *op)
{
    return op->facet == FACET_LIFE && (op->value_size == 0 || op->value[0] == 0);
}

/* Behind the last of the operations from AT on that are on the same object. */
static size_t run_end(const struct change_set *changes, size_t at)
{
    size_t end = at;
    while (end < changes->count &&
           uuid_equal(&changes->ops[end].object_id, &changes->ops[at].object_id))
        end++;
    return end;
}

/* The object as the operations from FIRST on leave it; NULL with ERROR. */
static struct resource *result_of(const struct trial *trial, size_t first, size_t end)
{
    const struct change_op *ops = trial->changes->ops;
    const struct effective *known = configuration_find(trial->scratch, &ops[first].object_id);
    struct resource *resource =
        known ? resource_copy(known->resource) : resource_new(ops[first].type);
    bool good = resource;
    for (size_t i = first; good && i < end; i++)
        good =
            ops[i].facet == FACET_LIFE ||
            resource_read_facet(resource, ops[i].facet,
                                (struct bytes){ops[i].value, ops[i].value_size}, trial->error);
    if (good) {
        resource->id = ops[first].object_id;
        resource->owner = ops[first].owner;
        return resource;
    }
    resource_free(resource);
    return NULL;
}

static bool try_object(const struct trial *trial, size_t first, size_t end)
{
    const struct effective *known =
        configuration_find(trial->scratch, &trial->changes->ops[first].object_id);
    struct resource *after = result_of(trial, first, end);
    bool good =
        after && (known ? configuration_check_update(trial->scratch, known->resource, after,
                                                     trial->error)
                        : configuration_check_create(trial->scratch, after, trial->error));
    if (good)
        return configuration_scratch_put(trial->scratch, after);
    resource_free(after);
    return false;
}

/* True when none waits any more. OUT_PROGRESS: at least one more is done. */
static bool try_once(const struct trial *trial, bool *done, bool *out_progress)
{
    const struct change_set *changes = trial->changes;
    bool all = true;
    *out_progress = false;
    for (size_t i = 0, end; i < changes->count; i = end) {
        end = run_end(changes, i);
        if (done[i])
            continue;
        done[i] = try_object(trial, i, end);
        *out_progress |= done[i];
        all &= done[i];
    }
    return all;
}

/* What refers to something comes after it: as often as at least one more works. */
static bool try_all(const struct trial *trial)
{
    const struct change_set *changes = trial->changes;
    bool *done = calloc(changes->count + 1, sizeof(*done));
    bool all = false, progress = done;
    for (size_t i = 0; done && i < changes->count; i++) {
        done[i] = is_deletion(&changes->ops[i]);
        if (done[i])
            configuration_scratch_remove(trial->scratch, &changes->ops[i].object_id);
    }
    while (progress && !all)
        all = try_once(trial, done, &progress);
    free(done);
    return all;
}

bool configuration_check_changes(const struct configuration *configuration,
                                 const struct change_set *changes,
                                 struct error *error)
{
    struct error reason = {0};
    struct trial trial = {configuration_scratch(configuration), changes, &reason};
    bool good = trial.scratch && try_all(&trial);
    configuration_free(trial.scratch);
    if (good)
        return true;
    return error_set(error, reason.kind == ERROR_NONE ? ERROR_UNAVAILABLE : reason.kind, "%s",
                     reason.kind == ERROR_NONE ? "Out of memory." : reason.text);
}
