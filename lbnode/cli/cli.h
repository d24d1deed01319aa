/* The command line: a table of commands that talk HTTP+JSON to the daemon's Unix socket. */
#ifndef LBNODE_CLI_CLI_H
#define LBNODE_CLI_CLI_H

/* Runs one command and returns its exit code (0 ok, 1 failed, 2 usage, 3 not found, 4 conflict,
 * 5 refused, 6 --require-replica not met, 7 daemon unreachable). `run` is not handled here. */
int cli_main(int argc, char **argv);

#endif
