/* Changes of the configuration cut nothing that is established: members, pools and listeners
 * that go are left by what comes next, and finished by what was there. */
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHANGES = 300
};

static struct world world;
static struct origin a, b, tcp;

static int setup(void **state)
{
    served_world_start(&world, &a, &b, false, 0);
    origin_start(&tcp, 't', true);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    origin_stop(&tcp);
    return 0;
}

/* ---- the changes ---------------------------------------------------------------------------
 */

static void remove_pool(void)
{
    world.image.header.pools.count = world.image.header.members.count = 0;
    world.image.header.schedule.count = 0;
    world.image.listeners[0].pool = world.image.listeners[1].pool = SNAPSHOT_NONE;
    world_apply(&world);
}

static void remove_members(void)
{
    world.image.header.members.count = world.image.pool.member_count = 0;
    image_schedule(&world.image);
    world_apply(&world);
}

static void disable_members(void)
{
    world.image.members[0].enabled = world.image.members[1].enabled = 0;
    image_schedule(&world.image);
    world_apply(&world);
}

static void drain_members(void)
{
    world.image.members[0].weight = world.image.members[1].weight = 0;
    image_schedule(&world.image);
    world_apply(&world);
}

static void remove_listeners(void)
{
    world.image.header.endpoints.count = world.image.header.listeners.count = 0;
    struct message_snapshot message = MESSAGE_OF(SNAPSHOT, struct message_snapshot);
    message.generation = ++world.image.header.generation;
    int fd = image_seal(&world.image);
    world_send(&world, &message.header, fd);
    close(fd);
    world_wait(&world, &world.running_generation, message.generation);
}

static void limit_everything(void)
{
    for (int i = 0; i < 2; i++) {
        world.image.listeners[i].connection_limit = 0;
        world.image.listeners[i].source_limit = 1;
        world.image.members[i].connection_limit = 1;
        world.image.listeners[i].cidr_count = 1; /* and nobody is allowed */
    }
    world.image.pool.is_limited = 1;
    world.image.pool.queue_timeout_ms = 1;
    world.image.header.cidrs.count = 1;
    world.image.cidr = (struct ip_prefix){{4, {10}}, 8};
    world_apply(&world);
}

static void (*const changes[])(void) = {remove_pool,   remove_members,   disable_members,
                                        drain_members, remove_listeners, limit_everything};

/* ---- what outlives them --------------------------------------------------------------------
 */

/* A POST of which the first half has arrived at the member, before and after CHANGE. */
static void request_outlives(void (*change)(void))
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/who"));
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    visitor_say(&visitor, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nfirst");
    WORLD_AWAIT(WORLD_SUM(&world, members[0].active) + WORLD_SUM(&world, members[1].active) ==
                1);
    change();
    visitor_say(&visitor, "-half");
    assert_int_equal(visitor_read(&visitor, "POST"), 200);
    assert_string_equal(text_string(&visitor.answer.body), "first-half");
    visitor_leave(&visitor);
}

static void tcp_connection_outlives(void (*change)(void))
{
    struct visitor visitor;
    char answer[16] = "";
    world.image.members[0].endpoint = world.image.members[1].endpoint =
        image_loopback(tcp.port);
    world_apply(&world);
    visitor_connect(&visitor, &world.tcp);
    visitor_say(&visitor, "before ");
    WORLD_AWAIT(tcp.connections >= 1);
    change();
    visitor_say(&visitor, "and after");
    assert_int_equal(shutdown(visitor.fd, SHUT_WR), 0);
    assert_int_equal(recv(visitor.fd, answer, 8, MSG_WAITALL), 8);
    assert_string_equal(answer, "t got 16");
    visitor_leave(&visitor);
}

static void open_tunnel(struct visitor *visitor)
{
    char data[256];
    visitor_connect(visitor, &world.http);
    visitor_say(visitor, "GET /upgrade HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\n"
                         "Upgrade: websocket\r\n\r\n");
    size_t size = 0;
    while (size < sizeof(data) - 1 && (size < 6 || memcmp(data + size - 6, "hello:", 6) != 0)) {
        ssize_t read = recv(visitor->fd, data + size, sizeof(data) - 1 - size, 0);
        assert_true(read > 0);
        size += (size_t)read;
    }
}

static void leave_tunnel(struct visitor *visitor)
{
    char data[10];
    visitor_say(visitor, "still here");
    assert_int_equal(recv(visitor->fd, data, 10, MSG_WAITALL), 10);
    assert_memory_equal(data, "still here", 10);
    visitor_leave(visitor);
}

static void tunnel_outlives(void (*change)(void))
{
    struct visitor visitor;
    open_tunnel(&visitor);
    change();
    leave_tunnel(&visitor);
}

static void each_change(void (*outlives)(void (*change)(void)))
{
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        outlives(changes[i]);
        teardown(NULL);
        setup(NULL);
    }
}

static void a_request_at_hand_outlives_every_change(void **state)
{
    each_change(request_outlives);
}

static void a_tcp_connection_outlives_every_change(void **state)
{
    each_change(tcp_connection_outlives);
}

static void a_tunnel_outlives_every_change(void **state)
{
    each_change(tunnel_outlives);
}

/* How many configurations the proxy has in memory. */
static unsigned mapped_snapshots(void)
{
    char path[64], line[512];
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/%d/maps", world.pid);
    FILE *maps = fopen(path, "re");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        count += strstr(line, "memfd:") != NULL;
    fclose(maps);
    return count;
}

static void what_lasts_long_keeps_no_old_configuration_in_memory(void **state)
{
    enum {
        ROUNDS = 5
    };
    struct visitor downloads[ROUNDS], tunnels[ROUNDS], connections[ROUNDS];
    world.image.pool.is_limited = 1; /* such a pool needs most at the end */
    world.image.members[0].connection_limit = world.image.members[1].connection_limit = 1000;
    for (int i = 0; i < ROUNDS; i++) {
        world_apply(&world);
        visitor_connect(&downloads[i], &world.http);
        visitor_say(&downloads[i], GET("/bytes/50000000"));
        assert_int_equal(recv(downloads[i].fd, &(char){0}, 1, MSG_PEEK), 1);
        open_tunnel(&tunnels[i]);
        visitor_connect(&connections[i], &world.tcp);
        visitor_say(&connections[i], GET("/who"));
        assert_int_equal(recv(connections[i].fd, &(char){0}, 1, MSG_PEEK), 1);
    }
    world_apply(&world);
    WORLD_AWAIT(mapped_snapshots() == 1);
    for (int i = 0; i < ROUNDS; i++) {
        visitor_leave(&downloads[i]);
        leave_tunnel(&tunnels[i]);
        visitor_leave(&connections[i]);
    }
    WORLD_AWAIT(WORLD_SUM(&world, members[0].active) + WORLD_SUM(&world, members[1].active) ==
                0);
}

/* ---- and what comes next -------------------------------------------------------------------
 */

static void a_drained_member_gets_nothing_new(void **state)
{
    struct visitor busy;
    char body[64];
    visitor_connect(&busy, &world.http);
    visitor_say(&busy, GET("/never")); /* the first turn is a's */
    served_world_await_requests(&a, 1);
    world.image.members[0].weight = 0;
    image_schedule(&world.image);
    world_apply(&world);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
        assert_string_equal(body, "member b");
    }
    assert_int_equal(a.requests, 1);
    assert_int_equal(WORLD_SUM(&world, members[0].active), 1); /* and it goes on */
    visitor_leave(&busy);
}

static _Atomic bool visiting;
static _Atomic unsigned answered, lost;

/* Requests on one kept connection: it is never closed on the client, nor does one fail. */
static void *stay(void *context)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    while (visiting) {
        visitor_say(&visitor, GET("/who"));
        if (visitor_read(&visitor, "GET") == 200)
            answered++;
        else
            lost++;
        if (lost > 0)
            break;
    }
    visitor_leave(&visitor);
    return NULL;
}

static void member_changes_neither_fail_requests_nor_close_kept_connections(void **state)
{
    pthread_t thread;
    visiting = true;
    answered = lost = 0;
    assert_int_equal(pthread_create(&thread, NULL, stay, NULL), 0);
    for (uint32_t i = 0; i < CHANGES || (answered < 20 && i < 100000); i++) {
        struct snapshot_member *member = &world.image.members[i % 2];
        member->enabled = i % 4 > 1; /* one of them at least is */
        world.image.members[1 - i % 2].enabled = 1;
        member->weight = (uint16_t)(1 + i % 5);
        member->incarnation = 1 + i % 3; /* as if it had another address */
        image_schedule(&world.image);
        world_apply(&world);
    }
    visiting = false;
    pthread_join(thread, NULL);
    assert_int_equal(lost, 0);
    assert_true(answered >= 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_at_hand_outlives_every_change),
        TEST(a_tcp_connection_outlives_every_change),
        TEST(a_tunnel_outlives_every_change),
        TEST(what_lasts_long_keeps_no_old_configuration_in_memory),
        TEST(a_drained_member_gets_nothing_new),
        TEST(member_changes_neither_fail_requests_nor_close_kept_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
