/* The supervisor: starts the node's processes, starts them again when they die, keeps what a
 * restarted one needs (listening sockets, the last snapshot, the election's configuration), and
 * relays fixed-size messages between them. It is small, has one thread, and reads nothing from
 * the network. Which functions the processes run is a parameter, so that tests bring their own.
 */
#ifndef LBNODE_NODE_SUPERVISOR_H
#define LBNODE_NODE_SUPERVISOR_H

#include "lbnode/model/process.h"
#include "lbnode/node/privileges.h"

enum {
    /* Exit status of a control process that cannot work with what it finds (a damaged store, a
     * taken port). Before the node was ever ready this ends the node; later it is a death like
     * any other. */
    EXIT_UNUSABLE = 3,
    SUPERVISOR_MAXIMUM_LOCKS = 2,
    SUPERVISOR_DRAIN_MS = 2000,
    SUPERVISOR_CHECK_SIZE = 256,
    SUPERVISOR_PROXY_AWAY_MS = 500,
#ifdef LBNODE_POISON
    SUPERVISOR_PROVEN_AFTER_MS = 3000, /* a test does not wait for a minute */
#else
    SUPERVISOR_PROVEN_AFTER_MS = 60000,
#endif
};

/* Runs in a forked child; the result is the exit status. ARGUMENT is the program's own. */
typedef int supervisor_program(const struct process_context *context, const void *argument);

struct vrrp_last_words;

struct supervisor_settings {
    /* NULL: this process is not part of the node (vrrp without the rights for it). */
    struct {
        supervisor_program *run;
        const void *argument;
    } programs[PROCESS_ROLE_COUNT];
    uint32_t worker_count;
    uint64_t incarnation;
    /* Locks that every process of the node keeps open, so that no other node starts on the same
     * directories before the last one is gone. */
    int lock_fds[SUPERVISOR_MAXIMUM_LOCKS];
    size_t lock_count;
    struct icmp_sockets icmp; /* for each health process */
    const char *run_dir;      /* for the files of run_dir.h; NULL: none are written */
    struct privileges_user user;
    bool keep_privileges;      /* tests: no process gives anything up */
    const char *check_command; /* words; the first is a path. NULL or "": none */
    uint32_t check_interval_ms;
    uint32_t drain_ms;
    uint32_t proven_after_ms; /* a snapshot that ran so long is trusted */
    uint32_t proxy_away_ms;   /* so long it may be away before the node is ineligible */
    uint32_t hang_check_ms;   /* HANG_CHECK_MS of hang_watch.h, but for tests */
    /* Takes an address away that a dead vrrp process left behind. */
    int (*remove_address)(const struct message_vrrp_owned *owned);
    /* Speaks in the name of a dead vrrp process (vrrp/vrrp.h). */
    void (*speak_for_dead)(const struct vrrp_last_words *words);
};

/* Returns when SIGTERM, SIGINT or SIGHUP asked for an orderly end and all processes are gone:
 * 0, or 1 when the node could not start. */
int supervisor_run(const struct supervisor_settings *settings);

#endif
