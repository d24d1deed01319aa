#include "lbnode/node/privileges.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NET_ADMIN = 12,
    SYS_ADMIN = 21,
    NOBODY = 65534
};

/* The word after NAME in /proc/self/status. */
static unsigned long long status_word(const char *name)
{
    char line[256];
    unsigned long long value = ~0ull;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ":%llx", &value);
    if (file)
        fclose(file);
    return value;
}

static int unprivileged_child(enum process_role role)
{
    struct privileges_user user = {true, NOBODY, NOBODY};
    if (privileges_drop(role, &user) != 0)
        return 1;
    if (status_word("CapPrm") != 0 || status_word("CapEff") != 0 ||
        status_word("CapBnd") != 0 || status_word("CapInh") != 0)
        return 2;
    if (geteuid() != NOBODY || getegid() != NOBODY || setuid(0) == 0)
        return 3;
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return 4;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 5;
}

static int vrrp_child(void)
{
    struct privileges_user user = {true, NOBODY, NOBODY};
    unsigned long long before = status_word("CapEff");
    if (privileges_drop(PROCESS_VRRP, &user) != 0)
        return 1;
    unsigned long long after = status_word("CapEff");
    if ((after >> NET_ADMIN & 1) != (before >> NET_ADMIN & 1))
        return 2;
    return after >> SYS_ADMIN & 1 ? 3 : 0;
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void skip_unless_root(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "# SKIPPED: giving privileges up can only be shown as root\n");
        skip();
    }
}

static void processes_that_meet_strangers_keep_nothing(void **state)
{
    static const enum process_role roles[] = {PROCESS_CONTROL, PROCESS_HEALTH, PROCESS_PROXY};
    skip_unless_root();
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(unprivileged_child(roles[i]));
        assert_int_equal(status_of(pid), 0);
    }
}

static void vrrp_keeps_only_what_the_election_needs(void **state)
{
    skip_unless_root();
    pid_t pid = fork();
    if (pid == 0)
        _exit(vrrp_child());
    assert_int_equal(status_of(pid), 0);
}

static int hidden_child(void)
{
    struct rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_CORE, &limit);
    privileges_hide_memory();
    getrlimit(RLIMIT_CORE, &limit);
    if (limit.rlim_cur != 0 || limit.rlim_max != 0)
        return 1;
#ifndef __SANITIZE_ADDRESS__
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return 2;
#endif
    return 0;
}

static void no_core_and_no_tracer_shows_the_memory(void **state)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(hidden_child());
    assert_int_equal(status_of(pid), 0);
}

static void an_account_that_is_named_must_exist(void **state)
{
    struct privileges_user user;
    struct error error = {0};
    skip_unless_root();
    assert_false(privileges_find_user("no-such-account", &user, &error));
    assert_string_equal(error.text, "Setting user: there is no account 'no-such-account'.");
    assert_true(privileges_find_user("nobody", &user, &error));
    assert_true(user.found);
    assert_true(privileges_find_user("", &user, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_that_meet_strangers_keep_nothing),
        cmocka_unit_test(vrrp_keeps_only_what_the_election_needs),
        cmocka_unit_test(no_core_and_no_tracer_shows_the_memory),
        cmocka_unit_test(an_account_that_is_named_must_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
