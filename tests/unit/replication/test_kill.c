/* A node that is killed in the middle of writing: whatever it acknowledged is there. */
#include "replication/replication.h"
#include "tests/support/test.h"

#include "lbnode/base/random.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS = 12
};

static const struct uuid object = {{0x0b}};

struct writer_process {
    struct loop *loop;
    struct replication *replication;
    int acknowledged_fd;
    uint64_t value;
};

static struct replication *open_node(struct loop *loop, const char *directory)
{
    const struct replication_settings settings = {.state_dir = directory, .node_name = "lb1"};
    const struct replication_handler handler = {0};
    struct error error = {0};
    struct replication *replication = replication_open(loop, &settings, &handler, &error);
    if (!replication)
        fprintf(stderr, "%s\n", error.text);
    return replication;
}

static void submit_next(struct writer_process *process);

static void on_submitted(void *context, const struct submit_result *result)
{
    struct writer_process *process = context;
    if (result->error.kind != ERROR_NONE ||
        write(process->acknowledged_fd, &process->value, sizeof(process->value)) !=
            sizeof(process->value))
        _exit(1);
    process->value++;
    submit_next(process);
}

static void submit_next(struct writer_process *process)
{
    struct change_set changes = {0};
    const struct uuid none = {0};
    const struct submit_options options = {.author = "test", .via = "test"};
    change_set_add(&changes, &object, &none, 5, FACET_LIFE,
                   (struct bytes){(const uint8_t *)"\1", 1});
    change_set_add(&changes, &object, &none, 5, 10,
                   (struct bytes){(const uint8_t *)&process->value, sizeof(process->value)});
    replication_submit(process->replication, &changes, &options, on_submitted, process);
    change_set_free(&changes);
}

static void on_initialised(void *context, const struct error *error)
{
    if (error->kind != ERROR_NONE)
        _exit(1);
    submit_next(context);
}

/* In the child: writes growing values for ever and reports each that was acknowledged. */
static void write_for_ever(const char *directory, int acknowledged_fd, uint64_t value)
{
    struct writer_process process = {.acknowledged_fd = acknowledged_fd, .value = value};
    char code[RECOVERY_CODE_SIZE];
    struct error error;
    process.loop = loop_new();
    process.replication = open_node(process.loop, directory);
    if (!process.replication)
        _exit(1);
    if (replication_is_initialised(process.replication))
        submit_next(&process);
    else if (!replication_init(process.replication, "test", code, on_initialised, &process,
                               &error))
        _exit(1);
    loop_run(process.loop);
}

static uint64_t last_acknowledged(int fd, uint64_t before)
{
    uint64_t value;
    while (read(fd, &value, sizeof(value)) == sizeof(value))
        before = value;
    return before;
}

static uint64_t run_and_kill(const char *directory, uint64_t value, uint64_t life_us)
{
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        write_for_ever(directory, fds[1], value + 1);
        _exit(1);
    }
    close(fds[1]);
    struct pollfd first = {.fd = fds[0], .events = POLLIN};
    assert_int_equal(poll(&first, 1, 10000), 1); /* it has begun to write */
    usleep((useconds_t)life_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it did not end by itself */
    value = last_acknowledged(fds[0], value);
    close(fds[0]);
    return value;
}

static bool find_value(void *context, const struct raw_facet *facet)
{
    if (facet->facet == 10 && uuid_equal(&facet->object_id, &object))
        memcpy(context, facet->value.data, sizeof(uint64_t));
    return true;
}

static uint64_t stored_value(const char *directory)
{
    struct loop *loop = loop_new();
    struct replication *replication = open_node(loop, directory);
    uint64_t value = 0;
    assert_non_null(replication);
    replication_visit_facets(replication, find_value, &value);
    replication_close(replication);
    loop_free(loop);
    return value;
}

static void what_was_acknowledged_survives_a_kill_at_any_moment(void **state)
{
    char directory[] = "/tmp/lbnode-kill-XXXXXX", command[64];
    uint64_t acknowledged = 0;
    assert_non_null(mkdtemp(directory));
    for (int round = 0; round < ROUNDS; round++) {
        acknowledged = run_and_kill(directory, acknowledged, random_u64() % 50000);
        uint64_t stored = stored_value(directory);
        /* At most one change was on its way when it died. */
        assert_in_range(stored, acknowledged, acknowledged + 1);
        acknowledged = stored;
    }
    assert_true(acknowledged > ROUNDS); /* or it proved nothing */
    snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_a_kill_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
