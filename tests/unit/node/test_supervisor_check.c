/* The operator's check command, as the supervisor sees its runs. */
#include "lbnode/base/monotime.h"
#include "lbnode/node/supervisor_internal.h"
#include "tests/support/test.h"

#include <errno.h>
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

/* A check of shell commands. */
struct check {
    char script[64], pids[64], command[SUPERVISOR_CHECK_SIZE];
    struct supervisor supervisor;
    struct supervisor_settings settings;
};

static void write_check(struct check *check, const char *text)
{
    memset(check, 0, sizeof(*check));
    snprintf(check->script, sizeof(check->script), "/tmp/test_supervisor_check.XXXXXX");
    snprintf(check->pids, sizeof(check->pids), "/tmp/test_supervisor_check.XXXXXX");
    int fd = mkstemp(check->script);
    close(mkstemp(check->pids));
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    snprintf(check->command, sizeof(check->command), "/bin/sh %s %s", check->script,
             check->pids);
    check->settings = (struct supervisor_settings){
        .check_command = check->command, .check_interval_ms = 60000, .keep_privileges = true};
    check->supervisor.loop = loop_new();
    check->supervisor.settings = &check->settings;
}

/* What it wrote of the processes that it started: so many, or waits for them. */
static void read_pids(const struct check *check, long *out, size_t count)
{
    uint64_t end_ms = monotime_now_ms() + 10000;
    size_t found = 0;
    while (found < count && monotime_now_ms() < end_ms) {
        FILE *file = fopen(check->pids, "re");
        for (found = 0; found < count && fscanf(file, "%ld\n", &out[found]) == 1; found++)
            ;
        fclose(file);
    }
    assert_int_equal(found, count);
}

static void end_check(struct check *check)
{
    loop_timer_stop(&check->supervisor.check.timer);
    loop_free(check->supervisor.loop);
    unlink(check->script);
    unlink(check->pids);
}

static void assert_gone(long pid)
{
    assert_int_equal(kill((pid_t)pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* In its process group, in a session of its own, and as a grandchild of one. */
static void what_a_check_leaves_in_the_background_ends_with_it(void **state)
{
    static struct check check;
    long left[3];
    int status;
    write_check(&check, "sleep 1000 & echo $! >> $1\n"
                        "setsid sleep 1000 & echo $! >> $1\n"
                        "setsid sh -c 'sleep 1000 & echo $! >> $0; wait' $1 &\n"
                        "while [ $(wc -l < $1) -lt 3 ]; do :; done; exit 3\n");
    check_start(&check.supervisor);
    pid_t pid = waitpid(check.supervisor.check.pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_true(check_ended(&check.supervisor, pid, status));
    read_pids(&check, left, 3);
    for (size_t i = 0; i < 3; i++)
        assert_gone(left[i]);
    end_check(&check);
}

static void a_late_check_is_killed_with_all_that_it_started(void **state)
{
    static struct check check;
    long started[2];
    int status;
    write_check(&check, "setsid sleep 1000 & echo $! >> $1\n"
                        "sleep 1000 & echo $! >> $1\nwait\n");
    check_start(&check.supervisor);
    read_pids(&check, started, 2);
    check_start(&check.supervisor); /* the interval is over */
    pid_t pid = waitpid(check.supervisor.check.pid, &status, 0);
    assert_true(check_ended(&check.supervisor, pid, status));
    assert_false(check.supervisor.check.late);
    assert_gone(started[0]);
    assert_gone(started[1]);
    end_check(&check);
}

static void the_signal_that_ended_a_check_is_told(void **state)
{
    static struct check check;
    int status;
    write_check(&check, "kill -KILL $$\n");
    check_start(&check.supervisor);
    assert_int_equal(waitpid(check.supervisor.check.pid, &status, 0),
                     check.supervisor.check.pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    end_check(&check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_gets_all_its_words),
        cmocka_unit_test(a_check_that_cannot_even_be_killed_is_a_failure),
        cmocka_unit_test(what_a_check_leaves_in_the_background_ends_with_it),
        cmocka_unit_test(a_late_check_is_killed_with_all_that_it_started),
        cmocka_unit_test(the_signal_that_ended_a_check_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
