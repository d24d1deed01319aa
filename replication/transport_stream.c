/* Streams to the other nodes, one for each, opened when there is something to send: encrypted
 * (stream_session.h) to whoever speaks in sessions, signed packets to the others. And what both
 * directions need: the keys, the limits of a stream's life, what is counted. */
#include "lbnode/base/random.h"
#include "replication/transport_internal.h"

#include <string.h>

enum {
    STREAM_LIFE_US = 1800000000 /* then a handshake again, when nothing is on its way */
};

static uint64_t now_us(const struct transport *transport)
{
    return replication_now(transport->replication).mono_us;
}

static const struct roster_node *node_of(const struct transport *transport,
                                         const struct link *link)
{
    return roster_find(core_roster(transport->replication->core), &link->id);
}

/* ---- keys ---------------------------------------------------------------------------------
 */

static bool has_version(const struct stream_keys *keys, uint16_t version)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->secrets[i].version == version)
            return true;
    return false;
}

static void take_secret(struct stream_keys *keys, const struct keyring_key *key)
{
    struct stream_secret *secret = &keys->secrets[keys->count++];
    secret->version = keyring_version(key);
    memcpy(secret->secret, key->secret, sizeof(secret->secret));
    session_psk(secret->secret, secret->psk);
    session_mac_key(secret->secret, keys->own.public, secret->mac_key);
}

static void drop_streams_of_old_keys(struct transport *transport, bool is_own_key_new)
{
    const struct stream_keys *keys = transport->stream_keys;
    for (size_t i = 0; i < transport->link_count; i++) {
        struct link *link = transport->links[i];
        if (link->stream && link->is_sealed &&
            (is_own_key_new || !has_version(keys, link->stream_secret)))
            transport_drop_stream(link);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++) {
        struct inbound *inbound = transport->inbound[i];
        if (inbound && inbound->link && inbound->is_sealed &&
            (is_own_key_new || !has_version(keys, inbound->secret_version)))
            inbound_drop(inbound);
    }
}

void transport_stream_keys_changed(struct transport *transport)
{
    const struct replication *replication = transport->replication;
    struct stream_keys *keys = transport->stream_keys;
    struct dh_key own;
    size_t count;
    if (!keys)
        keys = transport->stream_keys = secret_allocate(sizeof(*keys));
    dh_key_from_sign_key(rekey_spoken(replication), &own);
    bool is_own_key_new = memcmp(&own, &keys->own, sizeof(own)) != 0;
    secret_wipe(keys, sizeof(*keys));
    keys->own = own;
    secret_wipe(&own, sizeof(own));
    const struct keyring_key *all =
        keyring_keys(replication->keyring, KEY_CLUSTER_SECRET, &count);
    for (size_t i = 0; i < count && i < KEYRING_MAXIMUM; i++)
        take_secret(keys, &all[i]);
    const struct keyring_key *in_use = keyring_in_use(replication->keyring, KEY_CLUSTER_SECRET);
    keys->use_version = in_use ? keyring_version(in_use) : 0;
    drop_streams_of_old_keys(transport, is_own_key_new);
}

/* What a handshake with NODE under SECRET is made of; the last three lie in OUT. False: the
 * node's key is unusable. */
bool transport_stream_terms(const struct transport *transport,
                            const struct roster_node *node,
                            const struct stream_secret *secret,
                            struct stream_with *out)
{
    const struct replication *replication = transport->replication;
    if (!dh_key_public_of(node->public_key, out->peer))
        return false;
    session_mac_key(secret->secret, out->peer, out->peer_mac_key);
    random_bytes(out->ephemeral, sizeof(out->ephemeral));
    out->terms = (struct stream_terms){
        .cluster_id = core_genesis(replication->core)->cluster_id,
        .key = &transport->stream_keys->own,
        .peer = out->peer,
        .psk = secret->psk,
        .mac_key = secret->mac_key,
        .peer_mac_key = out->peer_mac_key,
        .minimum_protocol = REPLICATION_PROTOCOL_SESSIONS,
        .maximum_protocol = replication->settings.protocol,
    };
    return true;
}

/* ---- the stream to a node -----------------------------------------------------------------
 */

static void stream_message(struct connection *connection, void *context, struct bytes message)
{
    /* Peers answer by their own stream. */
}

void transport_drop_stream(struct link *link)
{
    connection_free(link->stream);
    link->stream = NULL;
    snapshot_send_stop(link->transport->replication, &link->id, 0);
}

static void stream_closed(struct connection *connection, void *context, const char *why)
{
    transport_drop_stream(context);
}

static void stream_room(struct connection *connection, void *context)
{
    struct link *link = context;
    snapshot_send_continue(link->transport->replication, &link->id);
}

static void send_frames(struct transport *transport, struct link *link, struct bytes frames)
{
    struct wire_writer packet = {0};
    if (link->is_sealed) {
        connection_send(link->stream, frames);
        return;
    }
    transport_sign(transport, link, PACKET_STREAM, frames, &packet);
    connection_send(link->stream, wire_written(&packet));
    wire_writer_free(&packet);
}

/* False: no handshake comes about. */
static bool
begin_session(struct transport *transport, struct link *link, const struct roster_node *node)
{
    const struct stream_keys *keys = transport->stream_keys;
    struct stream_init init = {.incarnation = transport->replication->incarnation,
                               .number = ++transport->stream_number};
    uint8_t head[SESSION_INIT_HEAD], frame[STREAM_HANDSHAKE_MAXIMUM];
    struct stream_with with;
    size_t at = 0, size = 0;
    while (keys && at < keys->count && keys->secrets[at].version != keys->use_version)
        at++;
    if (!keys || at == keys->count ||
        !transport_stream_terms(transport, node, &keys->secrets[at], &with))
        return false;
    init.secret_version = link->stream_secret = keys->use_version;
    memcpy(init.sender, transport->replication->node_id.bytes, sizeof(init.sender));
    stream_init_head(&init, head);
    struct stream_session *session = stream_session_new();
    size = stream_session_initiate(session, &with.terms, head, with.ephemeral,
                                   now_us(transport), frame);
    secret_wipe(&with, sizeof(with));
    if (size == 0) {
        stream_session_free(session);
        return false;
    }
    connection_begin_session(link->stream, session, (struct bytes){frame, size}, IDLE_MS / 2);
    return true;
}

/* Also to a node that the roster does not say it of yet, but that has a session. */
static bool speaks_in_sessions(const struct transport *transport,
                               const struct link *link,
                               const struct roster_node *node)
{
    return !transport_may_sign(transport, node) ||
           (link->place >= 0 &&
            sessions_ready(transport->sessions, now_us(transport), link->place));
}

static void open_stream(struct transport *transport, struct link *link)
{
    static const struct connection_handler handler = {stream_message, stream_closed,
                                                      stream_room};
    const struct roster_node *node = node_of(transport, link);
    if (!node || node->status != NODE_ACTIVE || node->endpoint_count == 0)
        return;
    size_t best = link->best_endpoint < node->endpoint_count ? link->best_endpoint : 0;
    link->stream =
        connection_open(transport->replication->loop, &node->endpoints[best], &handler, link);
    if (!link->stream)
        return;
    link->opened_us = now_us(transport);
    link->is_sealed = speaks_in_sessions(transport, link, node);
    if (link->is_sealed && !begin_session(transport, link, node)) {
        transport_drop_stream(link);
    } else if (!link->is_sealed) {
        connection_set_limits(link->stream, CONNECTION_STRANGER_MAXIMUM, IDLE_MS / 2);
        send_frames(transport, link, (struct bytes){0}); /* small: proves who we are */
    }
}

/* Has the node learned to speak in sessions since, or are the keys in use for too long? */
static bool is_outdated(const struct transport *transport, const struct link *link)
{
    const struct roster_node *node = node_of(transport, link);
    const struct snapshot_sending *sending = transport->replication->sending;
    if (!node || (!link->is_sealed && speaks_in_sessions(transport, link, node)))
        return true;
    return now_us(transport) - link->opened_us > STREAM_LIFE_US && !sending &&
           connection_queued(link->stream) == 0;
}

void transport_flush_stream(struct transport *transport, struct link *link)
{
    if (link->bulk.size == 0)
        return;
    if (link->stream && is_outdated(transport, link))
        transport_drop_stream(link);
    if (!link->stream)
        open_stream(transport, link);
    if (link->stream)
        send_frames(transport, link, wire_written(&link->bulk));
    wire_writer_free(&link->bulk);
}

void transport_drop_streams(struct transport *transport, struct link *link)
{
    if (link->stream)
        transport_drop_stream(link);
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++)
        if (transport->inbound[i] && transport->inbound[i]->link == link)
            inbound_drop(transport->inbound[i]);
}

/* ---- what is told -------------------------------------------------------------------------
 */

void transport_visit_stream_counts(const struct transport *transport,
                                   void (*visit)(void *context,
                                                 const char *outcome,
                                                 uint64_t count),
                                   void *context)
{
    static const char *const words[STREAM_OUTCOMES] = {
        [STREAM_CAME_MALFORMED] = "malformed", [STREAM_CAME_FOREIGN] = "foreign",
        [STREAM_CAME_REPLAYED] = "replayed",   [STREAM_CAME_EXHAUSTED] = "exhausted",
        [STREAM_CAME_FORGED] = "forged",       [STREAM_CAME_INCOMPATIBLE] = "incompatible",
        [STREAM_CAME_STRANGER] = "stranger",   [STREAM_CAME_DOWNGRADE] = "downgrade",
        [STREAM_CAME_SILENT] = "silent",       [STREAM_CAME_DISPLACED] = "displaced",
        [STREAM_CAME_SIGNED] = "signed",       [STREAM_CAME_ANSWERED] = "answered",
        [STREAM_CAME_ENDED] = "ended",         [STREAM_CAME_CUT] = "cut",
    };
    for (size_t i = 0; transport && i < STREAM_OUTCOMES; i++)
        visit(context, words[i], transport->stream_counts[i]);
}
