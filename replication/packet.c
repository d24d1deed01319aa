#include "replication/packet.h"

#include <string.h>

static const char context[] = "lbnode-gossip-v1";

static struct bytes context_bytes(void)
{
    return (struct bytes){(const uint8_t *)context, sizeof(context) - 1};
}

void packet_seal(const struct packet *packet,
                 const struct sign_key *key,
                 struct wire_writer *out)
{
    uint8_t header[PACKET_HEADER_SIZE] = {'L', 'B', PACKET_VERSION, (uint8_t)packet->channel};
    uint8_t signature[SIGNATURE_SIZE];
    memcpy(header + 4, packet->cluster, 8);
    memcpy(header + 12, packet->sender, 8);
    memcpy(header + 20, packet->receiver, 8);
    store_be64(header + 28, packet->incarnation);
    store_be64(header + 36, packet->counter);
    struct bytes parts[] = {context_bytes(), {header, sizeof(header)}, packet->frames};
    signature_make(key, parts, ARRAY_LENGTH(parts), signature);
    wire_append(out, header, sizeof(header));
    wire_append(out, packet->frames.data, packet->frames.size);
    wire_append(out, signature, sizeof(signature));
}

bool packet_parse(struct bytes in, struct packet *out)
{
    if (in.size < PACKET_OVERHEAD || in.data[0] != 'L' || in.data[1] != 'B' ||
        in.data[2] != PACKET_VERSION || in.data[3] > PACKET_STREAM)
        return false;
    *out = (struct packet){
        .channel = (enum packet_channel)in.data[3],
        .incarnation = load_be64(in.data + 28),
        .counter = load_be64(in.data + 36),
        .frames = {in.data + PACKET_HEADER_SIZE, in.size - PACKET_OVERHEAD},
        .signed_part = {in.data, in.size - SIGNATURE_SIZE},
        .signature = in.data + in.size - SIGNATURE_SIZE,
    };
    memcpy(out->cluster, in.data + 4, 8);
    memcpy(out->sender, in.data + 12, 8);
    memcpy(out->receiver, in.data + 20, 8);
    return true;
}

bool packet_verify(const struct packet *packet, const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE])
{
    struct bytes parts[] = {context_bytes(), packet->signed_part};
    return signature_verify(public_key, parts, ARRAY_LENGTH(parts), packet->signature);
}

void frame_append(struct wire_writer *out, uint32_t type, struct bytes body)
{
    wire_append_varint(out, type);
    wire_append_varint(out, body.size);
    wire_append(out, body.data, body.size);
}

bool frame_next(struct wire_reader *frames, uint32_t *out_type, struct bytes *out_body)
{
    uint64_t type, size;
    if (frames->failed || frames->at == frames->end || !wire_read_varint(frames, &type) ||
        !wire_read_varint(frames, &size))
        return false;
    if (type > UINT32_MAX || size > (size_t)(frames->end - frames->at)) {
        frames->failed = true;
        return false;
    }
    *out_type = (uint32_t)type;
    *out_body = (struct bytes){frames->at, (size_t)size};
    frames->at += size;
    return true;
}

static void clear_between(struct replay_window *window, uint64_t first, uint64_t last)
{
    if (last - first >= REPLAY_WINDOW_BITS) {
        memset(window->seen, 0, sizeof(window->seen));
        return;
    }
    for (uint64_t step = 0; step <= last - first; step++) { /* LAST may be the last number */
        uint64_t counter = first + step;
        window->seen[counter % REPLAY_WINDOW_BITS / 64] &= ~(1ull << counter % 64);
    }
}

bool replay_accept(struct replay_window *window, uint64_t incarnation, uint64_t counter)
{
    if (incarnation < window->incarnation || counter == 0)
        return false;
    if (incarnation > window->incarnation)
        *window = (struct replay_window){.incarnation = incarnation};
    if (counter > window->highest) {
        clear_between(window, window->highest + 1, counter);
        window->highest = counter;
    } else if (window->highest - counter >= REPLAY_WINDOW_BITS) {
        return false;
    }
    uint64_t bit = 1ull << counter % 64;
    uint64_t *word = &window->seen[counter % REPLAY_WINDOW_BITS / 64];
    if (*word & bit)
        return false;
    *word |= bit;
    return true;
}
