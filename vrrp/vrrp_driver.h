/* The vrrp process without its main: takes the supervisor's messages, keeps the virtual
 * routers, and fires their timers. */
#ifndef VRRP_VRRP_DRIVER_H
#define VRRP_VRRP_DRIVER_H

#include "lbnode/loop/loop.h"

struct vrrp_driver;

struct vrrp_driver_options {
    struct loop *loop;
    int channel_fd;  /* taken over */
    bool privileged; /* has NET_ADMIN and NET_RAW */
};

/* NULL with OUT_ERROR (-errno) when sockets or memory are out. */
struct vrrp_driver *vrrp_driver_new(const struct vrrp_driver_options *options, int *out_error);
/* Runs the loop until the supervisor says stop or is gone, or SIGTERM; resigns before it
 * returns.
 */
void vrrp_driver_run(struct vrrp_driver *driver);
void vrrp_driver_free(struct vrrp_driver *driver); /* NULL-safe */

#endif
