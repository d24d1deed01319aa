#include "vrrp/host_sockets.h"

#include "lbnode/base/monotime.h"
#include "vrrp/vrrp_router_io.h"

#include <stdio.h>

void host_sockets_listen(struct vrrp_host *host)
{
    const struct interface *links[VRID_WATCH_INTERFACES];
    size_t count = host->privileged ? vrid_watch_choose(&host->table, links) : 0;
    int error;
    for (size_t i = 0; i < count; i++) {
        vrrp_host_socket(host, links[i], 4, &error);
        vrrp_host_socket(host, links[i], 6, &error);
    }
}

static bool is_among(const struct interface *const links[], size_t count, unsigned index)
{
    size_t i = 0;
    while (i < count && links[i]->index != index)
        i++;
    return i < count;
}

static void close_unused(struct vrrp_host *host)
{
    for (struct vrrp_socket **at = &host->sockets; *at;) {
        struct vrrp_socket *socket = *at;
        if (socket->used) {
            at = &socket->next;
        } else {
            *at = socket->next;
            vrrp_socket_close(socket);
        }
    }
}

void host_sockets_sweep(struct vrrp_host *host, const struct vrrp_router *routers)
{
    const struct interface *links[VRID_WATCH_INTERFACES];
    size_t count = vrid_watch_choose(&host->table, links);
    for (struct vrrp_socket *socket = host->sockets; socket; socket = socket->next)
        socket->used = is_among(links, count, socket->interface_index);
    for (; routers; routers = routers->next) {
        if (routers->socket)
            routers->socket->used = true;
    }
    close_unused(host);
}

void host_sockets_close(struct vrrp_host *host)
{
    for (struct vrrp_socket *socket = host->sockets; socket; socket = socket->next)
        socket->used = false;
    close_unused(host);
}

void host_sockets_note_vrid(struct vrrp_host *host,
                            struct vrid_watch *watch,
                            const struct vrrp_socket *socket,
                            const struct vrrp_envelope *envelope,
                            struct bytes message)
{
    const struct ip_address *source = &envelope->source;
    if (message.size < 2 ||
        !vrid_watch_note(watch, message.data[1], source, monotime_now_us()) ||
        interface_table_with(&host->table, source))
        return;
    const struct interface *interface =
        interface_table_by_index(&host->table, socket->interface_index);
    struct message_vrid_heard heard = MESSAGE_OF(VRID_HEARD, struct message_vrid_heard);
    heard.source = *source;
    heard.vrid = message.data[1];
    heard.version = message.data[0] >> 4;
    heard.is_node = vrrp_config_has_peer(&host->config, source);
    snprintf(heard.interface, sizeof(heard.interface), "%s", interface ? interface->name : "");
    if (host->report.channel)
        channel_send(host->report.channel, &heard.header, NULL, 0);
}
