/* Which requests go over a connection that was kept after another one. */
#include "lbnode/base/bytes.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <string.h>

static struct world world;
static struct origin a, b;

static int setup(void **state)
{
    served_world_start(&world, &a, &b, false, 0);
    world.image.members[1].enabled = 0;
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

enum {
    CLIENTS = 6,
    POST = 1
};

static const char *const requests[] = {
    [0] = GET("/who"),
    [POST] = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nok",
};

static void ask(struct visitor *visitor, const char *request)
{
    visitor_say(visitor, request);
    assert_int_equal(visitor_read(visitor, request[0] == 'P' ? "POST" : "GET"), 200);
}

/* Connections that the member saw for CLIENTS clients, one after the other, with COUNT requests
 * each, the first one included. */
static unsigned connections_for(const char *first, unsigned count)
{
    unsigned before = a.connections;
    for (int i = 0; i < CLIENTS; i++) {
        struct visitor visitor;
        visitor_connect(&visitor, &world.http);
        ask(&visitor, first);
        for (unsigned more = 1; more < count; more++)
            ask(&visitor, GET("/who"));
        visitor_leave(&visitor);
        WORLD_AWAIT(WORLD_SUM(&world, proxy.clients) == 0);
    }
    return a.connections - before;
}

/* Each worker keeps its own: up to one each where reuse is allowed. */
static void each_mode_keeps_to_its_word(void **state)
{
    static const struct {
        enum snapshot_reuse mode;
        unsigned request, count, least, most;
    } rows[] = {
        {SNAPSHOT_REUSE_NEVER, 0, 1, CLIENTS, CLIENTS},
        {SNAPSHOT_REUSE_NEVER, 0, 3, 3 * CLIENTS, 3 * CLIENTS},
        {SNAPSHOT_REUSE_SAFE, 0, 1, CLIENTS, CLIENTS},
        {SNAPSHOT_REUSE_SAFE, 0, 3, CLIENTS, CLIENTS}, /* later ones take a kept one */
        {SNAPSHOT_REUSE_SAFE_PLUS, 0, 1, 0, WORLD_WORKERS},
        {SNAPSHOT_REUSE_SAFE_PLUS, POST, 1, CLIENTS, CLIENTS},
        {SNAPSHOT_REUSE_ALWAYS, 0, 1, 0, WORLD_WORKERS},
        {SNAPSHOT_REUSE_ALWAYS, POST, 1, 0, WORLD_WORKERS},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        world.image.pool.reuse = (uint8_t)rows[i].mode;
        world_apply(&world);
        unsigned seen = connections_for(requests[rows[i].request], rows[i].count);
        if (seen < rows[i].least || seen > rows[i].most)
            fail_msg("row %zu: %u connections", i, seen);
    }
}

/* What authenticates a connection must not authenticate the next client. */
static void a_connection_that_stands_for_its_client_is_not_given_to_another(void **state)
{
    static const char *const challenged[] = {
        "GET /who HTTP/1.1\r\nHost: t\r\nAuthorization: Negotiate YII=\r\n\r\n",
        "GET /who HTTP/1.1\r\nHost: t\r\nAuthorization: ntlm TlRM\r\n\r\n",
        GET("/ntlm"),
        GET("/negotiate"),
    };
    world_apply(&world);
    for (size_t i = 0; i < ARRAY_LENGTH(challenged); i++) {
        struct visitor visitor;
        visitor_connect(&visitor, &world.http);
        visitor_say(&visitor, challenged[i]);
        assert_true(visitor_read(&visitor, "GET") > 0);
        visitor_leave(&visitor);
        WORLD_AWAIT(WORLD_SUM(&world, proxy.clients) == 0);
        assert_int_equal(WORLD_SUM(&world, proxy.kept_connections), 0);
    }
    assert_in_range(connections_for(GET("/who"), 1), 1, WORLD_WORKERS);
}

static void other_challenges_keep_the_connection(void **state)
{
    struct visitor visitor;
    world_apply(&world);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/basic"));
    assert_int_equal(visitor_read(&visitor, "GET"), 401);
    visitor_leave(&visitor);
    WORLD_AWAIT(WORLD_SUM(&world, proxy.kept_connections) == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_mode_keeps_to_its_word),
        TEST(a_connection_that_stands_for_its_client_is_not_given_to_another),
        TEST(other_challenges_keep_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
