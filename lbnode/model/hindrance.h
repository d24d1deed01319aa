/* What can speak against a node being active for a VRRP group: one table of kinds, with the
 * words for people. Numbers go into heartbeats (docs/protocol.md), so new kinds come last. */
#ifndef LBNODE_MODEL_HINDRANCE_H
#define LBNODE_MODEL_HINDRANCE_H

#include <stdbool.h>

/* What a hindered node does. */
enum hindrance_effect {
    HINDRANCE_OUT,    /* it cannot serve: it leaves the election */
    HINDRANCE_YIELDS, /* it hands over to a node without hindrance, and serves if there is none
                       */
    HINDRANCE_WAITS,  /* it takes nothing over from a living node; an active one stays active */
};

/* kind, effect, what is wrong, what to do about it on that node */
#define HINDRANCES(ROW)                                                                        \
    ROW(NONE, WAITS, "", "")                                                                   \
    ROW(PROXY, OUT, "its proxy does not run", "lbnode events tells why it ends")               \
    ROW(INTERFACE, OUT, "its interface is missing or down",                                    \
        "look at the cable and at ip link")                                                    \
    ROW(ADDRESS, OUT, "its interface has no address to send from",                             \
        "give the interface an address")                                                       \
    ROW(RIGHTS, OUT, "its vrrp process lacks rights",                                          \
        "run the node as root or with NET_ADMIN and NET_RAW")                                  \
    ROW(DRAINED, YIELDS, "it is drained", "lbnode node undrain")                               \
    ROW(BIND, YIELDS, "it cannot bind a listener's port",                                      \
        "ss -ltnp shows which program has the port")                                           \
    ROW(GATEWAY, YIELDS, "it does not reach the group's gateway",                              \
        "look at the network behind its interface")                                            \
    ROW(COMMAND, YIELDS, "its check command fails", "run the check_command of its node.yaml")  \
    ROW(UNSYNCED, WAITS, "its configuration may be old",                                       \
        "wait; lbnode node list shows how far it is")                                          \
    ROW(COLD, WAITS, "it does not know the members' state yet", "wait some seconds")           \
    ROW(UNHEARD, OUT, "no other node hears it", "look at its network: what it sends is lost")  \
    ROW(STOPPING, OUT, "it is stopping", "start it again when it has ended")

enum hindrance {
#define HINDRANCE_ENUM(kind, effect, words, remedy) HINDRANCE_IS_##kind,
    HINDRANCES(HINDRANCE_ENUM)
#undef HINDRANCE_ENUM
    HINDRANCE_COUNT
};

/* Words for an unknown number (a newer node's) too. */
const char *hindrance_words(unsigned kind);
const char *hindrance_remedy(unsigned kind);
enum hindrance_effect hindrance_effect(unsigned kind);
/* "bind", "unsynced", ...; "none" */
const char *hindrance_name(unsigned kind);

#endif
