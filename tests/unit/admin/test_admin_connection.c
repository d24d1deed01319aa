/* Clients that wait, hang up, pipeline, or are too many. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/admin/api_guide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void waiting_for_events_ends_with_the_next_one(void **state)
{
    event_ring_add(api_guide_node()->state.events, EVENT_NODE_STARTED, PROCESS_SUPERVISOR, 1000,
                   "first");
    struct api_answer answer = api_call(api_guide_node(), "GET", "/v1/events?after=0", NULL);
    assert_int_equal(json_value_number(json_value_get(answer.json, "last")), 1);
    api_answer_free(&answer);

    static const char request[] = "GET /v1/events?after=1&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = api_connect(api_guide_node());
    api_send(api_guide_node(), fd, request, sizeof(request) - 1);
    for (int i = 0; i < 20; i++)
        loop_turn(api_guide_node()->loop, false);
    event_ring_add(api_guide_node()->state.events, EVENT_VIP_ACTIVE, PROCESS_VRRP, 2000,
                   "second");
    answer = api_receive(api_guide_node(), fd);
    const struct json_value *event = json_value_at(json_value_get(answer.json, "events"), 0);
    assert_string_equal(json_value_get_text(event, "code"), "VIP_ACTIVE");
    assert_string_equal(json_value_get_text(event, "process"), "vrrp");
    assert_string_equal(json_value_get_text(event, "text"), "second");
    api_answer_free(&answer);
    close(fd);
}

static struct json_value *events_of(const char *target)
{
    struct api_answer answer = api_call(api_guide_node(), "GET", target, NULL);
    assert_int_equal(answer.status, 200);
    struct json_value *copy = json_value_copy(answer.json);
    api_answer_free(&answer);
    return copy;
}

static size_t count_of(const char *target)
{
    struct json_value *answer = events_of(target);
    size_t count = json_value_count(json_value_get(answer, "events"));
    json_value_free(answer);
    return count;
}

static void a_number_counts_only_with_the_start_it_is_of(void **state)
{
    char target[96];
    event_ring_add(api_guide_node()->state.events, EVENT_NODE_STARTED, PROCESS_CONTROL, 1, "a");
    struct json_value *answer = events_of("/v1/events");
    snprintf(target, sizeof(target), "/v1/events?after=%lld&start=%s",
             (long long)json_value_number(json_value_get(answer, "last")),
             json_value_get_text(answer, "start"));
    assert_int_equal(count_of(target), 0);
    assert_int_equal(count_of("/v1/events?after=1&start=beef"),
                     json_value_count(json_value_get(answer, "events")));
    json_value_free(answer);
}

static void events_are_chosen_by_object_code_and_time(void **state)
{
    struct event_ring *ring = api_guide_node()->state.events;
    const uint64_t now_ms = walltime_now_ms();
    event_ring_add(ring, EVENT_MEMBER_ERROR, PROCESS_CONTROL, 5000, "member w.1 of pool a: b");
    event_ring_add(ring, EVENT_MEMBER_ERROR, PROCESS_CONTROL, now_ms, "it is w.1");
    event_ring_add(ring, EVENT_MEMBER_ONLINE, PROCESS_CONTROL, now_ms, "member w.12 answers.");
    assert_int_equal(count_of("/v1/events?object=w.1"), 2);
    assert_int_equal(count_of("/v1/events?object=w.12"), 1);
    assert_int_equal(count_of("/v1/events?object=12"), 0);
    assert_int_equal(count_of("/v1/events?object=answers"), 1);
    assert_int_equal(count_of("/v1/events?object=w.1&since=1m"), 1);
    assert_int_equal(count_of("/v1/events?code=MEMBER_ERROR"), 2);
    struct api_answer answer =
        api_call(api_guide_node(), "GET", "/v1/events?code=MEMBER", NULL);
    assert_int_equal(answer.status, 400); /* nobody waits for what cannot come */
    api_answer_free(&answer);
}

static void a_client_that_hangs_up_while_waiting_is_forgotten(void **state)
{
    static const char request[] = "GET /v1/events?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
    for (int i = 0; i < 200; i++) {
        int fd = api_connect(api_guide_node());
        api_send(api_guide_node(), fd, request, sizeof(request) - 1);
        loop_turn(api_guide_node()->loop, false);
        loop_turn(api_guide_node()->loop, false);
        close(fd);
        loop_turn(api_guide_node()->loop, false);
    }
    struct api_answer answer = api_call(api_guide_node(), "GET", "/healthz", NULL);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    static const char requests[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /nosuch HTTP/1.1\r\nHost: a\r\nConnection: close"
                                   "\r\n\r\n";
    int fd = api_connect(api_guide_node());
    api_send(api_guide_node(), fd, requests, sizeof(requests) - 1);
    char all[4096] = "";
    size_t used = 0;
    for (int i = 0; i < 2000 && !strstr(all, "could not be found"); i++) {
        loop_turn(api_guide_node()->loop, false);
        ssize_t size = read(fd, all + used, sizeof(all) - used - 1);
        used += size > 0 ? (size_t)size : 0;
    }
    const char *first = strstr(all, "200 OK"), *second = strstr(all, "404 Not Found");
    assert_true(first && second && first < second);
    assert_true(api_is_closed(api_guide_node(), fd));
    close(fd);
}

static void assert_healthy(void)
{
    struct api_answer answer = api_call(api_guide_node(), "GET", "/healthz", NULL);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
}

static void more_clients_than_there_is_room_for_are_told_so(void **state)
{
    static const char request[] = "GET /v1/events?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
    int fds[64];
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
        fds[i] = api_connect(api_guide_node());
        api_send(api_guide_node(), fds[i], request, sizeof(request) - 1);
        for (int turn = 0; turn < 3; turn++)
            loop_turn(api_guide_node()->loop, false);
    }
    int late = api_connect(api_guide_node());
    struct api_answer answer = api_receive(api_guide_node(), late);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(api_fault(&answer), "too many clients"));
    api_answer_free(&answer);
    close(late);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
    loop_turn(api_guide_node()->loop, false);
    assert_healthy();
}

static void the_client_that_is_idle_longest_gives_way(void **state)
{
    static const char half[] = "GET /healthz HTTP/1.1\r\nHost:";
    int fds[64];
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
        fds[i] = api_connect(api_guide_node());
        api_send(api_guide_node(), fds[i], half, sizeof(half) - 1);
        for (int turn = 0; turn < 3; turn++)
            loop_turn(api_guide_node()->loop, false);
    }
    assert_healthy();
    assert_true(api_is_closed(api_guide_node(), fds[0]));
    api_send(api_guide_node(), fds[1], " a\r\n\r\n", 6);
    struct api_answer answer = api_receive(api_guide_node(), fds[1]);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
}

static int connect_by_tcp(struct api_fixture *node)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&node->tcp_listen, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

static void serve_tcp_too(struct api_fixture *node)
{
    struct sockaddr_storage address;
    assert_true(ip_endpoint_parse("127.0.0.1", 1, &node->tcp_listen));
    node->tcp_listen.port = 0;
    socklen_t size = ip_endpoint_to_sockaddr(&node->tcp_listen, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, &node->tcp_listen));
    close(fd);
    admin_server_free(node->server);
    api_fixture_serve(node);
}

static void clients_of_tcp_take_no_place_of_the_socket(void **state)
{
    static const char request[] = "GET /v1/events?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
    int fds[70];
    serve_tcp_too(api_guide_node());
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
        fds[i] = connect_by_tcp(api_guide_node());
        api_send(api_guide_node(), fds[i], request, sizeof(request) - 1);
        for (int turn = 0; turn < 3; turn++)
            loop_turn(api_guide_node()->loop, false);
    }
    assert_healthy();
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
}

static void a_body_may_come_in_chunks_after_a_go_ahead(void **state)
{
    static const char head[] = "POST " LBAAS "/loadbalancers HTTP/1.1\r\nHost: a\r\n"
                               "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    static const char body[] = "1c\r\n{\"loadbalancer\":{\"name\":\"x\",\r\n"
                               "1d\r\n\"vip_address\":\"10.77.0.105\"}}\r\n0\r\n\r\n";
    char go_ahead[64] = "";
    int fd = api_connect(api_guide_node());
    api_send(api_guide_node(), fd, head, sizeof(head) - 1);
    for (int i = 0; i < 1000 && !go_ahead[0]; i++) {
        loop_turn(api_guide_node()->loop, false);
        if (recv(fd, go_ahead, sizeof(go_ahead) - 1, MSG_DONTWAIT) < 0)
            go_ahead[0] = '\0';
    }
    assert_string_equal(go_ahead, "HTTP/1.1 100 Continue\r\n\r\n");
    api_send(api_guide_node(), fd, body, sizeof(body) - 1);
    struct api_answer answer = api_receive(api_guide_node(), fd);
    assert_int_equal(answer.status, 201);
    api_answer_free(&answer);
    close(fd);
}

static void a_malformed_request_is_refused_and_the_connection_closed(void **state)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n";
    int fd = api_connect(api_guide_node());
    api_send(api_guide_node(), fd, request, sizeof(request) - 1);
    struct api_answer answer = api_receive(api_guide_node(), fd);
    assert_int_equal(answer.status, 400);
    assert_string_equal(json_value_get_text(answer.json, "faultcode"), "Client");
    api_answer_free(&answer);
    assert_true(api_is_closed(api_guide_node(), fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(waiting_for_events_ends_with_the_next_one),
        API_TEST(a_number_counts_only_with_the_start_it_is_of),
        API_TEST(events_are_chosen_by_object_code_and_time),
        API_TEST(a_client_that_hangs_up_while_waiting_is_forgotten),
        API_TEST(pipelined_requests_are_answered_in_order),
        API_TEST(more_clients_than_there_is_room_for_are_told_so),
        API_TEST(the_client_that_is_idle_longest_gives_way),
        API_TEST(clients_of_tcp_take_no_place_of_the_socket),
        API_TEST(a_body_may_come_in_chunks_after_a_go_ahead),
        API_TEST(a_malformed_request_is_refused_and_the_connection_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
