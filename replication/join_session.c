#include "replication/join_session.h"

#include <string.h>

enum {
    BOUND_SIZE = JOIN_HEAD_SIZE + 4
};

static void put_prologue(const struct join_parties *parties, struct wire_writer *out)
{
    static const char context[] = "lbnode-join-v2";
    wire_append(out, (const uint8_t *)context, sizeof(context) - 1);
    wire_append(out, parties->cluster_id.bytes, sizeof(parties->cluster_id.bytes));
    wire_append(out, parties->token_id, TOKEN_ID_SIZE);
    wire_append(out, parties->joiner_key, SIGN_PUBLIC_KEY_SIZE);
    wire_append(out, parties->inviter_key, SIGN_PUBLIC_KEY_SIZE);
}

bool join_session_start(struct join_session *session,
                        bool is_joiner,
                        const struct sign_key *own,
                        const struct join_parties *parties,
                        const uint8_t psk[TOKEN_PSK_SIZE])
{
    struct wire_writer prologue = {0};
    struct dh_key own_key;
    uint8_t peer[DH_KEY_SIZE];
    *session = (struct join_session){0};
    if (!dh_key_public_of(is_joiner ? parties->inviter_key : parties->joiner_key, peer))
        return false;
    put_prologue(parties, &prologue);
    dh_key_from_sign_key(own, &own_key);
    noise_start(&session->handshake, is_joiner, &own_key, peer, psk, wire_written(&prologue));
    secret_wipe(&own_key, sizeof(own_key));
    bool started = !prologue.failed;
    wire_writer_free(&prologue);
    return started;
}

/* Both messages are through. */
static void establish(struct join_session *session, const struct join_parties *parties)
{
    session->established = noise_split(&session->handshake, &session->keys);
    fingerprint_make((struct bytes){session->handshake.hash, NOISE_HASH_SIZE},
                     &parties->cluster_id, parties->joiner_key, parties->inviter_key,
                     session->fingerprint);
}

bool join_session_write(struct join_session *session,
                        const struct join_parties *parties,
                        const uint8_t ephemeral_secret[DH_KEY_SIZE],
                        struct bytes payload,
                        struct wire_writer *out)
{
    uint8_t *room = wire_extend(out, payload.size + NOISE_MESSAGE_OVERHEAD);
    if (!room || !noise_write(&session->handshake, ephemeral_secret, payload, room))
        return false;
    if (!session->handshake.is_initiator)
        establish(session, parties);
    return true;
}

bool join_session_read(struct join_session *session,
                       const struct join_parties *parties,
                       struct bytes message,
                       struct wire_writer *out)
{
    if (message.size < NOISE_MESSAGE_OVERHEAD)
        return false;
    uint8_t *room = wire_extend(out, message.size - NOISE_MESSAGE_OVERHEAD);
    if (!room || !noise_read(&session->handshake, message, room))
        return false;
    if (session->handshake.is_initiator)
        establish(session, parties);
    return true;
}

/* What a chunk is bound to besides its number: the head of its message and the size of all that
 * follows, so that no message is cut at the end of a chunk. */
static void bind_chunks(const uint8_t *head, size_t sealed_size, uint8_t out[BOUND_SIZE])
{
    memcpy(out, head, JOIN_HEAD_SIZE);
    store_be32(out + JOIN_HEAD_SIZE, (uint32_t)sealed_size);
}

void join_session_seal(struct join_session *session,
                       uint8_t type,
                       struct bytes body,
                       struct wire_writer *out)
{
    uint8_t bound[BOUND_SIZE];
    size_t chunks = body.size == 0 ? 1 : (body.size + JOIN_CHUNK - 1) / JOIN_CHUNK;
    size_t sealed_size = body.size + chunks * NOISE_TAG_SIZE, head = out->size;
    join_message_begin(out, type);
    uint8_t *room = wire_extend(out, sealed_size);
    if (!room)
        return;
    bind_chunks(out->data + head, sealed_size, bound);
    for (size_t i = 0, at = 0; i < chunks; i++) {
        size_t size = body.size - at < JOIN_CHUNK ? body.size - at : JOIN_CHUNK;
        noise_seal(session->keys.send, session->sent++, (struct bytes){bound, BOUND_SIZE},
                   (struct bytes){size > 0 ? body.data + at : NULL, size}, room);
        room += size + NOISE_TAG_SIZE;
        at += size;
    }
}

static bool open_chunks(struct join_session *session,
                        const uint8_t *head,
                        struct bytes sealed,
                        struct wire_writer *out)
{
    const size_t whole = JOIN_CHUNK + NOISE_TAG_SIZE;
    uint8_t bound[BOUND_SIZE];
    size_t chunks = (sealed.size + whole - 1) / whole, opened = 0;
    bool good = chunks > 0 && sealed.size >= chunks * NOISE_TAG_SIZE;
    uint8_t *room = good ? wire_extend(out, sealed.size - chunks * NOISE_TAG_SIZE) : NULL;
    bind_chunks(head, sealed.size, bound);
    good = room != NULL;
    for (size_t at = 0; good && at < sealed.size; at += whole) {
        size_t size = sealed.size - at < whole ? sealed.size - at : whole;
        good = size >= NOISE_TAG_SIZE &&
               noise_open(session->keys.receive, session->received++,
                          (struct bytes){bound, BOUND_SIZE},
                          (struct bytes){sealed.data + at, size}, room + opened);
        opened += good ? size - NOISE_TAG_SIZE : 0;
    }
    return good;
}

bool join_session_open(struct join_session *session,
                       struct bytes message,
                       uint8_t *out_type,
                       struct wire_writer *out)
{
    struct bytes sealed;
    session->established = session->established &&
                           join_message_parse(message, out_type, &sealed) &&
                           open_chunks(session, message.data, sealed, out);
    return session->established;
}
