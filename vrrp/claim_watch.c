#include "vrrp/claim_watch.h"

#include "vrrp/guard_program.h"
#include "vrrp/slow_close.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FRAME_ROOM = 256,
    FRAMES_PER_TURN = 64,
    ARP_END = 42,
    ARP_SENDER_MAC = 22,
    ARP_SENDER = 28,
    ND_TYPE = 54,
    ND_TARGET = 62,
    ND_END = 78,
    ND_ADVERTISEMENT = 136,
};

struct claim_watch {
    struct loop_io io;
    uint8_t family;
    struct claim_watch_handler handler;
};

bool claim_read(struct bytes frame, struct ip_address *out_address, uint8_t out_mac[MAC_SIZE])
{
    const uint8_t *data = frame.data;
    if (frame.size >= ARP_END && load_be16(data + 12) == ETH_P_ARP) {
        *out_address = (struct ip_address){.family = 4};
        memcpy(out_address->bytes, data + ARP_SENDER, 4);
        memcpy(out_mac, data + ARP_SENDER_MAC, MAC_SIZE);
        return true;
    }
    if (frame.size < ND_END || load_be16(data + 12) != ETH_P_IPV6 ||
        data[ND_TYPE] != ND_ADVERTISEMENT)
        return false;
    *out_address = (struct ip_address){.family = 6};
    memcpy(out_address->bytes, data + ND_TARGET, 16);
    memcpy(out_mac, data + MAC_SIZE, MAC_SIZE); /* the frame's sender */
    return true;
}

/* False when nothing is left. */
static bool take_frame(struct claim_watch *watch)
{
    uint8_t frame[FRAME_ROOM], mac[MAC_SIZE];
    struct sockaddr_ll from = {0};
    socklen_t from_size = sizeof(from);
    struct ip_address address;
    ssize_t size =
        recvfrom(watch->io.fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &from_size);
    if (size < 0)
        return errno == EINTR;
    if (claim_read((struct bytes){frame, (size_t)size}, &address, mac))
        watch->handler.on_claim(watch->handler.context, (unsigned)from.sll_ifindex, &address,
                                mac);
    return true;
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct claim_watch *watch = CONTAINER_OF(io, struct claim_watch, io);
    for (int i = 0; i < FRAMES_PER_TURN && take_frame(watch); i++)
        continue;
}

int claim_watch_set(struct claim_watch *watch, const struct ip_address *addresses, size_t count)
{
    struct sock_filter program[GUARD_PROGRAM_MAXIMUM];
    struct sock_fprog filter = {.filter = program};
    filter.len = (unsigned short)guard_program_build(GUARD_PROGRAM_CLAIMS, watch->family,
                                                     addresses, count, program);
    return setsockopt(watch->io.fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0
               ? 0
               : -errno;
}

static int start(struct claim_watch *watch, struct loop *loop)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(watch->family == 4 ? ETH_P_ARP : ETH_P_IPV6),
    };
    watch->io.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (watch->io.fd < 0)
        return -errno;
    int rv = claim_watch_set(watch, NULL, 0);
    if (rv == 0 && bind(watch->io.fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        rv = -errno;
    return rv ? rv : loop_io_start(loop, &watch->io, watch->io.fd, LOOP_READABLE, on_ready);
}

int claim_watch_open(struct loop *loop,
                     uint8_t family,
                     const struct claim_watch_handler *handler,
                     struct claim_watch **out)
{
    struct claim_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->family = family;
    watch->handler = *handler;
    int rv = start(watch, loop);
    if (rv != 0) {
        claim_watch_close(watch);
        return rv;
    }
    *out = watch;
    return 0;
}

void claim_watch_close(struct claim_watch *watch)
{
    if (!watch)
        return;
    loop_io_stop(&watch->io);
    if (watch->io.fd >= 0)
        slow_close(watch->io.fd);
    free(watch);
}
