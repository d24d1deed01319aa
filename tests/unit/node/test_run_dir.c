#include "lbnode/node/run_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_directory(void **state)
{
    char *path = strdup("/tmp/lbnode-run-XXXXXX");
    *state = mkdtemp(path);
    return *state ? 0 : -1;
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"lbnode.lock", "lbnode.pid", "pids"};
    for (int i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", (char *)*state, names[i]);
        unlink(path);
    }
    rmdir(*state);
    free(*state);
    return 0;
}

static void a_second_node_is_refused_until_the_first_ends(void **state)
{
    struct error error = {0};
    int first = run_dir_lock(*state, "--run-dir", 0, &error);
    assert_true(first >= 0);
    assert_true(run_dir_lock(*state, "--run-dir", 0, &error) < 0);
    assert_int_equal(error.kind, ERROR_CONFLICT);
    assert_non_null(strstr(error.text, *state));
    assert_non_null(strstr(error.text, "--run-dir"));
    close(first);
    int second = run_dir_lock(*state, "--run-dir", 0, &error);
    assert_true(second >= 0);
    close(second);
}

/* A child of the first node lives on for a moment with its copy of the descriptor. */
static void a_second_node_waits_for_the_processes_of_the_first(void **state)
{
    struct error error = {0};
    int first = run_dir_lock(*state, "--run-dir", 0, &error);
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(first);
    assert_true(run_dir_lock(*state, "--run-dir", 40, &error) < 0);
    close(gate[0]);
    close(gate[1]);
    int second = run_dir_lock(*state, "--run-dir", 5000, &error);
    assert_true(second >= 0);
    close(second);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void pids_lists_what_runs(void **state)
{
    pid_t pids[PROCESS_ROLE_COUNT] = {
        [PROCESS_SUPERVISOR] = 10, [PROCESS_CONTROL] = 12, [PROCESS_PROXY] = 14};
    char path[128], content[128] = "";
    assert_int_equal(run_dir_write_pids(*state, pids), 0);
    snprintf(path, sizeof(path), "%s/pids", (char *)*state);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(content, 1, sizeof(content) - 1, file);
    fclose(file);
    assert_int_equal(size, strlen(content));
    assert_string_equal(content, "supervisor 10\ncontrol 12\nproxy 14\n");
    run_dir_remove_pids(*state);
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_node_is_refused_until_the_first_ends,
                                        make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_second_node_waits_for_the_processes_of_the_first,
                                        make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(pids_lists_what_runs, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
