#include "tests/unit/health/monitor_site.h"

#include "lbnode/base/monotime.h"
#include "lbnode/model/configuration.h"
#include "lbnode/model/field_table.h"
#include "lbnode/model/snapshot_build.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 8000
};

/* ---- a server that answers every connection with one text
 * ------------------------------------ */

static void serve(struct loop_io *io, unsigned readiness)
{
    struct server *server = CONTAINER_OF(io, struct server, io);
    int client = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
        return;
    if (server->answer[0] != '\0')
        assert_true(write(client, server->answer, strlen(server->answer)) > 0);
    /* Kept open: a close before the request is read would reset the connection. */
    assert_true(server->client_count < CLIENTS);
    server->clients[server->client_count++] = client;
}

void server_start(struct server *server, struct loop *loop, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    server->loop = loop;
    server->answer = answer;
    server->client_count = 0;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(loop_io_start(loop, &server->io, server->fd, LOOP_READABLE, serve), 0);
}

void server_stop(struct server *server)
{
    loop_io_stop(&server->io);
    close(server->fd);
    for (size_t i = 0; i < server->client_count; i++)
        close(server->clients[i]);
}

/* ---- a configuration: one load balancer, one pool, members, one monitor
 * ---------------------- */

static struct uuid add(struct site *site, const char *noun, struct json_value *body)
{
    struct error error = {0};
    struct change_set changes = {0};
    struct resource *resource = resource_from_json(resource_class_by_noun(noun), body, &error);
    if (!resource)
        print_error("%s\n", error.text);
    assert_non_null(resource);
    assert_true(change_set_add_create(&changes, resource));
    site->stamp++;
    for (size_t i = 0; i < changes.count; i++) {
        const struct change_op *op = &changes.ops[i];
        struct raw_facet facet = {.object_id = op->object_id,
                                  .owner = op->owner,
                                  .type = op->type,
                                  .facet = op->facet,
                                  .value = {op->value, op->value_size},
                                  .hlc = site->stamp << 16,
                                  .stream = 1,
                                  .seq = site->stamp,
                                  .entry_count = 1};
        assert_true(configuration_builder_add(site->builder, &facet));
    }
    struct uuid id = resource->id;
    resource_free(resource);
    change_set_free(&changes);
    json_value_free(body);
    return id;
}

static struct json_value *object_with_id(const char *key, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    struct json_value *object = json_value_object();
    if (key) {
        uuid_format(id, text);
        json_value_set_text(object, key, text);
    }
    return object;
}

void site_start(struct site *site)
{
    *site = (struct site){.builder = configuration_builder_new()};
    struct json_value *body = object_with_id(NULL, NULL);
    json_value_set_text(body, "vip_address", "192.0.2.1");
    site->load_balancer = add(site, "loadbalancer", body);
    body = object_with_id("loadbalancer_id", &site->load_balancer);
    json_value_set_text(body, "protocol", "HTTP");
    json_value_set_text(body, "lb_algorithm", "ROUND_ROBIN");
    site->pool = add(site, "pool", body);
}

void site_member(struct site *site, uint16_t port)
{
    struct json_value *body = object_with_id("pool_id", &site->pool);
    json_value_set_text(body, "address", "127.0.0.1");
    json_value_set_number(body, "protocol_port", port);
    site->members[site->member_count++] = add(site, "member", body);
}

void site_monitor(struct site *site, const char *type)
{
    struct json_value *body = object_with_id("pool_id", &site->pool);
    json_value_set_text(body, "type", type);
    json_value_set_number(body, "delay", 1);
    json_value_set_number(body, "timeout", 1);
    json_value_set_number(body, "max_retries", 1);
    add(site, "healthmonitor", body);
}

void site_slow_monitor(struct site *site, unsigned quick_ms)
{
    struct json_value *body = object_with_id("pool_id", &site->pool);
    json_value_set_text(body, "type", "TCP");
    json_value_set_number(body, "delay", 5);
    json_value_set_number(body, "timeout", 1);
    json_value_set_number(body, "max_retries", 3);
    json_value_set_number(body, "max_retries_down", 3);
    if (quick_ms > 0)
        json_value_set_number(body, "transition_delay_ms", quick_ms);
    add(site, "healthmonitor", body);
}

int site_image(struct site *site, struct slot_map *slots)
{
    struct error error = {0};
    struct configuration *configuration = configuration_builder_finish(site->builder);
    int fd = snapshot_build(configuration, slots, 1, &error);
    assert_true(fd >= 0);
    configuration_free(configuration);
    return fd;
}

const struct snapshot *site_open(int fd)
{
    struct error error = {0};
    const struct snapshot *snapshot = snapshot_open(fd, &error);
    assert_non_null(snapshot);
    return snapshot;
}

const struct snapshot *site_snapshot(struct site *site, struct slot_map *slots)
{
    int fd = site_image(site, slots);
    const struct snapshot *snapshot = site_open(fd);
    close(fd);
    return snapshot;
}

/* ---- the fixture
 * ------------------------------------------------------------------------------ */

static void wake(struct loop_timer *timer)
{
    struct fixture *fixture = CONTAINER_OF(timer, struct fixture, wake);
    loop_timer_start(fixture->loop, timer, 10, wake);
}

void fixture_start(struct fixture *fixture)
{
    *fixture = (struct fixture){
        .loop = loop_new(), .slots = slot_map_new(), .board = verdict_board_create()};
    fixture->set = monitor_set_new(fixture->loop, fixture->board, &fixture->icmp);
    loop_timer_start(fixture->loop, &fixture->wake, 10, wake);
}

void fixture_stop(struct fixture *fixture)
{
    monitor_set_free(fixture->set);
    loop_timer_stop(&fixture->wake);
    slot_map_free(fixture->slots);
    loop_free(fixture->loop);
}

const struct verdict_slot *fixture_slot(const struct fixture *fixture,
                                        const struct uuid *member,
                                        uint32_t *out_slot,
                                        uint32_t *out_incarnation)
{
    assert_true(slot_map_find(fixture->slots, member, out_slot, out_incarnation));
    return &fixture->board->slots[*out_slot];
}

enum verdict_state fixture_state(const struct fixture *fixture, const struct uuid *member)
{
    uint32_t slot, incarnation;
    fixture_slot(fixture, member, &slot, &incarnation);
    return verdict_board_state(fixture->board, slot, incarnation);
}

enum verdict_reason fixture_reason(const struct fixture *fixture, const struct uuid *member)
{
    uint32_t slot, incarnation;
    return (enum verdict_reason)fixture_slot(fixture, member, &slot, &incarnation)->reason;
}

void fixture_await(struct fixture *fixture, const struct uuid *member, enum verdict_state state)
{
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    while (fixture_state(fixture, member) != state && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    assert_int_equal(fixture_state(fixture, member), state);
}
