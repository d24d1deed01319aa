/* Who may do what on this host: the only place that touches capabilities and user ids. Each
 * process of the node calls privileges_drop once, right after the fork, and keeps for the rest
 * of its life only what its row in the table of privileges.c says. */
#ifndef LBNODE_NODE_PRIVILEGES_H
#define LBNODE_NODE_PRIVILEGES_H

#include "lbnode/base/error.h"
#include "lbnode/model/message.h"

#include <stdbool.h>
#include <sys/types.h>

struct privileges_user {
    bool found; /* false: processes keep the uid they were started with */
    uid_t uid;
    gid_t gid;
};

/* The account of the unprivileged processes. NAME "" means lbnode, which need not exist; any
 * other name must. Not for root: nothing is looked up, since nothing can be changed. */
bool privileges_find_user(const char *name, struct privileges_user *out, struct error *error);

/* May this process carry virtual addresses (NET_ADMIN and NET_RAW)? */
bool privileges_can_manage_addresses(void);

/* For every process of this program, before it reads anything: no core dump, and no debugger of
 * the same account, shows its memory. */
void privileges_hide_memory(void);

/* Gives up everything that ROLE does not need, for good. Control, health and proxy also change
 * to USER. Memory that was hidden stays so. 0 or -errno. */
int privileges_drop(enum process_role role, const struct privileges_user *user);

/* Gives up everything but the right to end processes of other accounts. 0 or -errno. */
int privileges_keep_kill(void);

/* Makes DIRECTORY (and what is missing above it). The state directory is USER's alone. The run
 * directory stays the supervisor's and USER's group may write there, because the supervisor
 * keeps no right to override file permissions; the sticky bit protects its files. */
bool privileges_prepare_state_dir(const char *directory,
                                  const struct privileges_user *user,
                                  struct error *error);
bool privileges_prepare_run_dir(const char *directory,
                                const struct privileges_user *user,
                                struct error *error);

#endif
