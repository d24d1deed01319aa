#include "lbnode/node/db_command.h"

#include "lbnode/crypto/crypto.h"
#include "lbnode/node/run_dir.h"
#include "replication/database.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 200 /* nobody waits for a running node to end */
};

static int fail(const struct error *error)
{
    fprintf(stderr, "lbnode: %s\n", error->text);
    return error_exit_code(error->kind);
}

static int verify(const char *state_dir)
{
    struct database_report report;
    struct error error = {0};
    if (!database_verify(state_dir, &report, &error))
        return fail(&error);
    printf("%zu changes, %zu of them verified; %zu facets compared\nstate hash %s\n",
           report.records, report.applied, report.rows, report.state_hash);
    if (report.bad == 0) {
        printf("the store is in order\n");
        return 0;
    }
    printf("%zu thing%s wrong; the first: %s\n", report.bad, report.bad == 1 ? " is" : "s are",
           report.first_bad);
    return 1;
}

static int rebuild(const char *state_dir)
{
    struct database_report report;
    struct error error = {0};
    if (!database_rebuild(state_dir, &report, &error))
        return fail(&error);
    if (report.first_bad[0])
        printf("%s\n", report.first_bad);
    printf("%zu facets made anew from %zu of %zu changes\nstate hash %s\n", report.rows,
           report.applied, report.records, report.state_hash);
    return 0;
}

/* The same options as lbnode run, since they tell where the node lives. */
static bool load_settings(struct node_settings *out, int argc, char **argv, struct error *error)
{
    struct settings_surroundings surroundings;
    settings_surroundings_read(&surroundings);
    return settings_load(out, &surroundings, argc, (const char *const *)argv, error);
}

int db_lock_stopped_node(struct node_settings *out, int argc, char **argv, struct error *error)
{
    if (!load_settings(out, argc, argv, error))
        return -1;
    if (access(out->state_dir, F_OK) == 0)
        return run_dir_lock(out->state_dir, "--state-dir", LOCK_WAIT_MS, error);
    error_set(error, ERROR_NOT_FOUND,
              "there is no node in %s; name its directory with --state-dir", out->state_dir);
    return -1;
}

int db_command(int argc, char **argv)
{
    struct node_settings settings;
    struct error error = {0};
    bool rebuilds = argc > 0 && strcmp(argv[0], "rebuild") == 0;
    if (!rebuilds && (argc == 0 || strcmp(argv[0], "verify") != 0)) {
        fprintf(stderr, "usage: lbnode db verify|rebuild [--state-dir DIR] [--config FILE]\n");
        return 2;
    }
    int lock = db_lock_stopped_node(&settings, argc - 1, argv + 1, &error);
    if (lock < 0)
        return fail(&error);
    crypto_start();
    int status = rebuilds ? rebuild(settings.state_dir) : verify(settings.state_dir);
    close(lock);
    return status;
}
