/* Connections over real sockets; the other end is a descriptor, or a connection as well. */
#include "replication/connection.h"
#include "stream_pair.h"
#include "tests/support/test.h"

#include "lbnode/base/monotime.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LARGE = 3 << 20,
    DEADLINE_MS = 10000
};

struct end {
    struct connection *connection; /* NULL once closed */
    enum connection_fate fate;
    size_t messages, last_size;
    uint64_t last_sum;
    struct stream_pair *pair; /* whose side 1 answers an INIT; NULL: it is refused */
};

static struct loop *loop;
static struct end near, far; /* far: who connected; near: who took the connection */

static uint64_t sum_of(struct bytes bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.size; i++)
        sum = sum * 31 + bytes.data[i];
    return sum;
}

static void on_message(struct connection *connection, void *context, struct bytes message)
{
    struct end *end = context;
    end->messages++;
    end->last_size = message.size;
    end->last_sum = sum_of(message);
}

static void on_closed(struct connection *connection, void *context, const char *why)
{
    struct end *end = context;
    end->fate = connection_fate(connection);
    connection_free(connection);
    end->connection = NULL;
}

static void on_init(struct connection *connection, void *context, struct bytes frame)
{
    struct end *end = context;
    uint8_t response[STREAM_HANDSHAKE_MAXIMUM];
    size_t size;
    if (!end->pair ||
        stream_pair_answer(end->pair, frame, response, &size) != STREAM_ANSWERED) {
        on_closed(connection, context, "");
        return;
    }
    connection_answer_session(connection, end->pair->sides[1], (struct bytes){response, size},
                              LARGE, 1000);
    end->pair->sides[1] = NULL;
}

static const struct connection_handler handler = {on_message, on_closed, NULL, on_init};

static bool wait_for(bool (*condition)(void))
{
    for (uint64_t deadline = monotime_now_ms() + DEADLINE_MS; !condition();) {
        if (monotime_now_ms() > deadline)
            return false;
        loop_turn(loop, true);
    }
    return true;
}

static bool near_is_closed(void)
{
    return !near.connection;
}

static bool near_heard(void)
{
    return near.messages > 0;
}

/* A descriptor at whose other end is NEAR, a stranger that just connected. */
static int stranger(struct stream_pair *pair)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
                     0);
    near = (struct end){.pair = pair};
    near.connection = connection_accept(loop, fds[0], 1000, &handler, &near);
    assert_non_null(near.connection);
    connection_set_handler(near.connection, &handler, &near);
    return fds[1];
}

static void put(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

/* Reads exactly SIZE bytes while the loop turns. */
static void get(int fd, uint8_t *out, size_t size)
{
    uint64_t deadline = monotime_now_ms() + DEADLINE_MS;
    for (size_t at = 0; at < size;) {
        ssize_t got = recv(fd, out + at, size - at, 0);
        assert_true(got > 0 || (got < 0 && errno == EAGAIN));
        at += got > 0 ? (size_t)got : 0;
        assert_true(monotime_now_ms() < deadline);
        if (at < size)
            loop_turn(loop, true);
    }
}

/* Nothing was sent before the end. */
static void assert_got_nothing(int fd)
{
    uint8_t byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* The handshake of a descriptor: side 0 of PAIR; the proof goes out only if WITH_PROOF. */
static int connected(struct stream_pair *pair, bool with_proof)
{
    uint8_t frame[STREAM_HANDSHAKE_MAXIMUM], room[STREAM_PLAIN_MAXIMUM];
    struct stream_received received;
    int fd = stranger(pair);
    put(fd, frame, stream_pair_begin(pair, frame));
    get(fd, frame, STREAM_LENGTH_SIZE);
    size_t size = load_be16(frame);
    get(fd, frame + STREAM_LENGTH_SIZE, size);
    stream_session_receive(pair->sides[0], (struct bytes){frame, STREAM_LENGTH_SIZE + size},
                           room, &received);
    assert_int_equal(received.verdict, STREAM_ESTABLISHED);
    if (with_proof)
        put(fd, received.reply, received.reply_size);
    return fd;
}

static void put_sealed(struct stream_pair *pair, int fd, const char *data, size_t size)
{
    uint8_t sealed[STREAM_FRAME_MAXIMUM + STREAM_SEAL_MORE];
    size_t sealed_size = stream_session_seal(
        pair->sides[0], pair->now_us, (struct bytes){(const uint8_t *)data, size}, sealed);
    put(fd, sealed, sealed_size);
}

static void messages_of_who_has_no_session_follow_their_length(void **state)
{
    int fd = stranger(NULL);
    put(fd, "\0\0", 2);
    loop_turn(loop, true);
    put(fd, "\0\5hello\0\0\0\1x", 12);
    assert_true(wait_for(near_heard));
    assert_int_equal(near.messages, 2);
    assert_int_equal(near.last_size, 1);
    connection_free(near.connection);
    close(fd);
}

static void a_session_begins_with_its_first_bytes(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    int fd = connected(pair, true);
    put_sealed(pair, fd, "\0\0\0\5hel", 7); /* messages do not end where frames do */
    put_sealed(pair, fd, "lo\0\0\0", 5);
    put_sealed(pair, fd, "\0", 1);
    assert_true(wait_for(near_heard));
    assert_false(connection_is_stranger(near.connection));
    assert_int_equal(near.last_size, near.messages == 1 ? 5 : 0);
    connection_free(near.connection);
    close(fd);
    stream_pair_free(pair);
}

static void who_has_not_proved_to_be_there_stays_a_stranger(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    int fd = connected(pair, false);
    assert_true(connection_is_stranger(near.connection));
    put_sealed(pair, fd, "\0\0\0\0", 4); /* not the proof */
    assert_true(wait_for(near_is_closed));
    assert_int_equal(near.fate, CONNECTION_MALFORMED);
    close(fd);
    stream_pair_free(pair);
}

static void a_stranger_is_refused_without_a_byte(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } beginnings[] = {
        {"\x80", 1},   /* in two pieces, the second below */
        {"\0\xb1", 2}, /* longer than any first frame */
        {"GET / HTTP/1.1", 14},
        {"\0\0\x10\0", 4}, /* longer than any first message */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(beginnings); i++) {
        int fd = stranger(NULL);
        put(fd, beginnings[i].bytes, beginnings[i].size);
        loop_turn(loop, true);
        if (i == 0)
            put(fd, "\0", 1);
        assert_true(wait_for(near_is_closed));
        assert_int_equal(near.fate, CONNECTION_MALFORMED);
        assert_got_nothing(fd);
        close(fd);
    }
}

static void a_first_frame_that_is_not_genuine_gets_no_answer(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t frame[STREAM_HANDSHAKE_MAXIMUM];
    int fd = stranger(pair);
    size_t size = stream_pair_begin(pair, frame);
    frame[size - 1] ^= 1;
    put(fd, frame, size);
    assert_true(wait_for(near_is_closed));
    assert_got_nothing(fd);
    close(fd);
    stream_pair_free(pair);
}

static void of_a_stranger_no_more_is_read_than_is_allowed(void **state)
{
    static const char much[64 << 10];
    struct stream_pair *pair = stream_pair_new();
    int fd = connected(pair, false);
    put(fd, "\0\x10", 2); /* a frame that would be short enough later */
    put(fd, much, 4096);
    assert_true(wait_for(near_is_closed));
    assert_int_equal(near.fate, CONNECTION_MALFORMED);
    close(fd);
    stream_pair_free(pair);
}

static void a_session_that_is_cut_off_is_told_from_one_that_ends(void **state)
{
    for (int with_end = 0; with_end < 2; with_end++) {
        struct stream_pair *pair = stream_pair_new();
        uint8_t end[STREAM_OVERHEAD];
        int fd = connected(pair, true);
        put_sealed(pair, fd, "\0\0\0\5hello", 9);
        if (with_end)
            put(fd, end, stream_session_end(pair->sides[0], end));
        close(fd);
        assert_true(wait_for(near_is_closed));
        assert_int_equal(near.messages, 1);
        assert_int_equal(near.fate, with_end ? CONNECTION_CLOSED : CONNECTION_CUT);
        stream_pair_free(pair);
    }
}

static void what_was_changed_on_its_way_ends_it(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t sealed[64];
    int fd = connected(pair, true);
    size_t size = stream_session_seal(pair->sides[0], pair->now_us,
                                      (struct bytes){(const uint8_t *)"\0\0\0\0", 4}, sealed);
    sealed[size - 1] ^= 1;
    put(fd, sealed, size);
    assert_true(wait_for(near_is_closed));
    assert_int_equal(near.messages, 0);
    assert_int_equal(near.fate, CONNECTION_FORGED);
    close(fd);
    stream_pair_free(pair);
}

/* ---- two connections ----------------------------------------------------------------------
 */

static int listener(struct ip_endpoint *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, out));
    return fd;
}

/* FAR, with side 0 of PAIR, to NEAR. */
static void connect_both(struct stream_pair *pair)
{
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM];
    struct ip_endpoint endpoint;
    int fd = listener(&endpoint);
    near = (struct end){.pair = pair};
    far = (struct end){0};
    far.connection = connection_open(loop, &endpoint, &handler, &far);
    assert_non_null(far.connection);
    size_t size = stream_pair_begin(pair, init);
    connection_begin_session(far.connection, pair->sides[0], (struct bytes){init, size}, 1000);
    pair->sides[0] = NULL;
    int taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(taken >= 0);
    near.connection = connection_accept(loop, taken, 1000, &handler, &near);
    close(fd);
}

static void
messages_of_any_size_arrive_and_may_be_sent_before_the_session_is_there(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t *large = malloc(LARGE);
    assert_non_null(large);
    connect_both(pair);
    const size_t sizes[] = {0, 1, STREAM_DATA_MAXIMUM - 4, STREAM_DATA_MAXIMUM, LARGE};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        memset(large, (int)i + 1, LARGE);
        struct bytes message = {large, sizes[i]};
        assert_true(connection_send(far.connection, message));
        near.messages = 0;
        assert_true(wait_for(near_heard));
        assert_int_equal(near.last_size, message.size);
        assert_int_equal(near.last_sum, sum_of(message));
    }
    connection_free(far.connection);
    connection_free(near.connection);
    free(large);
    stream_pair_free(pair);
}

static void what_is_finished_before_the_session_is_there_arrives_and_ends(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    connect_both(pair);
    assert_true(connection_send(far.connection, (struct bytes){(const uint8_t *)"last", 4}));
    connection_finish(far.connection);
    assert_true(wait_for(near_is_closed));
    assert_int_equal(near.messages, 1);
    assert_int_equal(near.fate, CONNECTION_CLOSED);
    stream_pair_free(pair);
}

static void who_goes_away_with_nothing_unsent_says_the_end(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    connect_both(pair);
    assert_true(connection_send(far.connection, (struct bytes){(const uint8_t *)"x", 1}));
    assert_true(wait_for(near_heard));
    connection_free(far.connection);
    assert_true(wait_for(near_is_closed));
    assert_int_equal(near.fate, CONNECTION_CLOSED);
    stream_pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_who_has_no_session_follow_their_length),
        cmocka_unit_test(a_session_begins_with_its_first_bytes),
        cmocka_unit_test(who_has_not_proved_to_be_there_stays_a_stranger),
        cmocka_unit_test(a_stranger_is_refused_without_a_byte),
        cmocka_unit_test(a_first_frame_that_is_not_genuine_gets_no_answer),
        cmocka_unit_test(of_a_stranger_no_more_is_read_than_is_allowed),
        cmocka_unit_test(a_session_that_is_cut_off_is_told_from_one_that_ends),
        cmocka_unit_test(what_was_changed_on_its_way_ends_it),
        cmocka_unit_test(
            messages_of_any_size_arrive_and_may_be_sent_before_the_session_is_there),
        cmocka_unit_test(what_is_finished_before_the_session_is_there_arrives_and_ends),
        cmocka_unit_test(who_goes_away_with_nothing_unsent_says_the_end),
    };
    crypto_start();
    loop = loop_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    loop_free(loop);
    return failed;
}
