#include "replication/session.h"

#include "replication/session_internal.h"

#include <string.h>

enum {
    PLACE_BITS = 6, /* of an index */
    PROLOGUE_SIZE = 8 + 16 + SESSION_INIT_HEAD
};

_Static_assert(1 << PLACE_BITS == SESSION_PEERS, "an index holds a place");
_Static_assert((int)SESSION_RESPONSE_SIZE < (int)SESSION_INIT_SIZE, "no amplification");
_Static_assert((int)SESSION_DATA_OVERHEAD <= (int)SESSION_RESPONSE_SIZE, "a reply fits");

struct sessions *sessions_new(const struct sessions_settings *settings)
{
    struct sessions *sessions = secret_allocate(sizeof(*sessions));
    sessions->settings = *settings;
    sessions->key = *settings->key;
    sessions->settings.key = &sessions->key;
    sessions->number = settings->number;
    sessions->budget.granted = SESSION_TOTAL_RATE;
    return sessions;
}

uint64_t sessions_number(const struct sessions *sessions)
{
    return sessions->number;
}

void sessions_free(struct sessions *sessions)
{
    secret_free(sessions);
}

/* ---- peers and secrets ---------------------------------------------------------------------
 */

void session_attempt_drop(struct session_peer *peer)
{
    secret_wipe(&peer->attempt, sizeof(peer->attempt));
    peer->has_series = false;
}

void sessions_set_secrets(struct sessions *sessions,
                          const struct session_secret *secrets,
                          size_t count,
                          uint16_t use_version)
{
    secret_wipe(sessions->secrets, sizeof(sessions->secrets));
    sessions->secret_count = count < SESSION_SECRETS ? count : SESSION_SECRETS;
    sessions->use_version = use_version;
    for (size_t i = 0; i < sessions->secret_count; i++) {
        struct session_secret_keys *keys = &sessions->secrets[i];
        keys->version = secrets[i].version;
        memcpy(keys->secret, secrets[i].secret, sizeof(keys->secret));
        session_psk(keys->secret, keys->psk);
        session_mac_key(keys->secret, sessions->key.public, keys->mac_key);
    }
    for (size_t i = 0; i < SESSION_PEERS; i++)
        session_attempt_drop(&sessions->peers[i]); /* tried anew, with the secret of now */
}

const struct session_secret_keys *session_secret_find(const struct sessions *sessions,
                                                      uint16_t version)
{
    for (size_t i = 0; i < sessions->secret_count; i++)
        if (sessions->secrets[i].version == version)
            return &sessions->secrets[i];
    return NULL;
}

int sessions_find_peer(const struct sessions *sessions, const struct uuid *id)
{
    for (int i = 0; i < SESSION_PEERS; i++)
        if (sessions->peers[i].is_used && uuid_equal(&sessions->peers[i].id, id))
            return i;
    return -1;
}

static int free_place(const struct sessions *sessions)
{
    for (int i = 0; i < SESSION_PEERS; i++)
        if (!sessions->peers[i].is_used)
            return i;
    return -1;
}

int sessions_add_peer(struct sessions *sessions,
                      const struct uuid *id,
                      const uint8_t public_key[DH_KEY_SIZE])
{
    int place = sessions_find_peer(sessions, id);
    if (place >= 0 && !memcmp(sessions->peers[place].public_key, public_key, DH_KEY_SIZE))
        return place;
    if (place < 0)
        place = free_place(sessions);
    if (place < 0)
        return -1;
    struct session_peer *peer = &sessions->peers[place];
    secret_wipe(peer, sizeof(*peer));
    peer->is_used = true;
    peer->id = *id;
    memcpy(peer->public_key, public_key, DH_KEY_SIZE);
    peer->inits.granted = peer->responses.granted = SESSION_PEER_BURST;
    return place;
}

void sessions_remove_peer(struct sessions *sessions, const struct uuid *id)
{
    int place = sessions_find_peer(sessions, id);
    if (place >= 0)
        secret_wipe(&sessions->peers[place], sizeof(sessions->peers[place]));
}

void sessions_set_passive(struct sessions *sessions, int place, bool is_passive)
{
    sessions->peers[place].is_passive = is_passive;
}

void sessions_suspect(struct sessions *sessions, int place)
{
    sessions->peers[place].is_suspect = true;
}

uint64_t sessions_count(const struct sessions *sessions, enum session_verdict verdict)
{
    return sessions->counts[verdict];
}

/* ---- handshakes ----------------------------------------------------------------------------
 */

int session_index_place(uint32_t index)
{
    return (int)(index % SESSION_PEERS);
}

uint32_t session_index(struct sessions *sessions, int place)
{
    const struct session_peer *peer = &sessions->peers[place];
    const uint32_t taken[] = {peer->current.local, peer->previous.local, peer->waiting.local,
                              peer->attempt.local};
    for (;;) {
        uint32_t index;
        bool is_free = true;
        sessions->settings.random(sessions->settings.random_context, &index, sizeof(index));
        index = index << PLACE_BITS | (uint32_t)place;
        for (size_t i = 0; i < ARRAY_LENGTH(taken); i++)
            is_free = is_free && taken[i] != index;
        if (is_free)
            return index;
    }
}

void session_handshake_start(const struct sessions *sessions,
                             struct noise_handshake *handshake,
                             bool is_initiator,
                             const struct session_peer *peer,
                             const uint8_t psk[NOISE_KEY_SIZE],
                             const uint8_t init_head[SESSION_INIT_HEAD])
{
    uint8_t prologue[PROLOGUE_SIZE] = "lbnode/1";
    memcpy(prologue + 8, sessions->settings.cluster_id.bytes, 16);
    memcpy(prologue + 24, init_head, SESSION_INIT_HEAD);
    noise_start(handshake, is_initiator, &sessions->key, peer->public_key, psk,
                (struct bytes){prologue, sizeof(prologue)});
}

bool session_handshake_write(struct sessions *sessions,
                             struct noise_handshake *handshake,
                             uint32_t index,
                             uint8_t *out)
{
    const struct session_offer offer = {
        .index = index,
        .minimum_protocol = sessions->settings.minimum_protocol,
        .maximum_protocol = sessions->settings.maximum_protocol,
        .features = sessions->settings.features,
        .incarnation = sessions->settings.incarnation,
        .number = sessions->number,
    };
    uint8_t payload[SESSION_ANSWER_SIZE], ephemeral[DH_KEY_SIZE];
    session_offer_write(&offer, payload);
    sessions->settings.random(sessions->settings.random_context, ephemeral, sizeof(ephemeral));
    size_t size = handshake->is_initiator ? SESSION_OFFER_SIZE : SESSION_ANSWER_SIZE;
    bool is_written = noise_write(handshake, ephemeral, (struct bytes){payload, size}, out);
    secret_wipe(ephemeral, sizeof(ephemeral));
    return is_written;
}

/* A new INIT. False: no secret to begin with, or the peer's key is unusable. */
static bool attempt_begin(struct sessions *sessions, int place)
{
    struct session_peer *peer = &sessions->peers[place];
    struct session_attempt *attempt = &peer->attempt;
    const struct session_secret_keys *secret =
        session_secret_find(sessions, sessions->use_version);
    secret_wipe(attempt, sizeof(*attempt));
    if (!secret)
        return false;
    struct session_message head = {
        .secret_version = secret->version,
        .incarnation = sessions->settings.incarnation,
        .number = ++sessions->number,
    };
    memcpy(head.sender, sessions->settings.node_id.bytes, sizeof(head.sender));
    session_init_head(&head, attempt->init);
    attempt->local = session_index(sessions, place);
    attempt->secret_version = secret->version;
    session_handshake_start(sessions, &attempt->handshake, true, peer, secret->psk,
                            attempt->init);
    if (!session_handshake_write(sessions, &attempt->handshake, attempt->local,
                                 attempt->init + SESSION_INIT_HEAD))
        return false;
    uint8_t mac_key[HASH_KEY_SIZE];
    size_t covered = SESSION_INIT_SIZE - SESSION_MAC_SIZE;
    session_mac_key(secret->secret, peer->public_key, mac_key);
    session_mac(mac_key, (struct bytes){attempt->init, covered}, attempt->init + covered);
    secret_wipe(mac_key, sizeof(mac_key));
    attempt->is_used = true;
    return true;
}

/* ---- what happens by itself ----------------------------------------------------------------
 */

bool session_is_alive(const struct session_keys *keys, uint64_t now_us)
{
    return keys->is_used && now_us - keys->since_us < SESSION_END_US;
}

static void expire(struct session_keys *keys, uint64_t now_us)
{
    if (keys->is_used && !session_is_alive(keys, now_us))
        secret_wipe(keys, sizeof(*keys));
}

/* When the session in use is to be replaced because of its age. */
static uint64_t rekey_us(const struct session_keys *keys)
{
    return keys->since_us + SESSION_REKEY_US + (keys->is_initiator ? 0 : SESSION_ANSWERER_US);
}

static bool wants_handshake(const struct session_peer *peer, uint64_t now_us)
{
    const struct session_keys *current = &peer->current;
    if (peer->is_passive)
        return false;
    return !current->is_used || peer->is_suspect || now_us >= rekey_us(current) ||
           current->sent >= SESSION_REKEY_COUNT;
}

static uint64_t slow_delay_us(struct sessions *sessions)
{
    uint32_t random;
    sessions->settings.random(sessions->settings.random_context, &random, sizeof(random));
    return SESSION_SLOW_US * 8 / 10 + random % (SESSION_SLOW_US * 4 / 10);
}

/* True when the peer's INIT in ATTEMPT is to be sent now. */
static bool peer_tick(struct sessions *sessions, int place, uint64_t now_us)
{
    struct session_peer *peer = &sessions->peers[place];
    expire(&peer->current, now_us);
    expire(&peer->previous, now_us);
    expire(&peer->waiting, now_us);
    if (!wants_handshake(peer, now_us)) {
        session_attempt_drop(peer);
        return false;
    }
    if (!peer->has_series) {
        session_attempt_drop(peer);
        peer->has_series = true;
        peer->series_us = peer->next_send_us = now_us;
    }
    if (now_us < peer->next_send_us)
        return false;
    bool is_fast = now_us - peer->series_us < SESSION_FAST_US;
    peer->next_send_us = now_us + (is_fast ? SESSION_RETRY_US : slow_delay_us(sessions));
    return (is_fast && peer->attempt.is_used) || attempt_begin(sessions, place);
}

bool sessions_tick(struct sessions *sessions, uint64_t now_us, struct session_action *out)
{
    for (int place = 0; place < SESSION_PEERS; place++) {
        struct session_peer *peer = &sessions->peers[place];
        if (!peer->is_used || !peer_tick(sessions, place, now_us))
            continue;
        *out = (struct session_action){.place = place, .size = SESSION_INIT_SIZE};
        memcpy(out->bytes, peer->attempt.init, SESSION_INIT_SIZE);
        return true;
    }
    return false;
}

static uint64_t peer_next_us(const struct session_peer *peer, uint64_t now_us)
{
    if (wants_handshake(peer, now_us))
        return peer->has_series ? peer->next_send_us : now_us;
    uint64_t next = peer->is_passive ? UINT64_MAX : rekey_us(&peer->current);
    const struct session_keys *all[] = {&peer->current, &peer->previous, &peer->waiting};
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (all[i]->is_used && all[i]->since_us + SESSION_END_US < next)
            next = all[i]->since_us + SESSION_END_US;
    return next;
}

uint64_t sessions_next_us(const struct sessions *sessions, uint64_t now_us)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < SESSION_PEERS; i++) {
        const struct session_peer *peer = &sessions->peers[i];
        uint64_t of_peer = peer->is_used ? peer_next_us(peer, now_us) : UINT64_MAX;
        next = of_peer < next ? of_peer : next;
    }
    return next;
}

/* ---- sending -------------------------------------------------------------------------------
 */

bool session_seal(struct session_keys *keys, struct bytes frames, uint8_t *out)
{
    if (keys->sent >= SESSION_COUNTER_END)
        return false;
    session_data_head(keys->remote, keys->sent, out);
    noise_seal(keys->keys.send, keys->sent++, (struct bytes){out, SESSION_DATA_HEAD}, frames,
               out + SESSION_DATA_HEAD);
    return true;
}

bool sessions_ready(const struct sessions *sessions, uint64_t now_us, int place)
{
    const struct session_keys *current = &sessions->peers[place].current;
    return session_is_alive(current, now_us) && current->sent < SESSION_COUNTER_END;
}

bool sessions_seal(
    struct sessions *sessions, uint64_t now_us, int place, struct bytes frames, uint8_t *out)
{
    return sessions_ready(sessions, now_us, place) &&
           session_seal(&sessions->peers[place].current, frames, out);
}

bool sessions_view(const struct sessions *sessions,
                   uint64_t now_us,
                   int place,
                   struct session_view *out)
{
    const struct session_keys *current = &sessions->peers[place].current;
    *out = (struct session_view){current->since_us, current->protocol, current->secret_version};
    return sessions_ready(sessions, now_us, place);
}
