/* What the supervisor hands to the main function of each child process. */
#ifndef LBNODE_MODEL_PROCESS_H
#define LBNODE_MODEL_PROCESS_H

#include "lbnode/model/message.h"

struct verdict_board;
struct counter_board;

/* For echo requests (health/icmp_sockets.h); a descriptor is 0 where there is none. */
struct icmp_sockets {
    int fds[2]; /* IPv4, IPv6 */
    uint16_t identifier;
};

struct process_context {
    int channel_fd; /* own end of the channel to the supervisor; taken over */
    /* Shared; NULL in a process that has nothing to do with them (vrrp; counters in health). */
    struct verdict_board *verdicts; /* written by health only */
    struct counter_board *counters; /* written by proxy only */
    uint32_t worker_count;          /* of the proxy: threads = sockets per listener, 1..64 */
    uint64_t buffer_memory;         /* bytes that the proxy's buffers may take; 0: no bound */
    uint64_t incarnation;           /* of this start of the node, wall ms at least */
    int node_key_fd; /* control: the credential node.key, taken over; 0: there is none */
    struct icmp_sockets icmp; /* health; the supervisor has them open, too */
};

/* Each returns the exit status of its process: 0 after MESSAGE_STOP or the end of the channel.
 *   int vrrp_main(const struct process_context *);      vrrp/vrrp.h
 *   int health_main(const struct process_context *);    health/health.h
 *   int proxy_main(const struct process_context *);     proxy/proxy.h
 *   int control_main(const struct process_context *, const struct node_settings *); lbnode/node
 */

#endif
