/* One raw socket for VRRP on one interface in one family, and one for link-layer frames. */
#ifndef VRRP_VRRP_SOCKET_H
#define VRRP_VRRP_SOCKET_H

#include "lbnode/loop/loop.h"
#include "vrrp/vrrp_packet.h"

#include <net/if.h>

struct vrrp_socket;

struct vrrp_socket_handler {
    void (*on_message)(void *context,
                       const struct vrrp_socket *socket,
                       const struct vrrp_envelope *envelope,
                       struct bytes message);
    void *context;
};

struct vrrp_socket {
    struct loop_io io;
    struct loop_io authenticated; /* IPv4: hears version 2 behind an authentication header */
    struct vrrp_socket_handler handler;
    struct vrrp_socket *next; /* for the owner's list */
    unsigned interface_index;
    uint8_t family;
    bool used; /* for the owner's sweep */
};

/* 0 or -errno (-EPERM without NET_RAW). With LOOP and HANDLER NULL it can only send; with
 * INTERFACE_NAME NULL, by any interface. */
int vrrp_socket_open(struct loop *loop,
                     const char *interface_name,
                     unsigned interface_index,
                     uint8_t family,
                     const struct vrrp_socket_handler *handler,
                     struct vrrp_socket **out);
void vrrp_socket_close(struct vrrp_socket *socket); /* NULL-safe */
/* Sends from and to the addresses of ENVELOPE. 0 or -errno. */
int vrrp_socket_send(struct vrrp_socket *socket,
                     const struct vrrp_envelope *envelope,
                     struct bytes message);
/* 224.0.0.18 or ff02::12 */
struct ip_address vrrp_multicast_address(uint8_t family);

/* A descriptor for frame_send, or -errno. */
int frame_socket_open(void);
/* FRAME begins with its Ethernet header. 0 or -errno. */
int frame_send(int fd, unsigned interface_index, const void *frame, size_t size);

#endif
