/* Bytes both ways as they come: TCP listeners, and HTTP connections after an upgrade. */
#ifndef PROXY_RELAY_TCP_H
#define PROXY_RELAY_TCP_H

#include "proxy/client_connection.h"

struct snapshot_listener;

enum {
    RELAY_TUNNEL_IDLE_MS = 3600 * 1000, /* after an upgrade */
    RELAY_HALF_CLOSED_MS = 30000,
    RELAY_DRAIN_IDLE_MS = 5000 /* without a byte, once the member is down and drains */
};

/* A fresh TCP connection: dispatches it at once. */
void relay_tcp_start(struct client *client, const struct snapshot_listener *listener);
/* The member agreed to an upgrade: takes the exchange's connection and buffers over. */
void relay_from_exchange(struct client *client);
/* Aborts the member's side and gives all back; NULL-safe. */
void relay_free(struct relay *relay);
size_t relay_object_size(void);

#endif
