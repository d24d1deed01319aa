/* A few nodes with sessions, and a network between them that loses, delays and keeps what it
 * carries. Virtual time; a seed decides everything. */
#ifndef TESTS_UNIT_REPLICATION_SESSION_NET_H
#define TESTS_UNIT_REPLICATION_SESSION_NET_H

#include "lbnode/base/random.h"
#include "replication/session_internal.h"

enum {
    NET_NODES = 3,
    NET_DATAGRAM = 256,
    NET_QUEUE = 512,
    NET_RECORDED = 4096
};

struct net_datagram {
    int from, to;
    uint64_t due_us;
    size_t size;
    uint8_t bytes[NET_DATAGRAM];
};

struct net_node {
    struct net *net;
    struct sessions *sessions;
    struct uuid id;
    struct dh_key key;
    uint64_t incarnation, number;             /* number: with which its sessions begin */
    struct session_source sources[NET_NODES]; /* one address each */
    bool is_off;                              /* neither ticks nor receives */
    uint64_t heard;                           /* frames that came */
    bool sends;                               /* something to each peer every 200 ms */
};

struct net {
    uint64_t now_us;
    struct random_sequence random;
    struct net_node nodes[NET_NODES];
    int count; /* of nodes that know each other */
    unsigned loss_percent;
    uint64_t delay_us, jitter_us;
    bool is_cut;
    struct net_datagram queue[NET_QUEUE];
    size_t queued;
    struct net_datagram recorded[NET_RECORDED]; /* all that was sent */
    size_t recorded_count;
};

struct net *net_new(int count, uint64_t seed);
void net_free(struct net *net);
/* Sessions anew, as after a restart: a higher incarnation, the same key and roster. */
void net_restart(struct net *net, int number);
void net_set_secrets(struct net *net, int number, uint16_t first, uint16_t last, uint16_t use);
void net_send(struct net *net, int from, int to, struct bytes bytes);
/* Lets TIME_US pass. */
void net_run(struct net *net, uint64_t time_us);
/* Hands bytes to a node at once, from an address that all share and nobody used before; no
 * reply goes out. */
struct session_received net_hand(struct net *net, int to, struct bytes bytes);
int net_place(const struct net *net, int of, int peer);
struct session_peer *net_peer(const struct net *net, int of, int peer);
/* Both have the same session in use. */
bool net_agrees(const struct net *net, int a, int b);
/* A sealed text for the peer; its size. */
size_t net_seal(struct net *net, int from, int to, const char *text, uint8_t *out);

#endif
