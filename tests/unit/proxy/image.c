#include "tests/unit/proxy/image.h"

#include "lbnode/model/maglev.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct ip_endpoint image_loopback(uint16_t port)
{
    return (struct ip_endpoint){{4, {127, 0, 0, 1}}, port};
}

static struct snapshot_array
array_at(const struct image *image, const void *items, uint32_t count)
{
    ptrdiff_t offset = (const char *)items - (const char *)image;
    return (struct snapshot_array){(uint32_t)offset, count};
}

static void init_listeners(struct image *image)
{
    for (uint32_t i = 0; i < 2; i++) {
        image->endpoints[i] = (struct snapshot_endpoint){image_loopback((uint16_t)(i + 1)), i};
        image->listeners[i] = (struct snapshot_listener){
            .slot = i,
            .incarnation = 1,
            .protocol = i == 0 ? SNAPSHOT_HTTP : SNAPSHOT_TCP,
            .enabled = 1,
            .port = (uint16_t)(i + 1),
            .connection_limit = -1,
            .timeout_client_data_ms = 50000,
            .timeout_member_connect_ms = 5000,
            .timeout_member_data_ms = 50000,
        };
    }
}

void image_init(struct image *image, uint64_t generation, uint32_t members)
{
    memset(image, 0, sizeof(*image));
    image->header = (struct snapshot){
        .magic = SNAPSHOT_MAGIC,
        .layout = SNAPSHOT_LAYOUT,
        .size = sizeof(*image),
        .generation = generation,
        .endpoints = array_at(image, image->endpoints, 2),
        .listeners = array_at(image, image->listeners, 2),
        .cidrs = array_at(image, &image->cidr, 0),
        .pools = array_at(image, &image->pool, 1),
        .members = array_at(image, image->members, members),
        .monitors = array_at(image, &image->monitor, 0),
        .schedule = array_at(image, image->schedule, 0),
        .strings = array_at(image, image->strings, sizeof(image->strings)),
    };
    init_listeners(image);
    image->pool = (struct snapshot_pool){
        .id = {{1}},
        .incarnation = 1,
        .protocol = SNAPSHOT_HTTP,
        .algorithm = SNAPSHOT_ROUND_ROBIN,
        .enabled = 1,
        .member_count = members,
        .monitor = SNAPSHOT_NONE,
    };
    for (uint32_t i = 0; i < members; i++) {
        image->members[i] = (struct snapshot_member){
            .id = {{2, (uint8_t)i}},
            .slot = i,
            .incarnation = 1,
            .endpoint = image_loopback(1),
            .monitor_endpoint = image_loopback(1),
            .weight = 1,
            .enabled = 1,
        };
    }
    image_schedule(image);
}

/* Appends one turn of each member with turns left, until none has. */
static uint32_t fill_turns(struct image *image, uint32_t start, uint8_t backup)
{
    uint32_t length = 0;
    bool more = true;
    for (uint32_t round = 0; more; round++) {
        more = false;
        for (uint16_t i = 0; i < image->pool.member_count; i++) {
            if (image->members[i].backup != backup || image->members[i].weight <= round)
                continue;
            image->schedule[start + length++] = i;
            more = true;
        }
    }
    return length;
}

static uint32_t fill_table(struct image *image, uint32_t start, uint8_t backup)
{
    struct maglev_member chosen[IMAGE_MEMBERS];
    size_t count = 0;
    for (uint16_t i = 0; i < image->pool.member_count; i++) {
        const struct snapshot_member *member = &image->members[i];
        if (member->backup == backup && member->enabled && member->weight > 0)
            chosen[count++] =
                (struct maglev_member){.id = member->id, .number = i, .weight = member->weight};
    }
    if (count == 0)
        return 0;
    size_t length = maglev_length(image->pool.member_count);
    assert_true(start + length <= IMAGE_SCHEDULE);
    maglev_fill(chosen, count, &image->pool.id, image->schedule + start, length);
    return (uint32_t)length;
}

static uint32_t fill(struct image *image, uint32_t start, uint8_t backup)
{
    return image->pool.algorithm >= SNAPSHOT_SOURCE_IP ? fill_table(image, start, backup)
                                                       : fill_turns(image, start, backup);
}

void image_schedule(struct image *image)
{
    uint32_t primary = fill(image, 0, 0), backup = fill(image, primary, 1);
    image->pool.schedule_length = primary;
    image->pool.backup_schedule_offset = primary;
    image->pool.backup_schedule_length = backup;
    image->header.schedule.count = primary + backup;
}

int image_seal(const struct image *image)
{
    int fd = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(snapshot_is_valid(image, sizeof(*image)));
    assert_int_equal(write(fd, image, sizeof(*image)), sizeof(*image));
    assert_int_equal(
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    return fd;
}
