#include "replication/packet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packet packet;
    struct bytes body;
    uint32_t type;
    size_t total = 0;
    if (!packet_parse((struct bytes){data, size}, &packet))
        return 0;
    struct wire_reader frames = wire_reader_of(packet.frames);
    while (frame_next(&frames, &type, &body))
        total += body.size;
    if (total > size)
        abort();
    return 0;
}
