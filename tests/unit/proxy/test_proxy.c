/* A whole proxy process between real clients and real members on loopback. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct world world;
static struct origin a, b;

static int setup(void **state)
{
    served_world_start(&world, &a, &b, false, 0);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

static void only_member(struct origin *origin)
{
    world.image.members[origin == &a ? 1 : 0].enabled = 0;
    world_apply(&world);
}

static void fresh_connections_alternate(void **state)
{
    char first[64], body[64];
    assert_int_equal(visitor_get(&world.http, "/who", first, sizeof(first)), 200);
    for (int i = 1; i < 20; i++) {
        assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
        assert_int_equal(strcmp(body, first) == 0, i % 2 == 0);
    }
}

static void requests_of_one_connection_alternate_over_kept_connections(void **state)
{
    struct visitor visitor;
    char before[64] = "";
    visitor_connect(&visitor, &world.http);
    for (int i = 0; i < 20; i++) {
        visitor_say(&visitor, GET("/who"));
        assert_int_equal(visitor_read(&visitor, "GET"), 200);
        assert_string_not_equal(text_string(&visitor.answer.body), before);
        assert_non_null(http_head_field(&visitor.answer.head, HTTP_FIELD_DATE)); /* of ours */
        snprintf(before, sizeof(before), "%s", text_string(&visitor.answer.body));
    }
    assert_int_equal(a.connections, 1);
    assert_int_equal(b.connections, 1);
    assert_int_equal(world_listener_requests(&world), 20);
    visitor_leave(&visitor);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\none"
                          "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\ntwo"
                          "GET /empty HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    assert_int_equal(visitor_read(&visitor, "POST"), 200);
    assert_string_equal(text_string(&visitor.answer.body), "one");
    assert_int_equal(visitor_read(&visitor, "POST"), 200);
    assert_string_equal(text_string(&visitor.answer.body), "two");
    assert_int_equal(visitor_read(&visitor, "GET"), 204);
    assert_true(visitor_is_closed(&visitor));
    visitor_leave(&visitor);
}

/* What has come so far ends with TEXT; it is left to be read. */
static bool has_come_to(const struct visitor *visitor, const char *text)
{
    char data[1024];
    ssize_t size = recv(visitor->fd, data, sizeof(data), MSG_PEEK);
    size_t length = strlen(text);
    return size >= (ssize_t)length && memcmp(data + size - length, text, length) == 0;
}

static void the_last_bytes_bring_the_end_along(void **state)
{
    struct visitor visitor;
    struct tcp_info info;
    socklen_t size = sizeof(info);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "GET /who HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    WORLD_AWAIT(has_come_to(&visitor, "\r\n\r\nmember a")); /* head and body may come apart */
    assert_int_equal(getsockopt(visitor.fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    assert_int_equal(info.tcpi_state, TCP_CLOSE_WAIT);
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    visitor_leave(&visitor);
}

static void a_request_may_come_in_single_bytes(void **state)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: test\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        visitor_send(&visitor, request + i, 1);
    assert_int_equal(visitor_read(&visitor, "POST"), 200);
    assert_string_equal(text_string(&visitor.answer.body), "abcde");
    visitor_leave(&visitor);
}

static void assert_pattern(const struct text *body, size_t size)
{
    assert_int_equal(body->length, size);
    for (size_t i = 0; i < size; i++) {
        if (body->data[i] != origin_byte(i))
            fail_msg("byte %zu differs", i);
    }
}

static void chunked_responses_arrive_whole(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/chunked"));
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_int_equal(visitor.answer.head.framing, HTTP_BODY_CHUNKED);
    assert_pattern(&visitor.answer.body, ((1 << 20) + 996) / 997 * 997);
    visitor_say(&visitor, GET("/who"));
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    visitor_leave(&visitor);
}

static void an_old_client_gets_chunks_opened_and_a_close(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_int_equal(visitor.answer.head.framing, HTTP_BODY_UNTIL_CLOSE);
    assert_pattern(&visitor.answer.body, ((1 << 20) + 996) / 997 * 997);
    visitor_leave(&visitor);
}

static void an_old_member_may_end_its_response_by_closing(void **state)
{
    char body[64];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(visitor_get(&world.http, "/until-close", body, sizeof(body)), 200);
        assert_string_equal(body, "until close");
    }
}

static void a_slow_reader_gets_a_big_body_byte_for_byte(void **state)
{
    struct visitor visitor;
    int small = 65536;
    visitor_connect(&visitor, &world.http);
    setsockopt(visitor.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    visitor_say(&visitor, GET("/big"));
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_pattern(&visitor.answer.body, ORIGIN_BIG_SIZE);
    visitor_leave(&visitor);
}

/* What follows a long body on the same connections is not mixed up with it. */
static void big_bodies_and_small_ones_take_turns(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    for (int i = 0; i < 6; i++) {
        visitor_say(&visitor, GET("/big") GET("/who"));
        assert_int_equal(visitor_read(&visitor, "GET"), 200);
        assert_pattern(&visitor.answer.body, ORIGIN_BIG_SIZE);
        assert_int_equal(visitor_read(&visitor, "GET"), 200);
        assert_int_equal(visitor.answer.body.length, strlen("member a"));
    }
    assert_int_equal(a.connections + b.connections, 2);
    visitor_leave(&visitor);
}

static void *upload(void *context)
{
    struct visitor *visitor = context;
    char *body = malloc(ORIGIN_BIG_SIZE);
    for (size_t i = 0; i < ORIGIN_BIG_SIZE; i++)
        body[i] = origin_byte(i);
    char head[128];
    snprintf(head, sizeof(head), "PUT /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n",
             ORIGIN_BIG_SIZE);
    visitor_say(visitor, head);
    visitor_send(visitor, body, ORIGIN_BIG_SIZE);
    free(body);
    return NULL;
}

static void a_big_upload_comes_back_byte_for_byte(void **state)
{
    struct visitor visitor;
    pthread_t thread;
    visitor_connect(&visitor, &world.http);
    assert_int_equal(pthread_create(&thread, NULL, upload, &visitor), 0);
    assert_int_equal(visitor_read(&visitor, "PUT"), 200);
    pthread_join(thread, NULL);
    assert_pattern(&visitor.answer.body, ORIGIN_BIG_SIZE);
    visitor_leave(&visitor);
}

static void responses_without_a_body_leave_the_connection_usable(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    for (int i = 0; i < 4; i++) {
        visitor_say(&visitor, "HEAD /who HTTP/1.1\r\nHost: t\r\n\r\n");
        assert_int_equal(visitor_read(&visitor, "HEAD"), 200);
        assert_int_equal(visitor.answer.head.content_length, strlen("member a"));
        visitor_say(&visitor, GET("/empty"));
        assert_int_equal(visitor_read(&visitor, "GET"), 204);
        visitor_say(&visitor, GET("/not-modified"));
        assert_int_equal(visitor_read(&visitor, "GET"), 304);
    }
    assert_int_equal(a.connections + b.connections, 2);
    visitor_leave(&visitor);
}

static void a_100_continue_is_passed_on(void **state)
{
    struct visitor visitor;
    char data[64] = "";
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n"
                          "Expect: 100-continue\r\n\r\n");
    assert_true(recv(visitor.fd, data, sizeof(data) - 1, 0) > 0);
    assert_string_equal(data, "HTTP/1.1 100 Continue\r\n\r\n");
    visitor_say(&visitor, "ok");
    assert_int_equal(visitor_read(&visitor, "POST"), 200);
    assert_string_equal(text_string(&visitor.answer.body), "ok");
    visitor_leave(&visitor);
}

static void a_member_that_refuses_is_passed_over(void **state)
{
    char body[64];
    world.image.members[0].endpoint = image_loopback(origin_closed_port());
    world.image.members[0].incarnation++;
    world_apply(&world);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
        assert_string_equal(body, "member b");
    }
}

static void a_kept_connection_that_died_is_replaced(void **state)
{
    struct visitor visitor;
    only_member(&a);
    visitor_connect(&visitor, &world.http);
    for (int i = 0; i < 6; i++) {
        visitor_say(&visitor, GET("/once"));
        assert_int_equal(visitor_read(&visitor, "GET"), 200);
    }
    assert_true(a.connections >= 3);
    visitor_leave(&visitor);
}

static void without_a_usable_member_the_answer_is_503(void **state)
{
    char body[128];
    world.image.members[0].weight = world.image.members[1].weight = 0;
    world_apply(&world);
    assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 503);
    world.image.members[0].weight = 1;
    world.image.members[0].endpoint = image_loopback(origin_closed_port());
    world_apply(&world);
    assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 503);
}

static void a_member_in_error_is_left_out_at_once(void **state)
{
    char body[64];
    world_monitor(&world);
    world_apply(&world);
    world_judge(&world, 0, VERDICT_ERROR);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
        assert_string_equal(body, "member b");
    }
}

static void a_member_that_talks_nonsense_is_a_502(void **state)
{
    char body[128];
    assert_int_equal(visitor_get(&world.http, "/junk", body, sizeof(body)), 502);
}

static void a_response_cut_short_is_not_passed_off_as_whole(void **state)
{
    char body[128];
    assert_int_equal(visitor_get(&world.http, "/cut", body, sizeof(body)), -1);
    assert_int_equal(visitor_get(&world.http, "/big-cut", body, sizeof(body)), -1);
}

static void a_silent_member_is_a_504(void **state)
{
    char body[128];
    world.image.listeners[0].timeout_member_data_ms = 100;
    world_apply(&world);
    assert_int_equal(visitor_get(&world.http, "/never", body, sizeof(body)), 504);
}

static void a_client_that_stops_in_its_body_is_a_408(void **state)
{
    struct visitor visitor;
    world.image.listeners[0].timeout_client_data_ms = 100;
    world_apply(&world);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nha");
    assert_int_equal(visitor_read(&visitor, "POST"), 408);
    assert_true(visitor_is_closed(&visitor));
    visitor_leave(&visitor);
}

static void bad_requests_get_their_status_and_a_close(void **state)
{
    static const struct {
        const char *text;
        int status;
    } requests[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n", 400},
        {"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405},
        {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", 200},
        {"\x16\x03\x01\x02", 400},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        struct visitor visitor;
        visitor_connect(&visitor, &world.http);
        visitor_say(&visitor, requests[i].text);
        assert_int_equal(visitor_read(&visitor, "GET"), requests[i].status);
        assert_true(visitor_is_closed(&visitor));
        visitor_leave(&visitor);
    }
}

static void a_head_of_60_kib_passes(void **state)
{
    struct visitor visitor;
    static char request[64000];
    size_t size = (size_t)snprintf(request, sizeof(request),
                                   "GET /head HTTP/1.1\r\nHost: t\r\n"
                                   "X-Long: ");
    memset(request + size, 'x', 60000);
    memcpy(request + size + 60000, "\r\n\r\n", 4);
    visitor_connect(&visitor, &world.http);
    visitor_send(&visitor, request, size + 60004);
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    assert_int_equal(visitor.answer.body.length, size + 60004);
    visitor_leave(&visitor);
}

static void inserted_headers_name_the_client(void **state)
{
    char body[512];
    world.image.listeners[0].insert_headers = SNAPSHOT_INSERT_FORWARDED_FOR;
    world_apply(&world);
    assert_int_equal(visitor_get(&world.http, "/head", body, sizeof(body)), 200);
    assert_string_equal(body, "GET /head HTTP/1.1\r\nHost: test\r\n"
                              "X-Forwarded-For: 127.0.0.1\r\n\r\n");
}

/* Does the kernel watch the idle peer of the proxy's end of VISITOR's connection? Timer 2 of
 * /proc/net/tcp is that of keep-alive probes. */
static bool is_probed(const struct visitor *visitor)
{
    char line[256];
    struct sockaddr_in local;
    socklen_t size = sizeof(local);
    bool found = false;
    assert_int_equal(getsockname(visitor->fd, (struct sockaddr *)&local, &size), 0);
    FILE *file = fopen("/proc/net/tcp", "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        unsigned port, timer;
        if (sscanf(line, " %*d: %*8x:%*x %*8x:%x %*x %*8x:%*8x %x:", &port, &timer) == 2)
            found = found || (port == ntohs(local.sin_port) && timer == 2);
    }
    fclose(file);
    return found;
}

static void an_agreed_upgrade_becomes_a_tunnel(void **state)
{
    struct visitor visitor;
    char data[512] = "";
    size_t size = 0;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "GET /upgrade HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\n"
                          "Upgrade: websocket\r\n\r\nping");
    while (!strstr(data, "hello:ping")) {
        ssize_t got = recv(visitor.fd, data + size, sizeof(data) - 1 - size, 0);
        assert_true(got > 0);
        size += (size_t)got;
    }
    assert_non_null(strstr(data, "HTTP/1.1 101 "));
    WORLD_AWAIT(is_probed(&visitor));
    shutdown(visitor.fd, SHUT_WR);
    assert_true(visitor_is_closed(&visitor));
    visitor_leave(&visitor);
}

static _Atomic bool visiting;
static _Atomic unsigned answered, lost;

static void *visit(void *context)
{
    while (visiting) {
        char body[64];
        if (visitor_get(&world.http, "/who", body, sizeof(body)) == 200)
            answered++;
        else
            lost++;
    }
    return NULL;
}

static void new_configurations_under_traffic_lose_nothing(void **state)
{
    pthread_t thread;
    visiting = true;
    answered = lost = 0;
    assert_int_equal(pthread_create(&thread, NULL, visit, NULL), 0);
    for (int i = 0; i < 60 || (answered <= 10 && i < 100000); i++) {
        world.image.members[0].weight = (uint16_t)(1 + i % 3);
        world.image.members[1].enabled = i % 2;
        image_schedule(&world.image);
        world_apply(&world);
    }
    visiting = false;
    pthread_join(thread, NULL);
    assert_int_equal(lost, 0);
    assert_true(answered > 10);
}

static void the_cursor_survives_a_new_configuration(void **state)
{
    char before[64], body[64];
    assert_int_equal(visitor_get(&world.http, "/who", before, sizeof(before)), 200);
    for (int i = 0; i < 5; i++) {
        world_apply(&world);
        assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
        assert_string_not_equal(body, before);
        snprintf(before, sizeof(before), "%s", body);
    }
}

static void a_damaged_snapshot_is_refused_and_the_old_one_serves(void **state)
{
    char body[64];
    struct message_snapshot message = MESSAGE_OF(SNAPSHOT, struct message_snapshot);
    int pipe_fds[2];
    uint64_t rejected = 0;
    assert_int_equal(pipe(pipe_fds), 0);
    message.generation = 99;
    world_send(&world, &message.header, pipe_fds[0]);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    uint64_t deadline_ms = monotime_now_ms() + WORLD_PATIENCE_MS;
    while (world.rejected == 0 && monotime_now_ms() < deadline_ms)
        world_wait(&world, &rejected, 0), loop_turn(world.loop, true);
    assert_int_equal(world.rejected, 1);
    assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
}

static void stopping_lets_a_request_finish(void **state)
{
    struct visitor visitor;
    struct message_stop stop = MESSAGE_OF(STOP, struct message_stop);
    stop.drain_ms = WORLD_PATIENCE_MS;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nha");
    WORLD_AWAIT(world_listener_requests(&world) > 0);
    world_send(&world, &stop.header, -1);
    struct visitor other; /* refused once the sockets are closed: then it drains */
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&world.http, &address);
    do {
        other.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    } while (connect(other.fd, (struct sockaddr *)&address, size) == 0 && close(other.fd) == 0);
    close(other.fd);
    visitor_say(&visitor, "ha");
    assert_int_equal(visitor_read(&visitor, "POST"), 200);
    assert_false(visitor.answer.head.keep_alive);
    assert_string_equal(text_string(&visitor.answer.body), "haha");
    assert_int_equal(world_exit_status(&world), 0);
    visitor_leave(&visitor);
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(fresh_connections_alternate),
        HTTP_TEST(requests_of_one_connection_alternate_over_kept_connections),
        HTTP_TEST(pipelined_requests_are_answered_in_order),
        HTTP_TEST(the_last_bytes_bring_the_end_along),
        HTTP_TEST(a_request_may_come_in_single_bytes),
        HTTP_TEST(chunked_responses_arrive_whole),
        HTTP_TEST(an_old_client_gets_chunks_opened_and_a_close),
        HTTP_TEST(an_old_member_may_end_its_response_by_closing),
        HTTP_TEST(a_slow_reader_gets_a_big_body_byte_for_byte),
        HTTP_TEST(big_bodies_and_small_ones_take_turns),
        HTTP_TEST(a_big_upload_comes_back_byte_for_byte),
        HTTP_TEST(responses_without_a_body_leave_the_connection_usable),
        HTTP_TEST(a_100_continue_is_passed_on),
        HTTP_TEST(a_member_that_refuses_is_passed_over),
        HTTP_TEST(a_kept_connection_that_died_is_replaced),
        HTTP_TEST(without_a_usable_member_the_answer_is_503),
        HTTP_TEST(a_member_in_error_is_left_out_at_once),
        HTTP_TEST(a_member_that_talks_nonsense_is_a_502),
        HTTP_TEST(a_response_cut_short_is_not_passed_off_as_whole),
        HTTP_TEST(a_silent_member_is_a_504),
        HTTP_TEST(a_client_that_stops_in_its_body_is_a_408),
        HTTP_TEST(bad_requests_get_their_status_and_a_close),
        HTTP_TEST(a_head_of_60_kib_passes),
        HTTP_TEST(inserted_headers_name_the_client),
        HTTP_TEST(an_agreed_upgrade_becomes_a_tunnel),
        HTTP_TEST(new_configurations_under_traffic_lose_nothing),
        HTTP_TEST(the_cursor_survives_a_new_configuration),
        HTTP_TEST(a_damaged_snapshot_is_refused_and_the_old_one_serves),
        HTTP_TEST(stopping_lets_a_request_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
