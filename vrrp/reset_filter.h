/* Keeps this host from sending TCP resets from the given addresses, by a packet filter on the
 * way out of an interface (tc: clsact, cls_bpf). */
#ifndef VRRP_RESET_FILTER_H
#define VRRP_RESET_FILTER_H

#include <linux/filter.h>
#include <stddef.h>

/* 0 or -errno (-ENOENT, -EOPNOTSUPP: the kernel has no such filters). Replaces an earlier one
 * of the same interface and FAMILY. */
int reset_filter_add(unsigned interface_index,
                     unsigned char family,
                     const struct sock_filter *program,
                     size_t length);
/* Harmless where there is none. */
int reset_filter_remove(unsigned interface_index, unsigned char family);

#endif
