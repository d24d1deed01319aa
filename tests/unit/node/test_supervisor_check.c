/* The operator's check command, as the supervisor sees its runs. */
#include "lbnode/node/supervisor_internal.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_check_that_cannot_even_be_killed_is_a_failure(void **state)
{
    static struct supervisor supervisor;
    const struct supervisor_settings settings = {.check_command = "/bin/true",
                                                 .check_interval_ms = 60000};
    supervisor.loop = loop_new();
    supervisor.settings = &settings;
    supervisor.check.pid = fork();
    if (supervisor.check.pid == 0) {
        pause();
        _exit(0);
    }
    pid_t pid = supervisor.check.pid;
    for (int i = 0; i < 4; i++) /* no end of it is ever told */
        check_start(&supervisor);
    assert_int_equal(supervisor.hindrance_count, 1);
    assert_int_equal(supervisor.hindrances[0].kind, HINDRANCE_IS_COMMAND);
    check_stop(&supervisor);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    loop_free(supervisor.loop);
}

/* However many its setting has room for. */
static void a_check_gets_all_its_words(void **state)
{
    static struct supervisor supervisor;
    const char script[] = "[ $# -eq 40 ]\n";
    char path[] = "/tmp/test_supervisor_check.XXXXXX", command[SUPERVISOR_CHECK_SIZE];
    const struct supervisor_settings settings = {
        .check_command = command, .check_interval_ms = 60000, .keep_privileges = true};
    int status, fd = mkstemp(path);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    close(fd);
    size_t size = (size_t)snprintf(command, sizeof(command), "/bin/sh %s", path);
    for (int i = 0; i < 40; i++)
        size += (size_t)snprintf(command + size, sizeof(command) - size, " a");
    supervisor.loop = loop_new();
    supervisor.settings = &settings;
    check_start(&supervisor);
    assert_int_equal(waitpid(supervisor.check.pid, &status, 0), supervisor.check.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    supervisor.check.pid = 0;
    check_stop(&supervisor);
    loop_free(supervisor.loop);
    unlink(path);
}

/* The background child holds the other end of the pipe as long as it lives. */
static void what_a_check_leaves_in_the_background_ends_with_it(void **state)
{
    static struct supervisor supervisor;
    const struct supervisor_settings settings = {.check_command = "/bin/true",
                                                 .check_interval_ms = 60000};
    int pipe_fds[2], status;
    char byte;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    supervisor.loop = loop_new();
    supervisor.settings = &settings;
    supervisor.check.pid = fork();
    if (supervisor.check.pid == 0) { /* a check command in a group of its own */
        setpgid(0, 0);
        if (fork() == 0)
            pause();
        _exit(0);
    }
    close(pipe_fds[1]);
    pid_t pid = waitpid(supervisor.check.pid, &status, 0);
    assert_true(check_ended(&supervisor, pid, status));
    assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
    close(pipe_fds[0]);
    loop_free(supervisor.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_gets_all_its_words),
        cmocka_unit_test(a_check_that_cannot_even_be_killed_is_a_failure),
        cmocka_unit_test(what_a_check_leaves_in_the_background_ends_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
