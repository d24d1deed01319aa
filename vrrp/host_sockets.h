/* The raw sockets of this host: which interfaces are listened to, and which VRIDs are heard. */
#ifndef VRRP_HOST_SOCKETS_H
#define VRRP_HOST_SOCKETS_H

#include "vrrp/vrid_watch.h"
#include "vrrp/vrrp_router.h"

/* Opens those of interfaces where no group is yet: whoever makes one wants to know which VRIDs
 * are taken. */
void host_sockets_listen(struct vrrp_host *host);
/* Closes those that nobody needs: interfaces that went away take their sockets along. */
void host_sockets_sweep(struct vrrp_host *host, const struct vrrp_router *routers);
void host_sockets_close(struct vrrp_host *host);
/* A packet came in; tells control when its VRID is news. */
void host_sockets_note_vrid(struct vrrp_host *host,
                            struct vrid_watch *watch,
                            const struct vrrp_socket *socket,
                            const struct vrrp_envelope *envelope,
                            struct bytes message);

#endif
