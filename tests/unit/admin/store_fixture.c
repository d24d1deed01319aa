#include "tests/unit/admin/store_fixture.h"

#include "tests/support/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void start(struct store_fixture *fixture)
{
    const struct replication_handler handler = {.applied = api_fixture_applied,
                                                .context = &fixture->api,
                                                .unconfirmed = fixture->unconfirmed};
    struct replication_settings settings = {
        .state_dir = fixture->state_dir, .node_name = "lb1", .retention = fixture->retention};
    struct error error = {0};
    if (fixture->tamper)
        fixture->tamper(fixture->state_dir);
    api_fixture_prepare(&fixture->api);
    text_list_add(&settings.addresses, "127.0.0.1:7850", 14);
    fixture->api.state.replication =
        replication_open(fixture->api.loop, &settings, &handler, &error);
    text_list_free(&settings.addresses);
    if (!fixture->api.state.replication)
        fail_msg("%s", error.text);
    api_fixture_applied(&fixture->api, 0);
    api_fixture_serve(&fixture->api);
}

static void stop(struct store_fixture *fixture)
{
    api_fixture_stop(&fixture->api);
    replication_close(fixture->api.state.replication);
    loop_free(fixture->api.loop);
}

void store_fixture_open(struct store_fixture *fixture)
{
    snprintf(fixture->state_dir, sizeof(fixture->state_dir), "/tmp/lbnode-store.XXXXXX");
    assert_non_null(mkdtemp(fixture->state_dir));
    start(fixture);
}

void store_fixture_restart(struct store_fixture *fixture)
{
    stop(fixture);
    start(fixture);
}

void store_fixture_close(struct store_fixture *fixture)
{
    stop(fixture);
    DIR *directory = opendir(fixture->state_dir);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    assert_int_equal(rmdir(fixture->state_dir), 0);
}
