/* The image is built in memory, array by array, and then written to a memfd that is sealed. The
 * strings come first behind the header, so that their offsets are known when they are added. */
#include "lbnode/model/snapshot_build.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/uuid_map.h"
#include "lbnode/model/schedule.h"
#include "lbnode/model/slot_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    IMAGE_ALIGNMENT = 8,
    TIMEOUT_MAXIMUM_MS = 2073600000 /* what timeout 0 means */
};

#define ALIGNED(size) (((size) + IMAGE_ALIGNMENT - 1) / IMAGE_ALIGNMENT * IMAGE_ALIGNMENT)

/* One array of the image while it grows. */
struct array {
    uint8_t *data;
    size_t count, capacity, item_size;
};

enum array_kind { /* in the order of the image */
    ARRAY_STRINGS,
    ARRAY_ENDPOINTS,
    ARRAY_LISTENERS,
    ARRAY_CIDRS,
    ARRAY_POOLS,
    ARRAY_MEMBERS,
    ARRAY_MONITORS,
    ARRAY_SCHEDULE,
    ARRAY_COUNT
};

struct build {
    const struct configuration *configuration;
    struct slot_map *slots;
    struct array arrays[ARRAY_COUNT];
    struct uuid_map pool_numbers; /* pool id -> index + 1, kept in the pointer itself */
};

/* COUNT zeroed items, or NULL when out of memory. */
static void *array_add(struct build *build, enum array_kind kind, size_t count)
{
    struct array *array = &build->arrays[kind];
    if (array->count + count > array->capacity) {
        size_t capacity = array->capacity ? array->capacity : 32;
        while (capacity < array->count + count)
            capacity *= 2;
        uint8_t *data = realloc(array->data, capacity * array->item_size);
        if (!data)
            return NULL;
        array->data = data;
        array->capacity = capacity;
    }
    void *items = array->data + array->count * array->item_size;
    memset(items, 0, count * array->item_size);
    array->count += count;
    return items;
}

static bool add_string(struct build *build, const char *text, snapshot_string *out)
{
    size_t size = strlen(text) + 1, at = build->arrays[ARRAY_STRINGS].count;
    *out = 0;
    if (size == 1)
        return true;
    char *copy = array_add(build, ARRAY_STRINGS, size);
    if (!copy)
        return false;
    memcpy(copy, text, size);
    *out = (snapshot_string)(ALIGNED(sizeof(struct snapshot)) + at);
    return true;
}

/* ---- what gets in ---------------------------------------------------------------------------
 */

/* Walk of all effective objects of TYPE whose owner is effective too: WANTED from *INDEX on. */
static const struct resource *
next_usable(const struct configuration *configuration, enum resource_type type, size_t *index)
{
    const struct effective *at;
    while ((at = configuration_at(configuration, type, (*index)++))) {
        const struct effective *owner =
            at->effective ? configuration_find(configuration, &at->resource->owner) : NULL;
        if (owner && owner->effective)
            return at->resource;
    }
    return NULL;
}

static const struct resource *
next_member(const struct configuration *configuration, const struct uuid *pool, size_t *index)
{
    const struct effective *at;
    while ((at = configuration_child(configuration, pool, RESOURCE_MEMBER, (*index)++))) {
        if (at->effective)
            return at->resource;
    }
    return NULL;
}

static void keep_slots(struct build *build, size_t counts[SLOT_KIND_COUNT])
{
    const struct resource *resource;
    for (size_t i = 0; (resource = next_usable(build->configuration, RESOURCE_LISTENER, &i));) {
        slot_map_keep(build->slots, &resource->id);
        counts[SLOT_LISTENER]++;
    }
    for (size_t i = 0; (resource = next_usable(build->configuration, RESOURCE_POOL, &i));) {
        const struct resource *member;
        slot_map_keep(build->slots, &resource->id);
        counts[SLOT_POOL]++;
        for (size_t m = 0; (member = next_member(build->configuration, &resource->id, &m));) {
            slot_map_keep(build->slots, &member->id);
            counts[SLOT_MEMBER]++;
        }
    }
}

/* Slots of vanished objects are only given up when the rest fits. */
static int prepare_slots(struct build *build, struct error *error)
{
    static const char *const plurals[] = {"listeners", "pools", "members"};
    size_t counts[SLOT_KIND_COUNT] = {0};
    slot_map_begin(build->slots);
    keep_slots(build, counts);
    for (int kind = 0; kind < SLOT_KIND_COUNT; kind++) {
        if (counts[kind] > slot_map_limit((enum slot_kind)kind)) {
            error_set(error, ERROR_TOO_LARGE, "%zu %s are more than the %u that a node can run",
                      counts[kind], plurals[kind], slot_map_limit((enum slot_kind)kind));
            return -E2BIG;
        }
    }
    slot_map_sweep(build->slots);
    return 0;
}

/* ---- incarnations ---------------------------------------------------------------------------
 */

static uint64_t mix_number(uint64_t hash, int64_t number)
{
    uint8_t bytes[8];
    store_be64(bytes, (uint64_t)number);
    return bytes_hash(bytes, sizeof(bytes), hash);
}

static uint64_t mix_endpoint(uint64_t hash, const struct ip_endpoint *endpoint)
{
    hash = mix_number(hash, endpoint->address.family);
    hash = bytes_hash(endpoint->address.bytes, sizeof(endpoint->address.bytes), hash);
    return mix_number(hash, endpoint->port);
}

/* Never 0: an untouched cell of a board must look stale. */
static uint32_t fold(uint64_t hash)
{
    uint32_t folded = (uint32_t)(hash ^ hash >> 32);
    return folded ? folded : 1;
}

/* ---- monitors, members, pools ---------------------------------------------------------------
 */

static bool add_monitor(struct build *build, struct snapshot_pool *pool, uint32_t pool_index)
{
    const struct health_monitor *from =
        configuration_monitor_of(build->configuration, &pool->id);
    pool->monitor = SNAPSHOT_NONE;
    if (!from)
        return true;
    pool->monitor = (uint32_t)build->arrays[ARRAY_MONITORS].count;
    struct snapshot_monitor *monitor = array_add(build, ARRAY_MONITORS, 1);
    if (!monitor)
        return false;
    monitor->id = from->resource.id;
    monitor->pool = pool_index;
    monitor->type = from->type == MONITOR_HTTP ? SNAPSHOT_MONITOR_HTTP : SNAPSHOT_MONITOR_TCP;
    monitor->enabled = from->resource.admin_state_up;
    monitor->max_retries = (uint8_t)from->max_retries;
    monitor->max_retries_down = (uint8_t)from->max_retries_down;
    monitor->http_version = strcmp(from->http_version, "1.1") == 0 ? 11 : 10;
    monitor->delay_ms =
        (uint32_t)(from->delay > UINT32_MAX / 1000 ? UINT32_MAX : from->delay * 1000);
    monitor->timeout_ms =
        (uint32_t)(from->timeout > UINT32_MAX / 1000 ? UINT32_MAX : from->timeout * 1000);
    return add_string(build, from->http_method, &monitor->http_method) &&
           add_string(build, from->url_path, &monitor->url_path) &&
           add_string(build, from->domain_name, &monitor->domain_name) &&
           add_string(build, from->expected_codes, &monitor->expected_codes);
}

static bool add_member(struct build *build, const struct member *from, uint32_t pool_index)
{
    struct snapshot_member *member = array_add(build, ARRAY_MEMBERS, 1);
    if (!member)
        return false;
    int64_t monitor_port = from->monitor_port ? from->monitor_port : from->protocol_port;
    member->id = from->resource.id;
    member->endpoint.address = from->address;
    member->endpoint.port = (uint16_t)from->protocol_port;
    member->monitor_endpoint.address =
        from->monitor_address.family ? from->monitor_address : from->address;
    member->monitor_endpoint.port = (uint16_t)monitor_port;
    member->pool = pool_index;
    member->weight = (uint16_t)from->weight;
    member->backup = from->backup;
    member->enabled = from->resource.admin_state_up;
    uint64_t hash = bytes_hash(member->id.bytes, sizeof(member->id.bytes), SLOT_MEMBER);
    hash = mix_endpoint(hash, &member->endpoint);
    member->incarnation = fold(mix_endpoint(hash, &member->monitor_endpoint));
    member->slot = slot_map_take(build->slots, SLOT_MEMBER, &member->id, member->incarnation);
    return member->slot != SNAPSHOT_NONE &&
           add_string(build, from->resource.name, &member->name);
}

/* The schedule of the pool's members that are backups or not, as BACKUP says. */
static bool add_schedule(struct build *build,
                         const struct snapshot_pool *pool,
                         bool backup,
                         uint32_t *out_offset,
                         uint32_t *out_length)
{
    struct schedule_member *turns = calloc(pool->member_count + 1, sizeof(*turns));
    const struct snapshot_member *members =
        (const struct snapshot_member *)(void *)build->arrays[ARRAY_MEMBERS].data;
    size_t count = 0;
    if (!turns)
        return false;
    for (uint32_t i = 0; i < pool->member_count; i++) {
        const struct snapshot_member *member = &members[pool->first_member + i];
        if (member->enabled && member->weight > 0 && (member->backup != 0) == backup)
            turns[count++] = (struct schedule_member){(uint16_t)i, member->weight};
    }
    *out_offset = (uint32_t)build->arrays[ARRAY_SCHEDULE].count;
    *out_length = (uint32_t)schedule_prepare(turns, count);
    uint16_t *schedule = array_add(build, ARRAY_SCHEDULE, *out_length);
    bool done = (schedule || *out_length == 0) && schedule_fill(turns, count, schedule);
    free(turns);
    return done;
}

static bool add_pool(struct build *build, const struct pool *from)
{
    static const uint8_t algorithms[] = {
        [ALGORITHM_ROUND_ROBIN] = SNAPSHOT_ROUND_ROBIN,
        [ALGORITHM_LEAST_CONNECTIONS] = SNAPSHOT_LEAST_CONNECTIONS,
        [ALGORITHM_SOURCE_IP] = SNAPSHOT_SOURCE_IP,
        [ALGORITHM_SOURCE_IP_PORT] = SNAPSHOT_SOURCE_IP_PORT,
    };
    uint32_t index = (uint32_t)build->arrays[ARRAY_POOLS].count;
    struct snapshot_pool pool = {
        .id = from->resource.id,
        .protocol = from->protocol == PROTOCOL_HTTP ? SNAPSHOT_HTTP : SNAPSHOT_TCP,
        .algorithm = algorithms[from->lb_algorithm],
        .enabled = from->resource.admin_state_up,
        .first_member = (uint32_t)build->arrays[ARRAY_MEMBERS].count,
    };
    pool.incarnation = fold(bytes_hash(pool.id.bytes, sizeof(pool.id.bytes), SLOT_POOL));
    pool.slot = slot_map_take(build->slots, SLOT_POOL, &pool.id, pool.incarnation);
    const struct resource *member;
    for (size_t i = 0; (member = next_member(build->configuration, &pool.id, &i));) {
        if (!add_member(build, (const struct member *)member, index))
            return false;
        pool.member_count++;
    }
    if (pool.slot == SNAPSHOT_NONE || !add_monitor(build, &pool, index) ||
        !add_schedule(build, &pool, false, &pool.schedule_offset, &pool.schedule_length) ||
        !add_schedule(build, &pool, true, &pool.backup_schedule_offset,
                      &pool.backup_schedule_length) ||
        !add_string(build, from->resource.name, &pool.name))
        return false;
    struct snapshot_pool *place = array_add(build, ARRAY_POOLS, 1);
    if (!place)
        return false;
    *place = pool;
    return uuid_map_set(&build->pool_numbers, &pool.id, (void *)((uintptr_t)index + 1));
}

/* ---- listeners ------------------------------------------------------------------------------
 */

static uint64_t timeout_ms(int64_t value)
{
    return value > 0 ? (uint64_t)value : TIMEOUT_MAXIMUM_MS;
}

static uint32_t insert_headers_of(const struct listener *listener)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } headers[] = {
        {"X-Forwarded-For", SNAPSHOT_INSERT_FORWARDED_FOR},
        {"X-Forwarded-Port", SNAPSHOT_INSERT_FORWARDED_PORT},
        {"X-Forwarded-Proto", SNAPSHOT_INSERT_FORWARDED_PROTO},
    };
    uint32_t flags = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        const char *value = text_list_value(&listener->insert_headers, headers[i].name);
        if (value && strcmp(value, "true") == 0)
            flags |= headers[i].flag;
    }
    return flags;
}

/* The pool that serves LISTENER. A disabled pool is as good as none, and so is one that is
 * gone or of the wrong protocol (P6). */
static uint32_t pool_number(const struct build *build, const struct listener *listener)
{
    uintptr_t number =
        (uintptr_t)uuid_map_get(&build->pool_numbers, &listener->default_pool_id);
    const struct effective *pool =
        number ? configuration_find(build->configuration, &listener->default_pool_id) : NULL;
    if (!pool || !pool->resource->admin_state_up ||
        !uuid_equal(&pool->resource->owner, &listener->resource.owner) ||
        (listener->protocol == PROTOCOL_HTTP &&
         ((const struct pool *)pool->resource)->protocol != PROTOCOL_HTTP))
        return SNAPSHOT_NONE;
    return (uint32_t)(number - 1);
}

static bool
add_cidrs(struct build *build, const struct listener *from, struct snapshot_listener *listener)
{
    listener->first_cidr = (uint32_t)build->arrays[ARRAY_CIDRS].count;
    for (size_t i = 0; i < from->allowed_cidrs.count; i++) {
        struct ip_prefix *prefix = array_add(build, ARRAY_CIDRS, 1);
        if (!prefix || !ip_prefix_parse(from->allowed_cidrs.items[i], prefix))
            return false;
        listener->cidr_count++;
    }
    return true;
}

static bool add_endpoint(struct build *build,
                         const struct ip_address *address,
                         const struct snapshot_listener *listener,
                         uint32_t index)
{
    if (address->family == 0)
        return true;
    struct snapshot_endpoint *endpoint = array_add(build, ARRAY_ENDPOINTS, 1);
    if (!endpoint)
        return false;
    endpoint->endpoint.address = *address;
    endpoint->endpoint.port = listener->port;
    endpoint->listener = index;
    return true;
}

static bool add_endpoints(struct build *build,
                          const struct load_balancer *load_balancer,
                          const struct snapshot_listener *listener,
                          uint32_t index)
{
    if (!add_endpoint(build, &load_balancer->vip_address, listener, index))
        return false;
    for (size_t i = 0; i < load_balancer->additional_vips.count; i++) {
        struct ip_address address;
        if (ip_address_parse(load_balancer->additional_vips.items[i], &address) &&
            !add_endpoint(build, &address, listener, index))
            return false;
    }
    return true;
}

static bool add_listener(struct build *build, const struct listener *from)
{
    const struct resource *owner =
        configuration_find(build->configuration, &from->resource.owner)->resource;
    uint32_t index = (uint32_t)build->arrays[ARRAY_LISTENERS].count;
    struct snapshot_listener listener = {
        .id = from->resource.id,
        .protocol = from->protocol == PROTOCOL_HTTP ? SNAPSHOT_HTTP : SNAPSHOT_TCP,
        .enabled = from->resource.admin_state_up && owner->admin_state_up,
        .port = (uint16_t)from->protocol_port,
        .insert_headers = insert_headers_of(from),
        .pool = pool_number(build, from),
        .connection_limit = from->connection_limit,
        .timeout_client_data_ms = timeout_ms(from->timeout_client_data),
        .timeout_member_connect_ms = timeout_ms(from->timeout_member_connect),
        .timeout_member_data_ms = timeout_ms(from->timeout_member_data),
    };
    uint64_t hash = bytes_hash(listener.id.bytes, sizeof(listener.id.bytes), SLOT_LISTENER);
    listener.incarnation = fold(mix_number(mix_number(hash, listener.protocol), listener.port));
    listener.slot =
        slot_map_take(build->slots, SLOT_LISTENER, &listener.id, listener.incarnation);
    if (listener.slot == SNAPSHOT_NONE || !add_cidrs(build, from, &listener) ||
        !add_string(build, from->resource.name, &listener.name))
        return false;
    struct snapshot_listener *place = array_add(build, ARRAY_LISTENERS, 1);
    if (!place)
        return false;
    *place = listener;
    return !listener.enabled ||
           add_endpoints(build, (const struct load_balancer *)owner, &listener, index);
}

static int compare_endpoints(const void *a, const void *b)
{
    const struct snapshot_endpoint *x = a, *y = b;
    int order = ip_address_compare(&x->endpoint.address, &y->endpoint.address);
    if (order == 0)
        order = (x->endpoint.port > y->endpoint.port) - (x->endpoint.port < y->endpoint.port);
    return order ? order : (x->listener > y->listener) - (x->listener < y->listener);
}

/* Two load balancers may name the same additional address after a merge: the older keeps it. */
static void sort_endpoints(struct build *build)
{
    struct array *array = &build->arrays[ARRAY_ENDPOINTS];
    struct snapshot_endpoint *endpoints = (struct snapshot_endpoint *)(void *)array->data;
    size_t kept = 0;
    if (array->count > 1)
        qsort(endpoints, array->count, sizeof(*endpoints), compare_endpoints);
    for (size_t i = 0; i < array->count; i++) {
        if (kept > 0 && endpoints[kept - 1].endpoint.port == endpoints[i].endpoint.port &&
            ip_address_equal(&endpoints[kept - 1].endpoint.address,
                             &endpoints[i].endpoint.address))
            continue;
        endpoints[kept++] = endpoints[i];
    }
    array->count = kept;
}

/* ---- the image ------------------------------------------------------------------------------
 */

static bool fill(struct build *build)
{
    const struct resource *resource;
    for (size_t i = 0; (resource = next_usable(build->configuration, RESOURCE_POOL, &i));) {
        if (!add_pool(build, (const struct pool *)resource))
            return false;
    }
    for (size_t i = 0; (resource = next_usable(build->configuration, RESOURCE_LISTENER, &i));) {
        if (!add_listener(build, (const struct listener *)resource))
            return false;
    }
    sort_endpoints(build);
    return true;
}

static struct snapshot *
assemble(const struct build *build, uint64_t generation, size_t *out_size)
{
    struct snapshot_array places[ARRAY_COUNT];
    size_t size = ALIGNED(sizeof(struct snapshot));
    for (int kind = 0; kind < ARRAY_COUNT; kind++) {
        const struct array *array = &build->arrays[kind];
        places[kind] = (struct snapshot_array){(uint32_t)size, (uint32_t)array->count};
        size += ALIGNED(array->count * array->item_size);
        if (size > SNAPSHOT_MAXIMUM_SIZE) {
            *out_size = size;
            return NULL;
        }
    }
    struct snapshot *image = calloc(1, size);
    *out_size = size;
    if (!image)
        return NULL;
    for (int kind = 0; kind < ARRAY_COUNT; kind++) {
        const struct array *array = &build->arrays[kind];
        if (array->count > 0)
            memcpy((char *)image + places[kind].offset, array->data,
                   array->count * array->item_size);
    }
    *image = (struct snapshot){
        .magic = SNAPSHOT_MAGIC,
        .layout = SNAPSHOT_LAYOUT,
        .size = (uint32_t)size,
        .generation = generation,
        .endpoints = places[ARRAY_ENDPOINTS],
        .listeners = places[ARRAY_LISTENERS],
        .cidrs = places[ARRAY_CIDRS],
        .pools = places[ARRAY_POOLS],
        .members = places[ARRAY_MEMBERS],
        .monitors = places[ARRAY_MONITORS],
        .schedule = places[ARRAY_SCHEDULE],
        .strings = places[ARRAY_STRINGS],
    };
    return image;
}

static bool write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static int seal(const struct snapshot *image, size_t size, struct error *error)
{
    int fd = memfd_create("lbnode-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && write_all(fd, image, size) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int problem = errno ? errno : EIO;
    if (fd >= 0)
        close(fd);
    error_set(error, ERROR_INTERNAL, "the snapshot cannot be written: %s", strerror(problem));
    return -problem;
}

static int assemble_and_seal(struct build *build, uint64_t generation, struct error *error)
{
    size_t size = 0;
    struct snapshot *image = assemble(build, generation, &size);
    if (!image && size > SNAPSHOT_MAXIMUM_SIZE) {
        error_set(error, ERROR_TOO_LARGE, "the snapshot would have more than %d bytes",
                  SNAPSHOT_MAXIMUM_SIZE);
        return -E2BIG;
    }
    if (!image) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return -ENOMEM;
    }
    int result = -EINVAL;
    if (snapshot_is_valid(image, size)) /* what readers would refuse is never handed out */
        result = seal(image, size, error);
    else
        error_set(error, ERROR_INTERNAL, "the configuration makes a snapshot that is invalid");
    free(image);
    return result;
}

int snapshot_build(const struct configuration *configuration,
                   struct slot_map *slots,
                   uint64_t generation,
                   struct error *error)
{
    static const size_t item_sizes[ARRAY_COUNT] = {
        [ARRAY_STRINGS] = 1,
        [ARRAY_ENDPOINTS] = sizeof(struct snapshot_endpoint),
        [ARRAY_LISTENERS] = sizeof(struct snapshot_listener),
        [ARRAY_CIDRS] = sizeof(struct ip_prefix),
        [ARRAY_POOLS] = sizeof(struct snapshot_pool),
        [ARRAY_MEMBERS] = sizeof(struct snapshot_member),
        [ARRAY_MONITORS] = sizeof(struct snapshot_monitor),
        [ARRAY_SCHEDULE] = sizeof(uint16_t),
    };
    struct build build = {.configuration = configuration, .slots = slots};
    for (int kind = 0; kind < ARRAY_COUNT; kind++)
        build.arrays[kind].item_size = item_sizes[kind];
    int result = prepare_slots(&build, error);
    if (result == 0 && !fill(&build)) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        result = -ENOMEM;
    }
    if (result == 0)
        result = assemble_and_seal(&build, generation, error);
    for (int kind = 0; kind < ARRAY_COUNT; kind++)
        free(build.arrays[kind].data);
    uuid_map_free(&build.pool_numbers);
    return result;
}
