#include "lbnode/node/service_notify.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A service manager that listens at NAME, of SIZE bytes. */
static int listen_at(const char *name, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    memcpy(address.sun_path, name, size);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    return fd;
}

static void expect_told(int fd, const char *state)
{
    char text[64] = "";
    assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), (ssize_t)strlen(state));
    assert_string_equal(text, state);
}

static void nothing_happens_without_a_service_manager(void **state)
{
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(service_notify("READY=1"), 0);
}

static void the_socket_of_a_path_is_told(void **state)
{
    char path[64];
    snprintf(path, sizeof(path), "/tmp/lbnode-notify-%d", (int)getpid());
    int fd = listen_at(path, strlen(path));
    setenv("NOTIFY_SOCKET", path, 1);
    assert_int_equal(service_notify("READY=1"), 0);
    expect_told(fd, "READY=1");
    close(fd);
    unlink(path);
}

static void the_socket_of_an_abstract_name_is_told(void **state)
{
    char name[64];
    int size = snprintf(name, sizeof(name), "@lbnode-notify-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    int fd = listen_at(name, (size_t)size);
    assert_int_equal(service_notify("WATCHDOG=1"), 0);
    expect_told(fd, "WATCHDOG=1");
    close(fd);
}

static void what_cannot_be_told_is_an_error(void **state)
{
    char longest[200];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    assert_int_equal(service_notify("READY=1"), -EINVAL);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(service_notify("READY=1"), -EINVAL);
    setenv("NOTIFY_SOCKET", "/tmp/lbnode-notify-nobody", 1);
    assert_int_equal(service_notify("READY=1"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_without_a_service_manager),
        cmocka_unit_test(the_socket_of_a_path_is_told),
        cmocka_unit_test(the_socket_of_an_abstract_name_is_told),
        cmocka_unit_test(what_cannot_be_told_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
