#include "replication/session_internal.h"

#include <string.h>

/* ---- budgets -------------------------------------------------------------------------------
 */

static void
budget_refill(struct session_budget *budget, uint64_t now_us, double per_second, double most)
{
    budget->granted += (double)(now_us - budget->since_us) * per_second / 1e6;
    budget->since_us = now_us;
    if (budget->granted > most)
        budget->granted = most;
}

/* Who has the cluster's secret can name any peer: so an INIT counts against the address, too.
 */
static bool spend_init(struct sessions *sessions,
                       struct session_source *source,
                       struct session_peer *peer,
                       uint64_t now_us)
{
    struct session_budget *all[] = {&sessions->budget, &source->budget, &peer->inits};
    budget_refill(&sessions->budget, now_us, SESSION_TOTAL_RATE, SESSION_TOTAL_RATE);
    budget_refill(&source->budget, now_us, SESSION_PEER_RATE, SESSION_PEER_BURST);
    budget_refill(&peer->inits, now_us, SESSION_PEER_RATE, SESSION_PEER_BURST);
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (all[i]->granted < 1)
            return false;
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        all[i]->granted -= 1;
    return true;
}

/* A RESPONSE names an index that only the peer was told. Whoever floods with INITs, from forged
 * addresses even, takes nothing from it. */
static bool spend_response(struct session_peer *peer, uint64_t now_us)
{
    budget_refill(&peer->responses, now_us, SESSION_PEER_RATE, SESSION_PEER_BURST);
    if (peer->responses.granted < 1)
        return false;
    peer->responses.granted -= 1;
    return true;
}

struct session_source session_source_new(void)
{
    return (struct session_source){.budget = {.granted = SESSION_PEER_BURST}};
}

static bool comes_from(const struct session_source *source, int place)
{
    return place >= 0 && (source->places >> place & 1);
}

/* ---- INIT ----------------------------------------------------------------------------------
 */

static bool mac_is_right(const struct session_secret_keys *secret,
                         const struct session_message *message)
{
    uint8_t mac[SESSION_MAC_SIZE];
    session_mac(secret->mac_key, message->covered, mac);
    return constant_time_equal(mac, message->mac, sizeof(mac));
}

static int place_of_key(const struct sessions *sessions, const uint8_t node_key[8])
{
    for (int i = 0; i < SESSION_PEERS; i++)
        if (sessions->peers[i].is_used && !memcmp(sessions->peers[i].id.bytes, node_key, 8))
            return i;
    return -1;
}

/* The INIT that was answered last, again: its answer may have been lost. Only in the rhythm in
 * which a peer repeats it. */
static bool is_repeated(const struct session_peer *peer,
                        const struct session_message *message,
                        uint64_t now_us)
{
    return peer->waiting.is_used && now_us - peer->answered_us < SESSION_FAST_US &&
           now_us - peer->repeated_us >= SESSION_RETRY_US / 2 &&
           !memcmp(peer->last_mac, message->mac, SESSION_MAC_SIZE);
}

static bool is_newer(const struct session_peer *peer, uint64_t incarnation, uint64_t number)
{
    return incarnation > peer->incarnation ||
           (incarnation == peer->incarnation && number > peer->number);
}

static bool goes_first(const struct sessions *sessions, const struct session_peer *peer)
{
    return uuid_compare(&sessions->settings.node_id, &peer->id) < 0;
}

static bool
is_crossed(const struct sessions *sessions, const struct session_peer *peer, uint64_t now_us)
{
    return peer->attempt.is_used && now_us - peer->series_us < SESSION_CROSSING_US &&
           goes_first(sessions, peer);
}

static void recall(struct session_peer *peer, uint64_t now_us)
{
    if (peer->recalled_us && now_us - peer->recalled_us < SESSION_RECALL_US)
        return;
    peer->recalled_us = now_us;
    peer->is_suspect = true;
}

/* The highest protocol in common; 0: none. */
static uint16_t common_protocol(const struct sessions *sessions,
                                const struct session_offer *offer)
{
    const struct sessions_settings *own = &sessions->settings;
    uint16_t highest = own->maximum_protocol < offer->maximum_protocol
                           ? own->maximum_protocol
                           : offer->maximum_protocol;
    return highest >= own->minimum_protocol && highest >= offer->minimum_protocol ? highest : 0;
}

/* Reads the INIT's Noise message. ANSWERED when it is good. */
static enum session_verdict read_init(struct sessions *sessions,
                                      const struct session_peer *peer,
                                      const struct session_secret_keys *secret,
                                      const struct session_message *message,
                                      struct session_offer *out)
{
    uint8_t payload[SESSION_OFFER_MAXIMUM];
    struct bytes offer = {payload, message->body.size - NOISE_MESSAGE_OVERHEAD};
    session_handshake_start(sessions, &sessions->answering, false, peer, secret->psk,
                            message->head.data);
    if (!noise_read(&sessions->answering, message->body, payload))
        return SESSION_FORGED;
    if (!session_offer_parse(offer, out) || !common_protocol(sessions, out))
        return SESSION_INCOMPATIBLE;
    return SESSION_ANSWERED;
}

/* Writes the RESPONSE to peer->answer and makes the session that waits. */
static enum session_verdict write_response(struct sessions *sessions,
                                           int place,
                                           const struct session_secret_keys *secret,
                                           const struct session_offer *offer,
                                           uint64_t now_us)
{
    struct session_peer *peer = &sessions->peers[place];
    struct session_keys *waiting = &peer->waiting;
    uint8_t mac_key[HASH_KEY_SIZE];
    size_t covered = SESSION_RESPONSE_SIZE - SESSION_MAC_SIZE;
    uint32_t local = session_index(sessions, place);
    secret_wipe(waiting, sizeof(*waiting));
    session_response_head(offer->index, peer->answer);
    if (!session_handshake_write(sessions, &sessions->answering, local,
                                 peer->answer + SESSION_RESPONSE_HEAD) ||
        !noise_split(&sessions->answering, &waiting->keys))
        return SESSION_FORGED;
    session_mac_key(secret->secret, peer->public_key, mac_key);
    session_mac(mac_key, (struct bytes){peer->answer, covered}, peer->answer + covered);
    secret_wipe(mac_key, sizeof(mac_key));
    waiting->is_used = true;
    waiting->local = local;
    waiting->remote = offer->index;
    waiting->since_us = now_us;
    waiting->protocol = common_protocol(sessions, offer);
    waiting->secret_version = secret->version;
    waiting->incarnation = peer->incarnation;
    peer->answered_us = peer->repeated_us = now_us;
    return SESSION_ANSWERED;
}

static enum session_verdict answer(struct sessions *sessions,
                                   int place,
                                   const struct session_secret_keys *secret,
                                   const struct session_message *message,
                                   uint64_t now_us)
{
    struct session_peer *peer = &sessions->peers[place];
    struct session_offer offer;
    enum session_verdict verdict = read_init(sessions, peer, secret, message, &offer);
    if (verdict == SESSION_FORGED)
        return verdict;
    peer->incarnation = message->incarnation; /* genuine: the head is part of the prologue */
    peer->number = message->number;
    memcpy(peer->last_mac, message->mac, SESSION_MAC_SIZE);
    if (verdict == SESSION_ANSWERED)
        verdict = write_response(sessions, place, secret, &offer, now_us);
    return verdict;
}

static void
give_answer(const struct session_peer *peer, int place, struct session_received *out)
{
    memcpy(out->reply, peer->answer, SESSION_RESPONSE_SIZE);
    out->reply_size = SESSION_RESPONSE_SIZE;
    out->place = place;
}

static enum session_verdict receive_init(struct sessions *sessions,
                                         struct session_source *source,
                                         const struct session_message *message,
                                         uint64_t now_us,
                                         struct session_received *out)
{
    const struct session_secret_keys *secret =
        session_secret_find(sessions, message->secret_version);
    if (!secret || !mac_is_right(secret, message))
        return SESSION_FOREIGN;
    int place = place_of_key(sessions, message->sender);
    if (!comes_from(source, place))
        return SESSION_FOREIGN;
    struct session_peer *peer = &sessions->peers[place];
    if (is_repeated(peer, message, now_us)) {
        peer->repeated_us = now_us;
        give_answer(peer, place, out);
        return SESSION_ANSWERED;
    }
    if (!is_newer(peer, message->incarnation, message->number)) {
        if (message->incarnation < peer->incarnation)
            recall(peer, now_us);
        return SESSION_REPLAYED;
    }
    if (!spend_init(sessions, source, peer, now_us))
        return SESSION_EXHAUSTED;
    if (is_crossed(sessions, peer, now_us)) {
        peer->next_send_us = now_us; /* it may have just started: the last one was too early */
        return SESSION_CROSSED;
    }
    enum session_verdict verdict = answer(sessions, place, secret, message, now_us);
    secret_wipe(&sessions->answering, sizeof(sessions->answering));
    if (verdict == SESSION_ANSWERED)
        give_answer(peer, place, out);
    return verdict;
}

/* ---- RESPONSE ------------------------------------------------------------------------------
 */

/* FROM, which is wiped, becomes the session in use; what was stays for what is still on its
 * way. */
static void take_over(struct session_peer *peer, struct session_keys *from)
{
    secret_wipe(&peer->previous, sizeof(peer->previous));
    peer->previous = peer->current;
    peer->current = *from;
    secret_wipe(from, sizeof(*from));
    peer->is_suspect = false;
    session_attempt_drop(peer);
}

static enum session_verdict finish(struct sessions *sessions,
                                   struct session_peer *peer,
                                   const struct session_message *message,
                                   uint64_t now_us)
{
    uint8_t payload[SESSION_OFFER_MAXIMUM];
    struct bytes view = {payload, message->body.size - NOISE_MESSAGE_OVERHEAD};
    struct session_attempt *attempt = &peer->attempt;
    struct session_offer offer;
    if (!noise_read(&attempt->handshake, message->body, payload))
        return SESSION_FORGED;
    struct session_keys keys = {.is_used = true, .is_initiator = true, .since_us = now_us};
    if (!session_offer_parse(view, &offer) || !common_protocol(sessions, &offer) ||
        !noise_split(&attempt->handshake, &keys.keys)) {
        secret_wipe(attempt, sizeof(*attempt)); /* the series goes on with a new one */
        return SESSION_INCOMPATIBLE;
    }
    keys.local = attempt->local;
    keys.remote = offer.index;
    keys.protocol = common_protocol(sessions, &offer);
    keys.secret_version = attempt->secret_version;
    keys.incarnation = offer.incarnation;
    if (is_newer(peer, offer.incarnation, offer.number)) {
        peer->incarnation = offer.incarnation;
        peer->number = offer.number;
    }
    take_over(peer, &keys);
    return SESSION_ESTABLISHED;
}

static enum session_verdict receive_response(struct sessions *sessions,
                                             const struct session_source *source,
                                             const struct session_message *message,
                                             uint64_t now_us,
                                             struct session_received *out)
{
    int place = session_index_place(message->receiver_index);
    struct session_peer *peer = &sessions->peers[place];
    if (!peer->attempt.is_used || peer->attempt.local != message->receiver_index ||
        !comes_from(source, place))
        return SESSION_FOREIGN;
    const struct session_secret_keys *secret =
        session_secret_find(sessions, peer->attempt.secret_version);
    if (!secret || !mac_is_right(secret, message))
        return SESSION_FOREIGN;
    if (!spend_response(peer, now_us))
        return SESSION_EXHAUSTED;
    enum session_verdict verdict = finish(sessions, peer, message, now_us);
    if (verdict == SESSION_ESTABLISHED) {
        out->place = place;
        out->is_new = true;
        if (session_seal(&peer->current, (struct bytes){0}, out->reply))
            out->reply_size = SESSION_DATA_OVERHEAD;
    }
    return verdict;
}

/* ---- DATA ----------------------------------------------------------------------------------
 */

static struct session_keys *keys_of(struct session_peer *peer, uint32_t index)
{
    struct session_keys *all[] = {&peer->current, &peer->previous, &peer->waiting};
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (all[i]->is_used && all[i]->local == index)
            return all[i];
    return NULL;
}

/* The peer has sent on the session that waits. Where both sides have just initiated, both stay
 * with the session of the smaller id; not where the peer has restarted since. */
static void confirm(struct sessions *sessions, struct session_peer *peer, uint64_t now_us)
{
    const struct session_keys *current = &peer->current;
    if (current->is_used && current->is_initiator && goes_first(sessions, peer) &&
        current->incarnation == peer->waiting.incarnation &&
        now_us - current->since_us < SESSION_CROSSING_US) {
        secret_wipe(&peer->previous, sizeof(peer->previous));
        peer->previous = peer->waiting;
        secret_wipe(&peer->waiting, sizeof(peer->waiting));
    } else {
        take_over(peer, &peer->waiting);
    }
}

static enum session_verdict receive_data(struct sessions *sessions,
                                         const struct session_source *source,
                                         const struct session_message *message,
                                         uint64_t now_us,
                                         uint8_t *room,
                                         struct session_received *out)
{
    int place = session_index_place(message->receiver_index);
    struct session_peer *peer = &sessions->peers[place];
    struct session_keys *keys = keys_of(peer, message->receiver_index);
    if (!keys || !comes_from(source, place))
        return SESSION_FOREIGN;
    if (!session_is_alive(keys, now_us) || message->counter >= SESSION_COUNTER_END)
        return SESSION_ENDED;
    if (!noise_open(keys->keys.receive, message->counter, message->head, message->body, room))
        return SESSION_FORGED;
    if (!replay_accept(&keys->seen, 0, message->counter + 1))
        return SESSION_REPLAYED;
    out->place = place;
    out->incarnation = keys->incarnation;
    out->plain = (struct bytes){room, message->body.size - NOISE_TAG_SIZE};
    peer->is_suspect = false;
    if (keys == &peer->waiting) {
        out->is_new = true;
        confirm(sessions, peer, now_us);
    }
    return SESSION_OPENED;
}

void sessions_receive(struct sessions *sessions,
                      uint64_t now_us,
                      struct session_source *source,
                      struct bytes datagram,
                      uint8_t *room,
                      struct session_received *out)
{
    struct session_message message;
    *out = (struct session_received){.verdict = SESSION_MALFORMED, .place = -1};
    if (session_message_parse(datagram, &message)) {
        switch (message.type) {
        case SESSION_INIT:
            out->verdict = receive_init(sessions, source, &message, now_us, out);
            break;
        case SESSION_RESPONSE:
            out->verdict = receive_response(sessions, source, &message, now_us, out);
            break;
        case SESSION_DATA:
            out->verdict = receive_data(sessions, source, &message, now_us, room, out);
            break;
        }
    }
    sessions->counts[out->verdict]++;
}
