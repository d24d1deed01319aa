/* lbnode run: the daemon; lbnode db, lbnode cluster recover: its store while it is not running;
 * lbnode backup, restore: its store in a file; lbnode vip: addresses without the daemon;
 * everything else: the command line. */
#include "lbnode/base/bytes.h"
#include "lbnode/cli/cli.h"
#include "lbnode/node/backup_command.h"
#include "lbnode/node/db_command.h"
#include "lbnode/node/node_run.h"
#include "lbnode/node/privileges.h"
#include "lbnode/node/recover_command.h"
#include "lbnode/node/vip_command.h"

#include <stdbool.h>
#include <string.h>

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* The commands that need more than the command line's libraries. */
static const struct {
    const char *noun, *verb; /* verb: NULL: all of them, and the command reads it */
    int (*run)(int argc, char **argv);
} commands[] = {
    {"backup", NULL, backup_command}, {"cluster", "recover", recover_command},
    {"db", NULL, db_command},         {"restore", NULL, restore_command},
    {"vip", NULL, vip_command},
};

int main(int argc, char **argv)
{
    privileges_hide_memory();
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        return node_run(argc - 2, argv + 2);
    for (size_t i = 0; argc > 1 && i < ARRAY_LENGTH(commands); i++) {
        const char *verb = commands[i].verb;
        int words = verb ? 3 : 2;
        if (strcmp(argv[1], commands[i].noun) == 0 && !asks_for_help(argc, argv) &&
            (!verb || (argc > 2 && strcmp(argv[2], verb) == 0)))
            return commands[i].run(argc - words, argv + words);
    }
    return cli_main(argc, argv);
}
