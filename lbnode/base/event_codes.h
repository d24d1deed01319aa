/* The stable event codes: every code that a node can report, defined once in event_codes.c. */
#ifndef LBNODE_BASE_EVENT_CODES_H
#define LBNODE_BASE_EVENT_CODES_H

enum event_level {
    EVENT_INFO,
    EVENT_WARNING,
    EVENT_ERROR
};

/* code, level, what it means and what to do */
#define EVENT_CODES(ROW)                                                                       \
    ROW(NODE_STARTED, INFO, "the node's processes are running")                                \
    ROW(NODE_STOPPING, INFO, "the node is stopping in an orderly way")                         \
    ROW(PROCESS_DIED, ERROR, "a process ended unexpectedly and is started again")              \
    ROW(PROCESS_HUNG, ERROR, "a process did not respond for too long and was killed")          \
    ROW(PROCESS_RESTARTED, INFO, "a process that had died is running again")                   \
    ROW(VRRP_RESIGNED, ERROR,                                                                  \
        "the vrrp process died twice in a minute; the addresses were given up")                \
    ROW(POOL_FAILS_OPEN, WARNING,                                                              \
        "fewer members than fail_open_percent are usable; all members of the pool get "        \
        "traffic")                                                                             \
    ROW(POOL_FAILS_OPEN_NO_MORE, INFO,                                                         \
        "enough members of a pool are usable again; only these get traffic")                   \
    ROW(SNAPSHOT_ACTIVE, INFO, "the proxy runs a new configuration")                           \
    ROW(SNAPSHOT_REJECTED, ERROR,                                                              \
        "a configuration could not be used; the last good one serves")                         \
    ROW(POISON_CONFIG, ERROR, "a configuration crashes a process; the last good one serves")   \
    ROW(BIND_FAILED, ERROR,                                                                    \
        "a listener's port could not be bound on this node; see who has it")                   \
    ROW(BIND_RESTORED, INFO, "a listener's port could be bound after all")                     \
    ROW(VIP_ACTIVE, INFO, "this node took the addresses of a VRRP group")                      \
    ROW(VIP_BACKUP, INFO, "this node stands by for a VRRP group")                              \
    ROW(VIP_REPLACED, WARNING, "an address that somebody else removed was put back")           \
    ROW(VIP_CLAIMED, WARNING,                                                                  \
        "another machine says that an address of ours is its own; we announced again")         \
    ROW(VIP_NO_INTERFACE, ERROR, "no interface of this node can carry an address")             \
    ROW(VIP_FAILED, ERROR, "an address could not be added; the text says why")                 \
    ROW(VRRP_FAULT, ERROR,                                                                     \
        "this node cannot serve its addresses and stays out of the election")                  \
    ROW(VIP_HINDERED, WARNING,                                                                 \
        "something speaks against this node being active; it serves while no other can")       \
    ROW(VIP_UNHINDERED, INFO, "nothing speaks against this node being active any more")        \
    ROW(VRRP_FALSE_TAKEOVER, WARNING,                                                          \
        "this node took over from a node that was alive; its dead time is doubled for a "      \
        "while")                                                                               \
    ROW(SWITCH_ASKED, INFO, "another node asked this one to give addresses away")              \
    ROW(VRRP_NO_TAKER, WARNING, "a planned switch was given up: no node took over")            \
    ROW(VRRP_DEMOTED, WARNING,                                                                 \
        "gossip proved that a better node is active too; this one gave the addresses up")      \
    ROW(VRRP_FOREIGN, WARNING,                                                                 \
        "somebody who is no node of the roster uses a VRID of ours, with any protocol")        \
    ROW(VRRP_BAD_PACKET, WARNING, "a malformed or unknown VRRP packet was dropped")            \
    ROW(MEMBER_ONLINE, INFO, "a member answers its health monitor")                            \
    ROW(MEMBER_ERROR, WARNING, "a member fails its health monitor")                            \
    ROW(PATH_ASYMMETRY, WARNING, "nodes differ about a member for long")                       \
    ROW(PATH_SYMMETRY, INFO, "they agree about it again")                                      \
    ROW(CONFIG_CHANGED, INFO, "a configuration change was committed")                          \
    ROW(CONFLICT_OPENED, WARNING,                                                              \
        "two nodes changed the same thing at once; see lbnode conflicts")                      \
    ROW(CONFLICT_CLOSED, INFO, "an open conflict was resolved")                                \
    ROW(CHANGE_UNDONE, WARNING, "a change that nobody confirmed in time was undone")           \
    ROW(UNDO_FAILED, ERROR,                                                                    \
        "a change that nobody confirmed could not be undone; the text says why")               \
    ROW(PEER_ALIVE, INFO, "another node answers")                                              \
    ROW(PEER_UNREACHABLE, WARNING, "another node does not answer")                             \
    ROW(LINK_DOWN, WARNING, "another node hears a peer that this one does not hear")           \
    ROW(ONE_WAY, WARNING, "a peer that this node hears does not hear it")                      \
    ROW(TRANSMIT_DEAD, ERROR, "no peer hears this node although it hears them")                \
    ROW(DUAL_ACTIVE, ERROR, "two nodes are active for one VRRP group")                         \
    ROW(NO_ACTIVE, ERROR, "all nodes answer and none is active for a VRRP group")              \
    ROW(NODE_JOINED, INFO, "a node joined the cluster")                                        \
    ROW(NODE_FINGERPRINT, INFO, "the six words that both sides of a join show")                \
    ROW(NODE_REKEYED, INFO, "a node has a new key")                                            \
    ROW(NODE_REMOVED, WARNING, "a node was removed from the cluster")                          \
    ROW(NODE_SPOILT, WARNING,                                                                  \
        "attributes of a node are unreadable and their defaults hold; set them again")         \
    ROW(CHANGES_VOIDED, WARNING, "changes of a removed node were taken back")                  \
    ROW(JOIN_REFUSED, WARNING, "somebody tried to join with a wrong, old or used token")       \
    ROW(KEY_CREATED, INFO,                                                                     \
        "a new secret key of the cluster goes to all nodes; see lbnode cluster show")          \
    ROW(KEY_RETIRED, INFO,                                                                     \
        "all nodes have a newer key, and an old one opens nothing any more")                   \
    ROW(GOSSIP_FORGED, WARNING, "a gossip message did not verify and was dropped")             \
    ROW(GOSSIP_DOWNGRADE, WARNING,                                                             \
        "a gossip message came unencrypted in the name of a node that encrypts; dropped")      \
    ROW(GOSSIP_INCOMPATIBLE, WARNING,                                                          \
        "another node speaks no version of the protocol that this one does; upgrade it")       \
    ROW(EQUIVOCATION, ERROR, "one node signed two different changes with the same number")     \
    ROW(NODE_CLONED, ERROR,                                                                    \
        "one node runs twice: its disk was copied; let one of them join anew")                 \
    ROW(STORAGE_DEGRADED, ERROR,                                                               \
        "the store refuses writes; free disk space or replace the disk")                       \
    ROW(STORAGE_RECOVERED, INFO, "the store accepts writes again")                             \
    ROW(STORAGE_QUARANTINED, ERROR,                                                            \
        "the store was damaged and set aside; the text says what came back; check the disk")   \
    ROW(BOOTSTRAP_STARTED, INFO,                                                               \
        "this node lacks so much that it takes the whole state from a peer")                   \
    ROW(BOOTSTRAP_DONE, INFO, "this node has the whole state of a peer")                       \
    ROW(BOOTSTRAP_FAILED, WARNING,                                                             \
        "the state from a peer was incomplete or wrong; another attempt follows")              \
    ROW(DIVERGENCE, ERROR, "two nodes with the same changes have different state")             \
    ROW(RETENTION_BLOCKED, WARNING,                                                            \
        "a node that is away keeps old changes and deleted objects from being cleaned up")     \
    ROW(CLOCK_SKEW, WARNING, "this node's clock differs from a peer's by more than 5 seconds") \
    ROW(PROXY_STRAINED, WARNING,                                                               \
        "the proxy lacks descriptors, places or memory; new clients wait or are turned away")  \
    ROW(PROXY_RELIEVED, INFO, "the proxy has what it lacked; new clients are served again")

enum event_code {
#define EVENT_CODE_ENUM(name, level, meaning) EVENT_##name,
    EVENT_CODES(EVENT_CODE_ENUM)
#undef EVENT_CODE_ENUM
    EVENT_CODE_COUNT
};

/* NULL-safe: an unknown code reads "UNKNOWN". */
const char *event_code_name(enum event_code code);
const char *event_code_meaning(enum event_code code);
enum event_level event_code_level(enum event_code code);
const char *event_level_name(enum event_level level);

#endif
