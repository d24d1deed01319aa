#include "replication/stream_session.h"

#include <string.h>

static const char prologue_name[] = "lbnode/1/stream";

enum {
    PROLOGUE_SIZE = sizeof(prologue_name) - 1 + 16 + SESSION_INIT_HEAD,
    PROOF_SIZE = 1 + NOISE_TAG_SIZE, /* of the first message of who initiated */
    SEALED_MINIMUM = PROOF_SIZE,
    SEALED_MAXIMUM = STREAM_PLAIN_MAXIMUM + NOISE_TAG_SIZE
};

enum state {
    NEW,
    WAITS_FOR_RESPONSE,
    WAITS_FOR_PROOF,
    OPEN,
    BROKEN
};

struct direction {
    uint8_t key[NOISE_KEY_SIZE];
    uint64_t counter, bytes, since_us; /* bytes, since_us: of this key */
    bool has_ended;
};

struct stream_session {
    enum state state;
    struct noise_handshake handshake;
    uint8_t mac_key[HASH_KEY_SIZE];
    struct direction sends, receives;
    uint16_t minimum_protocol, maximum_protocol, protocol;
};

/* ---- handshake ----------------------------------------------------------------------------
 */

struct stream_session *stream_session_new(void)
{
    return secret_allocate(sizeof(struct stream_session));
}

void stream_session_free(struct stream_session *session)
{
    secret_free(session);
}

static enum stream_verdict broken(struct stream_session *session, enum stream_verdict verdict)
{
    secret_wipe(session, sizeof(*session));
    session->state = BROKEN;
    return verdict;
}

static void start(struct stream_session *session,
                  const struct stream_terms *terms,
                  bool is_initiator,
                  const uint8_t *head,
                  uint64_t now_us)
{
    uint8_t prologue[PROLOGUE_SIZE];
    const size_t name = sizeof(prologue_name) - 1;
    memcpy(prologue, prologue_name, name);
    memcpy(prologue + name, terms->cluster_id.bytes, 16);
    memcpy(prologue + name + 16, head, SESSION_INIT_HEAD);
    session->minimum_protocol = terms->minimum_protocol;
    session->maximum_protocol = terms->maximum_protocol;
    session->sends.since_us = session->receives.since_us = now_us;
    memcpy(session->mac_key, terms->mac_key, sizeof(session->mac_key));
    noise_start(&session->handshake, is_initiator, terms->key, terms->peer, terms->psk,
                (struct bytes){prologue, sizeof(prologue)});
}

/* This side's frame: HEAD, Noise message with an offer, mac. 0: the agreement failed. */
static size_t write_handshake(struct stream_session *session,
                              const struct stream_terms *terms,
                              struct bytes head,
                              const uint8_t *ephemeral,
                              uint8_t out[STREAM_HANDSHAKE_MAXIMUM])
{
    const struct session_offer offer = {
        .minimum_protocol = terms->minimum_protocol,
        .maximum_protocol = terms->maximum_protocol,
        .features = terms->features,
    };
    uint8_t payload[SESSION_ANSWER_SIZE], *message = out + STREAM_LENGTH_SIZE;
    size_t covered = head.size + NOISE_MESSAGE_OVERHEAD + SESSION_OFFER_SIZE;
    session_offer_write(&offer, payload);
    memcpy(message, head.data, head.size);
    if (!noise_write(&session->handshake, ephemeral,
                     (struct bytes){payload, SESSION_OFFER_SIZE}, message + head.size))
        return 0;
    session_mac(terms->peer_mac_key, (struct bytes){message, covered}, message + covered);
    store_be16(out, (uint16_t)(covered + SESSION_MAC_SIZE));
    return STREAM_LENGTH_SIZE + covered + SESSION_MAC_SIZE;
}

/* The peer's Noise message and the protocol that is spoken then. ANSWERED when it is good. */
static enum stream_verdict read_handshake(struct stream_session *session, struct bytes message)
{
    uint8_t payload[SESSION_INIT_MAXIMUM];
    struct session_offer offer;
    if (!noise_read(&session->handshake, message, payload))
        return STREAM_FORGED;
    if (!session_offer_parse((struct bytes){payload, message.size - NOISE_MESSAGE_OVERHEAD},
                             &offer))
        return STREAM_INCOMPATIBLE;
    uint16_t highest = session->maximum_protocol < offer.maximum_protocol
                           ? session->maximum_protocol
                           : offer.maximum_protocol;
    if (highest < session->minimum_protocol || highest < offer.minimum_protocol)
        return STREAM_INCOMPATIBLE;
    session->protocol = highest;
    return STREAM_ANSWERED;
}

static bool split(struct stream_session *session)
{
    struct noise_keys keys;
    bool is_split = noise_split(&session->handshake, &keys);
    if (is_split) {
        memcpy(session->sends.key, keys.send, NOISE_KEY_SIZE);
        memcpy(session->receives.key, keys.receive, NOISE_KEY_SIZE);
    }
    secret_wipe(&keys, sizeof(keys));
    secret_wipe(&session->handshake, sizeof(session->handshake));
    return is_split;
}

size_t stream_session_initiate(struct stream_session *session,
                               const struct stream_terms *terms,
                               const uint8_t head[SESSION_INIT_HEAD],
                               const uint8_t ephemeral[DH_KEY_SIZE],
                               uint64_t now_us,
                               uint8_t out[STREAM_HANDSHAKE_MAXIMUM])
{
    start(session, terms, true, head, now_us);
    size_t size = write_handshake(session, terms, (struct bytes){head, SESSION_INIT_HEAD},
                                  ephemeral, out);
    if (size == 0)
        broken(session, STREAM_FORGED);
    else
        session->state = WAITS_FOR_RESPONSE;
    return size;
}

enum stream_verdict stream_session_answer(struct stream_session *session,
                                          const struct stream_terms *terms,
                                          const struct stream_init *init,
                                          const uint8_t ephemeral[DH_KEY_SIZE],
                                          uint64_t now_us,
                                          uint8_t out[STREAM_HANDSHAKE_MAXIMUM],
                                          size_t *out_size)
{
    const uint8_t head[STREAM_RESPONSE_HEAD] = {STREAM_RESPONSE, SESSION_VERSION};
    *out_size = 0;
    start(session, terms, false, init->head.data, now_us);
    enum stream_verdict verdict = read_handshake(session, init->body);
    if (verdict != STREAM_ANSWERED)
        return broken(session, verdict);
    size_t size =
        write_handshake(session, terms, (struct bytes){head, sizeof(head)}, ephemeral, out);
    if (size == 0 || !split(session))
        return broken(session, STREAM_FORGED);
    session->state = WAITS_FOR_PROOF;
    *out_size = size;
    return STREAM_ANSWERED;
}

static enum stream_verdict take_response(struct stream_session *session, struct bytes message)
{
    if (message.data[0] != STREAM_RESPONSE || message.data[1] != SESSION_VERSION ||
        load_be16(message.data + 2) != 0)
        return STREAM_MALFORMED;
    size_t covered = message.size - SESSION_MAC_SIZE;
    uint8_t mac[SESSION_MAC_SIZE];
    session_mac(session->mac_key, (struct bytes){message.data, covered}, mac);
    if (!constant_time_equal(mac, message.data + covered, sizeof(mac)))
        return STREAM_FOREIGN;
    struct bytes body = {message.data + STREAM_RESPONSE_HEAD, covered - STREAM_RESPONSE_HEAD};
    enum stream_verdict verdict = read_handshake(session, body);
    if (verdict != STREAM_ANSWERED)
        return verdict;
    if (!split(session))
        return STREAM_FORGED;
    session->state = OPEN;
    return STREAM_ESTABLISHED;
}

/* ---- transport ----------------------------------------------------------------------------
 */

static size_t
seal(struct stream_session *session, enum stream_kind kind, struct bytes data, uint8_t *out)
{
    struct direction *to = &session->sends;
    uint8_t *message = out + STREAM_LENGTH_SIZE;
    size_t size = 1 + data.size + NOISE_TAG_SIZE;
    store_be16(out, (uint16_t)size);
    message[0] = (uint8_t)kind;
    if (data.size > 0)
        memcpy(message + 1, data.data, data.size);
    noise_seal(to->key, to->counter++, (struct bytes){0},
               (struct bytes){message, 1 + data.size}, message);
    to->bytes += size;
    return STREAM_LENGTH_SIZE + size;
}

static void rekey(struct direction *direction, uint64_t now_us)
{
    noise_rekey(direction->key);
    direction->bytes = 0;
    direction->since_us = now_us;
}

static enum stream_verdict take_sealed(struct stream_session *session,
                                       struct bytes sealed,
                                       uint8_t *room,
                                       struct bytes *out_plain)
{
    struct direction *from = &session->receives;
    if (from->has_ended)
        return STREAM_MALFORMED;
    if (!noise_open(from->key, from->counter, (struct bytes){0}, sealed, room))
        return STREAM_FORGED;
    from->counter++;
    *out_plain = (struct bytes){room + 1, sealed.size - 1 - NOISE_TAG_SIZE};
    if (session->state == WAITS_FOR_PROOF) {
        if (room[0] != STREAM_KIND_DATA)
            return STREAM_MALFORMED;
        session->state = OPEN;
        return STREAM_PROVED;
    }
    if (room[0] == STREAM_KIND_DATA)
        return STREAM_OPENED;
    if (out_plain->size > 0)
        return STREAM_MALFORMED;
    if (room[0] == STREAM_KIND_REKEY) {
        rekey(from, 0);
        return STREAM_OPENED;
    }
    if (room[0] != STREAM_KIND_END)
        return STREAM_MALFORMED;
    from->has_ended = true;
    return STREAM_ENDED;
}

/* Which sizes a frame may have now. */
static bool size_is_valid(const struct stream_session *session, size_t size)
{
    switch (session->state) {
    case WAITS_FOR_RESPONSE:
        return size >= STREAM_RESPONSE_HEAD + NOISE_MESSAGE_OVERHEAD + SESSION_OFFER_SIZE +
                           SESSION_MAC_SIZE &&
               size <= SESSION_RESPONSE_MAXIMUM;
    case WAITS_FOR_PROOF: return size == PROOF_SIZE;
    case OPEN: return size >= SEALED_MINIMUM && size <= SEALED_MAXIMUM;
    default: return false;
    }
}

size_t stream_session_wants(const struct stream_session *session, struct bytes in)
{
    if (in.size < STREAM_LENGTH_SIZE)
        return STREAM_LENGTH_SIZE;
    size_t size = load_be16(in.data);
    return size_is_valid(session, size) ? STREAM_LENGTH_SIZE + size : STREAM_LENGTH_SIZE;
}

void stream_session_receive(struct stream_session *session,
                            struct bytes in,
                            uint8_t room[STREAM_PLAIN_MAXIMUM],
                            struct stream_received *out)
{
    *out = (struct stream_received){.verdict = STREAM_PARTIAL};
    if (session->state == BROKEN || session->state == NEW) {
        out->verdict = STREAM_MALFORMED;
        return;
    }
    if (in.size < STREAM_LENGTH_SIZE)
        return;
    struct bytes message = {in.data + STREAM_LENGTH_SIZE, load_be16(in.data)};
    if (!size_is_valid(session, message.size)) {
        out->verdict = broken(session, STREAM_MALFORMED);
        return;
    }
    if (in.size - STREAM_LENGTH_SIZE < message.size)
        return;
    out->verdict = session->state == WAITS_FOR_RESPONSE
                       ? take_response(session, message)
                       : take_sealed(session, message, room, &out->plain);
    if (out->verdict < STREAM_PARTIAL) {
        out->plain = (struct bytes){0};
        broken(session, out->verdict);
        return;
    }
    out->used = STREAM_LENGTH_SIZE + message.size;
    if (out->verdict == STREAM_ESTABLISHED)
        out->reply_size = seal(session, STREAM_KIND_DATA, (struct bytes){0}, out->reply);
}

bool stream_session_is_open(const struct stream_session *session)
{
    return session->state == OPEN && !session->sends.has_ended &&
           session->sends.counter < STREAM_COUNTER_END;
}

size_t stream_session_seal(struct stream_session *session,
                           uint64_t now_us,
                           struct bytes data,
                           uint8_t *out)
{
    struct direction *to = &session->sends;
    size_t before = 0;
    if (!stream_session_is_open(session) || data.size > STREAM_DATA_MAXIMUM)
        return 0;
    if (to->counter > 0 &&
        (to->bytes >= STREAM_REKEY_BYTES || now_us - to->since_us >= STREAM_REKEY_US)) {
        before = seal(session, STREAM_KIND_REKEY, (struct bytes){0}, out);
        rekey(to, now_us);
    }
    return before + seal(session, STREAM_KIND_DATA, data, out + before);
}

size_t stream_session_end(struct stream_session *session, uint8_t out[STREAM_OVERHEAD])
{
    if (!stream_session_is_open(session))
        return 0;
    size_t size = seal(session, STREAM_KIND_END, (struct bytes){0}, out);
    session->sends.has_ended = true;
    return size;
}

bool stream_session_has_ended(const struct stream_session *session)
{
    return session->receives.has_ended;
}

uint16_t stream_session_protocol(const struct stream_session *session)
{
    return session->state == OPEN || session->state == WAITS_FOR_PROOF ? session->protocol : 0;
}
