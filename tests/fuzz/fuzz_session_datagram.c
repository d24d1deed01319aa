/* Datagrams of an established session: forged ones after an even first byte, else the input is
 * what a genuine peer encrypted, frames or not. */
#include "fuzz_session.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void forged(struct fuzz_pair *pair, struct bytes bytes)
{
    uint8_t message[DATAGRAM_MAXIMUM];
    struct session_peer before = pair->nodes[1]->peers[0];
    memcpy(message, bytes.data, bytes.size);
    if (bytes.size >= 8 && message[0] == SESSION_DATA && (message[7] & 1))
        store_be32(message + 4, before.current.local); /* past the look-up */
    struct session_received received =
        fuzz_receive(pair, 1, (struct bytes){message, bytes.size});
    if (received.reply_size > 0 || received.place >= 0 ||
        memcmp(&before, &pair->nodes[1]->peers[0], sizeof(before)))
        abort();
}

static void genuine(struct fuzz_pair *pair, struct bytes plain)
{
    uint8_t sealed[DATAGRAM_MAXIMUM], room[DATAGRAM_MAXIMUM];
    struct bytes datagram = {sealed, plain.size + SESSION_DATA_OVERHEAD}, body;
    struct session_source source = fuzz_source();
    struct session_received received;
    uint32_t type;
    size_t total = 0;
    if (!sessions_seal(pair->nodes[0], FUZZ_NOW_US, 0, plain, sealed))
        abort();
    sessions_receive(pair->nodes[1], FUZZ_NOW_US, &source, datagram, room, &received);
    if (received.verdict != SESSION_OPENED || !bytes_equal(received.plain, plain))
        abort();
    struct wire_reader frames = wire_reader_of(received.plain);
    while (frame_next(&frames, &type, &body))
        total += body.size;
    if (total > plain.size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > DATAGRAM_MAXIMUM - SESSION_DATA_OVERHEAD)
        return 0;
    struct bytes rest = {data + 1, size - 1};
    struct fuzz_pair *pair = fuzz_pair_get(true);
    if (data[0] % 2)
        genuine(pair, rest);
    else
        forged(pair, rest);
    return 0;
}
