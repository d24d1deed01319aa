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

#endif
