/* An attacker on the wire: `flood INTERFACE RATE SECONDS` sends the Ethernet frames that it
 * reads from its input (each after its length, u16) over and over, RATE of them a second, and
 * prints how many went out in how many milliseconds. The frames say whose address they come
 * from: no socket stands behind it. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAMES = 16384,
    FRAME_BYTES = 1514,
    BATCH = 100,
    BATCH_MINIMUM = 25
};

struct frame {
    size_t size;
    uint8_t bytes[FRAME_BYTES];
};

struct flood {
    struct frame *frames;
    size_t count, next;
    int fd;
    uint64_t sent;
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static size_t read_frames(struct frame *frames)
{
    size_t count = 0;
    uint8_t length[2];
    while (count < FRAMES && fread(length, sizeof(length), 1, stdin) == 1) {
        struct frame *frame = &frames[count++];
        frame->size = (size_t)length[0] << 8 | length[1];
        if (frame->size == 0 || frame->size > FRAME_BYTES ||
            fread(frame->bytes, frame->size, 1, stdin) != 1)
            return 0;
    }
    return count;
}

static int open_wire(const char *interface)
{
    const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                        .sll_ifindex = (int)if_nametoindex(interface)};
    const int on = 1;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* 0: receives nothing */
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return -1;
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
    return fd;
}

/* Sends the next COUNT frames; what the interface has no room for is not counted. */
static void send_batch(struct flood *flood, size_t count)
{
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    memset(messages, 0, sizeof(messages));
    for (size_t i = 0; i < count; i++) {
        struct frame *frame = &flood->frames[flood->next];
        flood->next = (flood->next + 1) % flood->count;
        parts[i] = (struct iovec){frame->bytes, frame->size};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(flood->fd, messages, (unsigned)count, 0);
    if (sent > 0)
        flood->sent += (uint64_t)sent;
}

/* Small batches, each when it is due; who was not let run catches up. */
static uint64_t run(struct flood *flood, uint64_t rate, uint64_t seconds)
{
    const struct timespec nap = {.tv_nsec = 100000};
    uint64_t started = now_us(), passed = 0, asked = 0;
    while ((passed = now_us() - started) < seconds * 1000000) {
        uint64_t due = passed * rate / 1000000 - asked;
        if (due < BATCH_MINIMUM) {
            nanosleep(&nap, NULL);
            continue;
        }
        size_t count = due < BATCH ? (size_t)due : BATCH;
        send_batch(flood, count);
        asked += count;
    }
    return passed;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: flood INTERFACE RATE SECONDS <frames\n", stderr);
        return 2;
    }
    struct flood flood = {.frames = calloc(FRAMES, sizeof(*flood.frames))};
    flood.count = flood.frames ? read_frames(flood.frames) : 0;
    flood.fd = open_wire(argv[1]);
    if (flood.count == 0 || flood.fd < 0) {
        fprintf(stderr, "flood: no frames, or no interface %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    uint64_t passed = run(&flood, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    printf("%llu %llu\n", (unsigned long long)flood.sent, (unsigned long long)passed / 1000);
    free(flood.frames);
    close(flood.fd);
    return 0;
}
