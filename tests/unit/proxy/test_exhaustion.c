/* What the proxy does when the host has nothing left: it neither spins nor keeps silent, and it
 * serves again as soon as it can. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

/* The limit that leaves the proxy COUNT more descriptors than it has now. */
static rlim_t limit_with_free(unsigned count)
{
    char path[64];
    bool used[1024] = {false};
    rlim_t limit = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)world.pid);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        unsigned long fd = strtoul(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && fd < ARRAY_LENGTH(used))
            used[fd] = true;
    }
    closedir(directory);
    while (count > 0 && limit < ARRAY_LENGTH(used))
        count -= !used[limit++];
    assert_int_equal(count, 0);
    return limit;
}

/* Lets the running proxy have FILES descriptors; the old limit. */
static rlim_t limit_files(rlim_t files)
{
    struct rlimit old, limit;
    assert_int_equal(prlimit(world.pid, RLIMIT_NOFILE, NULL, &old), 0);
    limit = (struct rlimit){files, old.rlim_max};
    assert_int_equal(prlimit(world.pid, RLIMIT_NOFILE, &limit, NULL), 0);
    return old.rlim_cur;
}

static unsigned long cpu_ticks(void)
{
    char path[64], line[512];
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)world.pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    const char *fields = strrchr(line, ')');
    assert_non_null(fields);
    assert_int_equal(sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                            &user, &kernel),
                     2);
    return user + kernel;
}

enum {
    CROWD = 32,
    FREE = 9
};

static struct visitor crowd[CROWD];

/* Leaves the proxy with few descriptors while a crowd comes; the limit there was. */
static rlim_t crowd_without_descriptors(void)
{
    rlim_t before = limit_files(limit_with_free(FREE));
    for (int i = 0; i < CROWD; i++) {
        visitor_connect(&crowd[i], &world.http);
        visitor_say(&crowd[i], GET("/never"));
    }
    WORLD_AWAIT(WORLD_SUM(&world, proxy.turned_away) > 0);
    return before;
}

static void crowd_leaves(void)
{
    for (int i = 0; i < CROWD; i++)
        visitor_leave(&crowd[i]);
}

static void without_descriptors_the_node_tells_and_turns_some_away(void **state)
{
    rlim_t before = crowd_without_descriptors();
    world_wait(&world, &world.events[EVENT_PROXY_STRAINED], 1);
    assert_true(WORLD_SUM(&world, proxy.accept_pauses) > 0);
    assert_true(WORLD_SUM(&world, listeners[0].accept_pauses) > 0);
    limit_files(before);
    crowd_leaves();
    world_wait(&world, &world.events[EVENT_PROXY_RELIEVED], 1);
    assert_int_equal(world.events[EVENT_PROXY_STRAINED], 1);
}

/* Nobody is turned away more than ten times a second, and waiting costs next to nothing. */
static void without_descriptors_the_proxy_rests(void **state)
{
    struct pollfd never = {.fd = -1};
    rlim_t before = crowd_without_descriptors();
    unsigned long ticks = cpu_ticks();
    uint64_t turned_away = WORLD_SUM(&world, proxy.turned_away);
    poll(&never, 1, 1000); /* the stretch that is measured */
    assert_in_range(WORLD_SUM(&world, proxy.turned_away) - turned_away, 0, 11);
    assert_in_range(cpu_ticks() - ticks, 0, (unsigned long)sysconf(_SC_CLK_TCK) / 5);
    limit_files(before);
    crowd_leaves();
}

static void it_serves_as_soon_as_there_are_descriptors_again(void **state)
{
    char body[16];
    rlim_t before = crowd_without_descriptors();
    crowd_leaves();
    assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
    limit_files(before);
    assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
}

/* The client has one descriptor; the member's connection would be one too many. */
static void a_request_without_a_descriptor_for_its_member_is_told_so(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, GET("/close"));
    assert_int_equal(visitor_read(&visitor, "GET"), 200);
    visitor_leave(&visitor);
    WORLD_AWAIT(WORLD_SUM(&world, proxy.clients) == 0);
    visitor_connect(&visitor, &world.http);
    visitor_say(&visitor, "GET /who HTTP/1.1\r\n");
    WORLD_AWAIT(WORLD_SUM(&world, proxy.clients) == 1);
    rlim_t before = limit_files(3);
    visitor_say(&visitor, "Host: t\r\n\r\n");
    assert_int_equal(visitor_read(&visitor, "GET"), 503);
    WORLD_AWAIT(WORLD_SUM(&world, listeners[0].terminations[TERMINATION_NO_RESOURCES]) == 1);
    limit_files(before);
    visitor_leave(&visitor);
}

static void connections_that_are_only_kept_give_way(void **state)
{
    struct visitor kept, other;
    visitor_connect(&kept, &world.http);
    visitor_say(&kept, GET("/who"));
    assert_int_equal(visitor_read(&kept, "GET"), 200);
    visitor_leave(&kept);
    WORLD_AWAIT(WORLD_SUM(&world, proxy.kept_connections) == 1);
    WORLD_AWAIT(WORLD_SUM(&world, proxy.clients) == 0);
    unsigned worker = world.context.counters->workers[0].proxy.kept_connections == 0;
    rlim_t before = limit_files(3);
    /* Each worker has its own kept ones: some of these meet the one that has it. */
    for (int i = 0; i < 64 && world.context.counters->workers[worker].proxy.kept_evicted == 0;
         i++) {
        visitor_connect(&other, &world.http);
        visitor_leave(&other);
    }
    WORLD_AWAIT(world.context.counters->workers[worker].proxy.kept_evicted == 1);
    assert_int_equal(WORLD_SUM(&world, proxy.kept_connections), 0);
    limit_files(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_descriptors_the_node_tells_and_turns_some_away),
        TEST(without_descriptors_the_proxy_rests),
        TEST(it_serves_as_soon_as_there_are_descriptors_again),
        TEST(a_request_without_a_descriptor_for_its_member_is_told_so),
        TEST(connections_that_are_only_kept_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
