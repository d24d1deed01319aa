/* The run directory: one node per directory, and its process numbers for scripts. The state
 * directory is locked in the same way. */
#ifndef LBNODE_NODE_RUN_DIR_H
#define LBNODE_NODE_RUN_DIR_H

#include "lbnode/base/error.h"
#include "lbnode/model/message.h"

#include <sys/types.h>

/* Takes DIRECTORY/lbnode.lock, waiting up to WAIT_MS for the processes of a node that just
 * ended: the lock lasts until the last copy of the returned descriptor is closed, and the
 * children of a supervisor keep one. Negative with ERROR when another node runs there; OPTION
 * names what to give it instead. */
int run_dir_lock(const char *directory,
                 const char *option,
                 uint64_t wait_ms,
                 struct error *error);
/* DIRECTORY/lbnode.pid: this process. DIRECTORY/pids: one line "role pid" per running process.
 * Replaced as a whole. 0 or -errno. */
int run_dir_write_pids(const char *directory, const pid_t pids[PROCESS_ROLE_COUNT]);
/* At an orderly end. */
void run_dir_remove_pids(const char *directory);

#endif
