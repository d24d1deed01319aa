#include "lbnode/node/batch_guard.h"

#include "lbnode/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of this machine alone: native byte order. */
struct suspect_head {
    char magic[8];
    uint32_t active, all;
    uint32_t deaths, count;
    uint64_t first_death_ms;
    struct uuid change_id;
};

struct withheld_head {
    char magic[8];
    uint32_t all, count;
    struct uuid change_id;
};

static const char suspect_magic[8] = "lbsusp1", withheld_magic[8] = "lbheld1";

struct batch_guard {
    char withheld_path[PATH_MAX];
    int fd; /* of the suspects; -1: no protection */
    struct suspect_head head;
    struct uuid *suspects; /* head.count of them */
    size_t capacity;
    struct withheld_head held;
    struct withheld_object *objects; /* held.count of them */
    bool caught;
};

/* ---- the file of suspects ------------------------------------------------------------------
 */

static bool grow(struct batch_guard *guard, size_t count)
{
    if (count <= guard->capacity)
        return true;
    size_t capacity = guard->capacity ? guard->capacity : 64;
    while (capacity < count)
        capacity *= 2;
    struct uuid *suspects = realloc(guard->suspects, capacity * sizeof(*suspects));
    if (!suspects)
        return false;
    guard->suspects = suspects;
    guard->capacity = capacity;
    return true;
}

static bool write_at(int fd, const void *data, size_t size, size_t offset)
{
    return size == 0 || pwrite(fd, data, size, (off_t)offset) == (ssize_t)size;
}

/* Suspects first: a head that counts them must not be there before them. */
static void write_suspects(struct batch_guard *guard, size_t first)
{
    size_t unit = sizeof(*guard->suspects);
    if (guard->fd < 0)
        return;
    bool added = guard->head.count == first || write_at(guard->fd, guard->suspects + first,
                                                        (guard->head.count - first) * unit,
                                                        sizeof(guard->head) + first * unit);
    if (added && write_at(guard->fd, &guard->head, sizeof(guard->head), 0))
        return;
    log_warning("cannot write who is projected: %s; a change that crashes this process will "
                "not be withheld",
                strerror(errno));
    close(guard->fd);
    guard->fd = -1;
}

static void start_clean(struct batch_guard *guard)
{
    guard->head = (struct suspect_head){0};
    memcpy(guard->head.magic, suspect_magic, sizeof(suspect_magic));
}

static void read_suspects(struct batch_guard *guard)
{
    struct suspect_head head;
    start_clean(guard);
    if (guard->fd < 0 || pread(guard->fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head.magic, suspect_magic, sizeof(suspect_magic)) != 0 || !head.active ||
        head.count > GUARD_OBJECTS_MAXIMUM || !grow(guard, head.count))
        return;
    size_t size = head.count * sizeof(*guard->suspects);
    if (size == 0 || pread(guard->fd, guard->suspects, size, sizeof(head)) == (ssize_t)size)
        guard->head = head;
}

/* ---- the file of what is withheld ----------------------------------------------------------
 */

static void write_withheld(const struct batch_guard *guard)
{
    char temporary[PATH_MAX + 8];
    struct withheld_head head = guard->held;
    size_t size = head.count * sizeof(*guard->objects);
    snprintf(temporary, sizeof(temporary), "%s.new", guard->withheld_path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_at(fd, &head, sizeof(head), 0) &&
                write_at(fd, guard->objects, size, sizeof(head)) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (!good || rename(temporary, guard->withheld_path) != 0)
        log_warning("cannot write %s: %s", guard->withheld_path, strerror(errno));
}

static void read_withheld(struct batch_guard *guard)
{
    struct withheld_head head;
    int fd = open(guard->withheld_path, O_RDONLY | O_CLOEXEC);
    memcpy(guard->held.magic, withheld_magic, sizeof(withheld_magic));
    if (fd < 0)
        return;
    if (pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
        memcmp(head.magic, withheld_magic, sizeof(withheld_magic)) == 0 &&
        head.count <= GUARD_OBJECTS_MAXIMUM) {
        size_t size = head.count * sizeof(*guard->objects);
        guard->objects = malloc(size + 1);
        if (guard->objects && pread(fd, guard->objects, size, sizeof(head)) == (ssize_t)size)
            guard->held = head;
    }
    close(fd);
}

static struct withheld_object *find_withheld(const struct batch_guard *guard,
                                             const struct uuid *id)
{
    for (size_t i = 0; i < guard->held.count; i++) {
        if (uuid_equal(&guard->objects[i].id, id))
            return &guard->objects[i];
    }
    return NULL;
}

/* A batch that crashes although it is withheld is withheld harder. */
static void withhold(struct batch_guard *guard)
{
    size_t most = guard->held.count + guard->head.count;
    struct withheld_object *objects = realloc(guard->objects, (most + 1) * sizeof(*objects));
    if (!objects)
        return;
    guard->objects = objects;
    for (size_t i = 0; i < guard->head.count; i++) {
        struct withheld_object *object = find_withheld(guard, &guard->suspects[i]);
        if (object)
            object->level = WITHHOLD_VALUES;
        else
            guard->objects[guard->held.count++] =
                (struct withheld_object){guard->suspects[i], WITHHOLD_RULES, 0};
    }
    guard->held.all |= guard->head.all;
    guard->held.change_id = guard->head.change_id;
    guard->caught = true;
    write_withheld(guard);
}

/* ---- deaths --------------------------------------------------------------------------------
 */

static void count_death(struct batch_guard *guard, uint64_t now_wall_ms)
{
    struct suspect_head *head = &guard->head;
    bool together = head->deaths > 0 && now_wall_ms >= head->first_death_ms &&
                    now_wall_ms - head->first_death_ms <= GUARD_WINDOW_MS;
    if (!together) {
        head->deaths = 0;
        head->first_death_ms = now_wall_ms;
    }
    head->deaths++;
    if (head->deaths >= GUARD_DEATHS) {
        withhold(guard);
        head->deaths = 0;
    }
}

struct batch_guard *batch_guard_open(const char *state_dir, uint64_t now_wall_ms)
{
    char path[PATH_MAX];
    struct batch_guard *guard = calloc(1, sizeof(*guard));
    if (!guard)
        return NULL;
    snprintf(path, sizeof(path), "%s/projecting", state_dir);
    snprintf(guard->withheld_path, sizeof(guard->withheld_path), "%s/withheld", state_dir);
    guard->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (guard->fd < 0)
        log_warning("cannot open %s: %s; a change that crashes this process will not be "
                    "withheld",
                    path, strerror(errno));
    read_withheld(guard);
    read_suspects(guard);
    if (guard->head.active) {
        count_death(guard, now_wall_ms);
        write_suspects(guard, guard->head.count);
    }
    return guard;
}

void batch_guard_free(struct batch_guard *guard)
{
    if (!guard)
        return;
    if (guard->fd >= 0)
        close(guard->fd);
    free(guard->suspects);
    free(guard->objects);
    free(guard);
}

bool batch_guard_caught(const struct batch_guard *guard, struct uuid *out_change_id)
{
    *out_change_id = guard->held.change_id;
    return guard->caught;
}

bool batch_guard_withholds_all(const struct batch_guard *guard)
{
    return guard->held.all;
}

const struct withheld_object *batch_guard_withheld(const struct batch_guard *guard,
                                                   size_t *out_count)
{
    *out_count = guard->held.count;
    return guard->objects;
}

bool batch_guard_is_withheld(const struct batch_guard *guard, const struct uuid *id)
{
    return find_withheld(guard, id) != NULL;
}

void batch_guard_release(struct batch_guard *guard)
{
    guard->held.count = 0;
    guard->held.all = 0;
    guard->caught = false;
    if (unlink(guard->withheld_path) != 0 && errno != ENOENT)
        log_warning("cannot remove %s: %s", guard->withheld_path, strerror(errno));
}

/* ---- batches -------------------------------------------------------------------------------
 */

void batch_guard_begin(struct batch_guard *guard,
                       const struct uuid *ids,
                       size_t count,
                       const struct uuid *change_id)
{
    size_t first = guard->head.count;
    bool suspected = guard->head.active;
    guard->head.active = 1;
    if (!ids) {
        guard->head.all |= !suspected;
    } else if (first + count > GUARD_OBJECTS_MAXIMUM || !grow(guard, first + count)) {
        guard->head.all = 1;
    } else {
        memcpy(guard->suspects + first, ids, count * sizeof(*ids));
        guard->head.count += (uint32_t)count;
    }
    if (ids || !suspected)
        guard->head.change_id = *change_id;
    write_suspects(guard, first);
}

void batch_guard_finish(struct batch_guard *guard)
{
    if (!guard->head.active)
        return;
    start_clean(guard);
    write_suspects(guard, 0);
}
