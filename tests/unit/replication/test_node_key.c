#include "lbnode/base/credential.h"
#include "replication/node_key.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char directory[64], path[96];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    snprintf(place->directory, sizeof(place->directory), "/tmp/lbnode-test-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof(place->path), "%s/node.key", place->directory);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    unlink(place->path);
    rmdir(place->directory);
    free(place);
    return 0;
}

static struct uuid make(const struct place *place)
{
    struct error error = {0};
    struct uuid id;
    struct sign_key *key = node_key_open(place->path, &id, &error);
    if (!key)
        fail_msg("%s", error.text);
    sign_key_free(key);
    return id;
}

static void expect_refused(const struct place *place, const char *words)
{
    struct error error = {0};
    struct uuid id;
    assert_null(node_key_open(place->path, &id, &error));
    assert_int_equal(error.kind, ERROR_REFUSED);
    if (!strstr(error.text, words))
        fail_msg("'%s' does not say '%s'", error.text, words);
}

static void it_is_made_once_for_its_owner_alone(void **state)
{
    struct stat status;
    struct uuid first = make(*state), again = make(*state);
    assert_true(uuid_equal(&first, &again));
    assert_int_equal(stat(((struct place *)*state)->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void one_that_others_may_read_or_write_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0660, 0601};
    struct place *place = *state;
    make(place);
    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        assert_int_equal(chmod(place->path, modes[i]), 0);
        expect_refused(place, "run chmod 600");
    }
}

static void one_of_another_account_than_its_directory_is_refused(void **state)
{
    struct place *place = *state;
    if (geteuid() != 0) {
        fprintf(stderr, "# SKIPPED: only root gives files away\n");
        skip();
    }
    make(place);
    assert_int_equal(chown(place->path, 65534, 65534), 0);
    expect_refused(place, "belongs to account 65534");
    assert_int_equal(chown(place->directory, 65534, 65534), 0);
    make(place);
}

static void a_link_or_a_pipe_is_refused(void **state)
{
    struct place *place = *state;
    assert_int_equal(symlink("/dev/null", place->path), 0);
    expect_refused(place, "cannot be opened");
    unlink(place->path);
    assert_int_equal(mkfifo(place->path, 0600), 0);
    expect_refused(place, "is no regular file");
}

static void a_damaged_one_is_named(void **state)
{
    struct place *place = *state;
    int fd = open(place->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "node_id x\n", 10), 10);
    close(fd);
    expect_refused(place, "is damaged");
}

static void a_credential_is_read_as_the_file_would_be(void **state)
{
    struct place *place = *state;
    struct error error = {0};
    struct uuid id, made = make(place);
    assert_int_equal(chmod(place->path, 0440),
                     0); /* the service manager guards the directory */
    setenv("CREDENTIALS_DIRECTORY", place->directory, 1);
    int fd = credential_open("node.key");
    assert_true(fd > 0);
    struct sign_key *key = node_key_read(fd, &id, &error);
    assert_non_null(key);
    assert_true(uuid_equal(&id, &made));
    sign_key_free(key);
    close(fd);
    assert_int_equal(credential_open("another"), 0);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(credential_open("node.key"), 0);
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_once_for_its_owner_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_others_may_read_or_write_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_of_another_account_than_its_directory_is_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_or_a_pipe_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_one_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_credential_is_read_as_the_file_would_be, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
