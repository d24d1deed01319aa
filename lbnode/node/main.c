/* lbnode run: the daemon; everything else: the command line. */
#include "lbnode/cli/cli.h"
#include "lbnode/node/node_run.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        return node_run(argc - 2, argv + 2);
    return cli_main(argc, argv);
}
