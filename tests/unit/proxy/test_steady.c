/* Steady traffic allocates nothing: malloc and its kin are counted in the proxy's workers. */
#include "tests/support/test.h"
#include "tests/unit/proxy/served_world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    WARM_UP = 50,
    REQUESTS = 500,
    ROUNDS = 20
};

static struct world world;
static struct origin a, b;
static _Atomic uint64_t *allocations; /* shared with the proxy; NULL: not counting */
static pid_t own_pid;

/* glibc's own, under the names that it keeps for those who replace malloc. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

/* The main thread asks the workers for a sign of life now and then, by letters that it
 * allocates. */
static void count(void)
{
    pid_t pid = getpid();
    if (allocations && pid != own_pid && pid != gettid())
        (*allocations)++;
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    count();
    return __libc_realloc(old, size);
}

static int setup(void **state)
{
    void *shared = mmap(NULL, sizeof(*allocations), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    own_pid = getpid();
    allocations = shared;
    served_world_start(&world, &a, &b, false, 0);
    return 0;
}

static int teardown(void **state)
{
    served_world_stop(&world, &a, &b);
    return 0;
}

static void exchange(struct visitor *visitor)
{
    visitor_say(visitor, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(visitor_read(visitor, "POST"), 200);
    visitor_say(visitor, "GET /who HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_int_equal(visitor_read(visitor, "GET"), 200);
}

static void requests_on_kept_connections_allocate_nothing(void **state)
{
    struct visitor visitor;
    visitor_connect(&visitor, &world.http);
    for (int i = 0; i < WARM_UP; i++)
        exchange(&visitor);
    uint64_t before = *allocations;
    assert_true(before > 0); /* it does count */
    for (int i = 0; i < REQUESTS; i++)
        exchange(&visitor);
    assert_int_equal(*allocations - before, 0);
    visitor_leave(&visitor);
}

/* Two workers: either may meet its busiest moment, and a descriptor of a higher number, long
 * after the first ones. Such moments come to an end; what each connection allocated would be in
 * every round. */
static void new_connections_allocate_nothing_once_there_were_as_many(void **state)
{
    uint64_t in_round = 1;
    char body[64];
    for (int round = 0; round < ROUNDS && in_round > 0; round++) {
        uint64_t before = *allocations;
        for (int i = 0; i < REQUESTS; i++)
            assert_int_equal(visitor_get(&world.http, "/who", body, sizeof(body)), 200);
        in_round = *allocations - before;
    }
    assert_int_equal(in_round, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_on_kept_connections_allocate_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            new_connections_allocate_nothing_once_there_were_as_many, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
