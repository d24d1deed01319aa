/* What a log line looks like in the journal and on a terminal. */
#include "lbnode/base/log.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int standard_error;

static int keep_stderr(void **state)
{
    standard_error = dup(STDERR_FILENO);
    return standard_error < 0;
}

static int restore_stderr(void **state)
{
    dup2(standard_error, STDERR_FILENO);
    return close(standard_error);
}

/* Writes one line into a pipe and reads it back. */
static void log_into_pipe(const char *text, char out[256])
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    log_info("%s", text);
    ssize_t size = read(ends[0], out, 255);
    dup2(standard_error, STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    out[size > 0 ? size : 0] = '\0';
}

static void open_onto(int fd)
{
    assert_true(fd >= 0);
    dup2(fd, STDERR_FILENO);
    log_open("control", LOG_LEVEL_INFO);
    dup2(standard_error, STDERR_FILENO);
    close(fd);
}

static void a_line_for_the_journal_has_its_priority(void **state)
{
    char line[256];
    open_onto(open("/dev/null", O_WRONLY | O_CLOEXEC));
    log_into_pipe("one\ntwo", line);
    assert_string_equal(line, "<6>control: one?two\n");
}

/* Asking at each line costs a system call for each. */
static void a_terminal_is_recognised_once_at_the_start(void **state)
{
    char line[256];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    open_onto(terminal);
    log_into_pipe("up", line);
    assert_string_equal(line, "control: up\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_for_the_journal_has_its_priority, keep_stderr,
                                        restore_stderr),
        cmocka_unit_test_setup_teardown(a_terminal_is_recognised_once_at_the_start, keep_stderr,
                                        restore_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
