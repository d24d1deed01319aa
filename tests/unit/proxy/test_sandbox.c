/* Each attempt is made in a process of its own, which the attempt may cost its life. */
#include "proxy/sandbox.h"

#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NOT_CONFINED = 99,
    FINE = 0
};

/* How a process ended that entered the sandbox and then did ATTEMPT. */
static int status_of(int (*attempt)(void))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        _exit(sandbox_enter() ? attempt() : NOT_CONFINED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_killed(int (*attempt)(void))
{
    int status = status_of(attempt);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void assert_fine(int (*attempt)(void))
{
    int status = status_of(attempt);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), FINE);
}

static int open_file(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM ? FINE : 1;
}

static int start_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

static int start_process(void)
{
    return fork() >= 0 ? FINE : 1;
}

static int trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? FINE : 1;
}

static void programs_and_processes_are_deadly(void **state)
{
    assert_killed(start_program);
    assert_killed(start_process);
    assert_killed(trace);
}

static int open_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM ? FINE : 1;
}

static int open_packet_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0 && errno == EPERM ? FINE : 1;
}

static int make_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0 &&
                   errno == EPERM
               ? FINE
               : 1;
}

static int remove_file(void)
{
    return unlink("/nowhere") < 0 && errno == EPERM ? FINE : 1;
}

static void what_is_not_listed_is_refused(void **state)
{
    assert_fine(open_file);
    assert_fine(open_unix_socket);
    assert_fine(open_packet_socket);
    assert_fine(make_code);
    assert_fine(remove_file);
}

static int use_what_a_worker_needs(void)
{
    int on = 1;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char *memory = malloc(1 << 20);
    if (fd < 0 || !memory || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return 1;
    free(memory);
    close(fd);
    return FINE;
}

static void connections_and_memory_are_allowed(void **state)
{
    assert_fine(use_what_a_worker_needs);
}

static int gate[2];

static void *fork_when_told(void *context)
{
    char byte;
    if (read(gate[0], &byte, 1) == 1)
        start_process();
    return NULL;
}

static int confined_with_a_thread(void)
{
    pthread_t thread;
    if (pipe2(gate, O_CLOEXEC) != 0 || pthread_create(&thread, NULL, fork_when_told, NULL) != 0)
        return 1;
    if (!sandbox_enter() || write(gate[1], "x", 1) != 1)
        return 1;
    pthread_join(thread, NULL);
    return FINE;
}

static void threads_that_run_already_are_confined_too(void **state)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        _exit(confined_with_a_thread());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_and_processes_are_deadly),
        cmocka_unit_test(what_is_not_listed_is_refused),
        cmocka_unit_test(connections_and_memory_are_allowed),
        cmocka_unit_test(threads_that_run_already_are_confined_too),
    };
    if (!sandbox_is_built()) {
        print_message("1..0 # SKIP a sanitizer is built in\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
