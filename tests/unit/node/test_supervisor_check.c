/* The operator's check command, as the supervisor sees its runs. */
#include "lbnode/node/supervisor_internal.h"
#include "tests/support/test.h"

#include <signal.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_that_cannot_even_be_killed_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
