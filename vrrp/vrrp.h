/* The election process: VRRPv3 (RFC 9568), virtual addresses, gratuitous ARP and unsolicited
 * NA. Keeps NET_ADMIN and NET_RAW; parses VRRP, ARP and ND only. Everything else comes and goes
 * as fixed-size messages on the channel (lbnode/model/message.h). */
#ifndef VRRP_VRRP_H
#define VRRP_VRRP_H

#include "lbnode/model/process.h"

int vrrp_main(const struct process_context *context);

/* Removes the addresses that a dead vrrp process left behind; for the supervisor. 0 or -errno.
 */
int vip_address_remove(const struct message_vrrp_owned *owned);

/* Told of each address that vip_release takes away: RESULT 0 or -errno. */
typedef void vip_released(void *context,
                          const struct ip_address *address,
                          unsigned interface_index,
                          int result);
/* Removes every virtual address that lbnode put on an interface of this host, also when nobody
 * remembers doing so. 0 or -errno: they could not be looked for. */
int vip_release(vip_released *released, void *context);

/* What the supervisor knows of a vrrp process that died. */
struct vrrp_last_words {
    const struct message_vrrp_status *statuses; /* the last of each group and family */
    size_t status_count;
    const union message_buffer *set; /* the last whole configuration */
    size_t set_count;
    bool resign; /* false: one more advert, to bridge the time until it runs again */
};

/* Sends one advert for each group that was active here. Needs NET_RAW; failures are silent,
 * since the peers' dead time is the remedy. */
void vrrp_speak_for_dead(const struct vrrp_last_words *words);

#endif
