/* lbnode run: the daemon; lbnode db: its store while it is not running; everything else: the
 * command line. */
#include "lbnode/cli/cli.h"
#include "lbnode/node/db_command.h"
#include "lbnode/node/node_run.h"

#include <stdbool.h>
#include <string.h>

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        return node_run(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "db") == 0 && !asks_for_help(argc, argv))
        return db_command(argc - 2, argv + 2);
    return cli_main(argc, argv);
}
