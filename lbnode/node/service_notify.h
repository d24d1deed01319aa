/* What the service manager is told, by a datagram to the socket that it named in NOTIFY_SOCKET
 * (sd_notify(3)). The library for it would bring six others into every process. */
#ifndef LBNODE_NODE_SERVICE_NOTIFY_H
#define LBNODE_NODE_SERVICE_NOTIFY_H

/* STATE as in sd_notify(3), such as "READY=1". Never waits. 0, also when nobody wants to know;
 * -errno. */
int service_notify(const char *state);

#endif
