/* The monitor set against small servers on loopback, from a real snapshot. */
#include "health/monitor_set.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/configuration.h"
#include "lbnode/model/field_table.h"
#include "lbnode/model/snapshot_build.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 8000,
    CLIENTS = 64
};

/* ---- a server that answers every connection with one text
 * ------------------------------------ */

struct server {
    struct loop *loop;
    struct loop_io io;
    int fd;
    uint16_t port;
    const char *answer; /* "": accept and say nothing */
    int clients[CLIENTS];
    size_t client_count;
};

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

static void server_start(struct server *server, struct loop *loop, const char *answer)
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

static void server_stop(struct server *server)
{
    loop_io_stop(&server->io);
    close(server->fd);
    for (size_t i = 0; i < server->client_count; i++)
        close(server->clients[i]);
}

/* ---- a configuration: one load balancer, one pool, members, one monitor
 * ---------------------- */

struct site {
    struct configuration_builder *builder;
    struct uuid load_balancer, pool, members[4];
    size_t member_count;
    uint64_t stamp;
};

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

static void site_start(struct site *site)
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

static void site_member(struct site *site, uint16_t port)
{
    struct json_value *body = object_with_id("pool_id", &site->pool);
    json_value_set_text(body, "address", "127.0.0.1");
    json_value_set_number(body, "protocol_port", port);
    site->members[site->member_count++] = add(site, "member", body);
}

static void site_monitor(struct site *site, const char *type)
{
    struct json_value *body = object_with_id("pool_id", &site->pool);
    json_value_set_text(body, "type", type);
    json_value_set_number(body, "delay", 1);
    json_value_set_number(body, "timeout", 1);
    json_value_set_number(body, "max_retries", 1);
    add(site, "healthmonitor", body);
}

static int site_image(struct site *site, struct slot_map *slots)
{
    struct error error = {0};
    struct configuration *configuration = configuration_builder_finish(site->builder);
    int fd = snapshot_build(configuration, slots, 1, &error);
    assert_true(fd >= 0);
    configuration_free(configuration);
    return fd;
}

static const struct snapshot *image_open(int fd)
{
    struct error error = {0};
    const struct snapshot *snapshot = snapshot_open(fd, &error);
    assert_non_null(snapshot);
    return snapshot;
}

static const struct snapshot *site_snapshot(struct site *site, struct slot_map *slots)
{
    int fd = site_image(site, slots);
    const struct snapshot *snapshot = image_open(fd);
    close(fd);
    return snapshot;
}

/* ---- the fixture
 * ------------------------------------------------------------------------------ */

struct fixture {
    struct loop *loop;
    struct loop_timer wake;
    struct slot_map *slots;
    struct verdict_board *board;
    struct icmp_sockets icmp;
    struct monitor_set *set;
};

static void wake(struct loop_timer *timer)
{
    struct fixture *fixture = CONTAINER_OF(timer, struct fixture, wake);
    loop_timer_start(fixture->loop, timer, 10, wake);
}

static void setup(struct fixture *fixture)
{
    *fixture = (struct fixture){
        .loop = loop_new(), .slots = slot_map_new(), .board = verdict_board_create()};
    fixture->set = monitor_set_new(fixture->loop, fixture->board, &fixture->icmp);
    loop_timer_start(fixture->loop, &fixture->wake, 10, wake);
}

static void teardown(struct fixture *fixture)
{
    monitor_set_free(fixture->set);
    loop_timer_stop(&fixture->wake);
    slot_map_free(fixture->slots);
    loop_free(fixture->loop);
}

static const struct verdict_slot *slot_of(const struct fixture *fixture,
                                          const struct uuid *member,
                                          uint32_t *out_slot,
                                          uint32_t *out_incarnation)
{
    assert_true(slot_map_find(fixture->slots, member, out_slot, out_incarnation));
    return &fixture->board->slots[*out_slot];
}

static enum verdict_state state_of(const struct fixture *fixture, const struct uuid *member)
{
    uint32_t slot, incarnation;
    slot_of(fixture, member, &slot, &incarnation);
    return verdict_board_state(fixture->board, slot, incarnation);
}

static enum verdict_reason reason_of(const struct fixture *fixture, const struct uuid *member)
{
    uint32_t slot, incarnation;
    return (enum verdict_reason)slot_of(fixture, member, &slot, &incarnation)->reason;
}

static void
wait_for(struct fixture *fixture, const struct uuid *member, enum verdict_state state)
{
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    while (state_of(fixture, member) != state && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    assert_int_equal(state_of(fixture, member), state);
}

/* ---- the rules
 * --------------------------------------------------------------------------------- */

static void each_failure_has_its_reason(void **state)
{
    struct fixture fixture;
    struct server good, bad, silent, garbage;
    struct site site;
    setup(&fixture);
    server_start(&good, fixture.loop, "HTTP/1.0 200 OK\r\n\r\n");
    server_start(&bad, fixture.loop, "HTTP/1.0 503 no\r\n\r\n");
    server_start(&silent, fixture.loop, "");
    server_start(&garbage, fixture.loop, "hello\r\n\r\n");
    site_start(&site);
    site_member(&site, good.port);
    site_member(&site, bad.port);
    site_member(&site, silent.port);
    site_member(&site, garbage.port);
    site_monitor(&site, "HTTP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    wait_for(&fixture, &site.members[0], VERDICT_ONLINE);
    for (size_t i = 1; i < 4; i++)
        wait_for(&fixture, &site.members[i], VERDICT_ERROR);
    assert_int_equal(reason_of(&fixture, &site.members[1]), VERDICT_REASON_STATUS);
    assert_int_equal(reason_of(&fixture, &site.members[2]), VERDICT_REASON_TIMEOUT);
    assert_int_equal(reason_of(&fixture, &site.members[3]), VERDICT_REASON_NOT_HTTP);
    server_stop(&good);
    server_stop(&bad);
    server_stop(&silent);
    server_stop(&garbage);
    teardown(&fixture);
}

static void a_refused_tcp_member_goes_down_and_comes_back(void **state)
{
    uint32_t slot, incarnation;
    struct fixture fixture;
    struct server server;
    struct site site;
    setup(&fixture);
    server_start(&server, fixture.loop, "");
    site_start(&site);
    site_member(&site, server.port);
    site_monitor(&site, "TCP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    wait_for(&fixture, &site.members[0], VERDICT_ONLINE);
    server_stop(&server);
    wait_for(&fixture, &site.members[0], VERDICT_ERROR);
    assert_int_equal(reason_of(&fixture, &site.members[0]), VERDICT_REASON_CONNECT_REFUSED);
    slot_of(&fixture, &site.members[0], &slot, &incarnation);
    const struct verdict_slot *told = &fixture.board->slots[slot];
    assert_in_range(told->failures, 1, told->probes - 1);
    assert_int_equal(told->history & 1, 0);
    assert_int_equal(told->history >> (told->probes - 1), 1);
    teardown(&fixture);
}

static void changes_faster_than_the_timeout_do_not_hide_a_silent_member(void **state)
{
    struct fixture fixture;
    struct server silent;
    struct site site;
    setup(&fixture);
    server_start(&silent, fixture.loop, "");
    site_start(&site);
    site_member(&site, silent.port);
    site_monitor(&site, "HTTP");
    int image = site_image(&site, fixture.slots);
    monitor_set_adopt(fixture.set, image_open(image));
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    while (state_of(&fixture, &site.members[0]) == VERDICT_UNKNOWN &&
           monotime_now_ms() < deadline) {
        loop_turn(fixture.loop, true);
        monitor_set_adopt(fixture.set, image_open(image));
    }
    assert_int_equal(state_of(&fixture, &site.members[0]), VERDICT_ERROR);
    close(image);
    server_stop(&silent);
    teardown(&fixture);
}

static void what_this_node_cannot_do_is_not_held_against_the_member(void **state)
{
    struct fixture fixture;
    struct site site;
    setup(&fixture);
    site_start(&site);
    site_member(&site, 1);
    site_monitor(&site, "PING");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    for (uint64_t end = monotime_now_ms() + DEADLINE_MS; monotime_now_ms() < end;) {
        loop_turn(fixture.loop, true);
        if (reason_of(&fixture, &site.members[0]) != VERDICT_REASON_NONE)
            break;
    }
    assert_int_equal(reason_of(&fixture, &site.members[0]), VERDICT_REASON_NO_ICMP_SOCKET);
    assert_int_equal(state_of(&fixture, &site.members[0]), VERDICT_UNKNOWN);
    teardown(&fixture);
}

static void without_a_monitor_nothing_is_probed_or_judged(void **state)
{
    struct fixture fixture;
    struct site site;
    setup(&fixture);
    site_start(&site);
    site_member(&site, 1);
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    for (uint64_t end = monotime_now_ms() + 300; monotime_now_ms() < end;)
        loop_turn(fixture.loop, true);
    assert_int_equal(state_of(&fixture, &site.members[0]), VERDICT_UNKNOWN);
    assert_int_equal(fixture.board->changes, 0);
    teardown(&fixture);
}

static void a_restarted_process_goes_on_with_the_verdicts_on_the_board(void **state)
{
    struct fixture fixture;
    struct site site;
    uint32_t slot, incarnation;
    setup(&fixture);
    site_start(&site);
    site_member(&site, 1);
    site_monitor(&site, "TCP");
    const struct snapshot *snapshot = site_snapshot(&site, fixture.slots);
    slot_of(&fixture, &site.members[0], &slot, &incarnation);
    fixture.board->slots[slot].word = verdict_word_make(incarnation, VERDICT_ONLINE, 0);
    monitor_set_adopt(fixture.set, snapshot);
    assert_int_equal(state_of(&fixture, &site.members[0]), VERDICT_ONLINE);
    teardown(&fixture);
}

static void a_peers_verdict_fills_the_board_until_there_is_an_own_one(void **state)
{
    struct fixture fixture;
    struct site site;
    uint32_t slot, incarnation;
    setup(&fixture);
    site_start(&site);
    site_member(&site, 1); /* nobody listens on port 1 */
    site_monitor(&site, "TCP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    slot_of(&fixture, &site.members[0], &slot, &incarnation);
    monitor_set_import(fixture.set, slot, incarnation + 1, VERDICT_ONLINE, 0);
    assert_int_equal(state_of(&fixture, &site.members[0]), VERDICT_UNKNOWN);
    monitor_set_import(fixture.set, slot, incarnation, VERDICT_ONLINE, 0);
    assert_int_equal(state_of(&fixture, &site.members[0]), VERDICT_ONLINE);
    wait_for(&fixture, &site.members[0], VERDICT_ERROR);
    teardown(&fixture);
}

static void who_asks_gets_a_probe_at_once_of_the_member_it_means(void **state)
{
    struct fixture fixture;
    struct server server;
    struct site site;
    uint32_t slot, incarnation;
    setup(&fixture);
    server_start(&server, fixture.loop, "");
    site_start(&site);
    site_member(&site, server.port);
    site_monitor(&site, "TCP");
    monitor_set_adopt(fixture.set, site_snapshot(&site, fixture.slots));
    wait_for(&fixture, &site.members[0], VERDICT_ONLINE);
    const struct verdict_slot *board = slot_of(&fixture, &site.members[0], &slot, &incarnation);
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = board->history;
        monitor_set_probe_now(fixture.set, slot, incarnation + 1);
        monitor_set_probe_now(fixture.set, MEMBER_SLOTS, incarnation);
        assert_int_equal(board->history, before);
        monitor_set_probe_now(fixture.set, slot, incarnation);
        while (board->history == before && monotime_now_ms() < deadline)
            loop_turn(fixture.loop, true);
    }
    assert_true(board->history >= 0x3f); /* six probes: five of them in less than a delay */
    server_stop(&server);
    teardown(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_has_its_reason),
        cmocka_unit_test(a_refused_tcp_member_goes_down_and_comes_back),
        cmocka_unit_test(changes_faster_than_the_timeout_do_not_hide_a_silent_member),
        cmocka_unit_test(what_this_node_cannot_do_is_not_held_against_the_member),
        cmocka_unit_test(without_a_monitor_nothing_is_probed_or_judged),
        cmocka_unit_test(a_restarted_process_goes_on_with_the_verdicts_on_the_board),
        cmocka_unit_test(a_peers_verdict_fills_the_board_until_there_is_an_own_one),
        cmocka_unit_test(who_asks_gets_a_probe_at_once_of_the_member_it_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
