/* Sessions over UDP (session.h): with whom, when handshakes go out, what comes in. They follow
 * the roster; the secrets are those of the keyring. */
#include "lbnode/base/random.h"
#include "replication/memory.h"
#include "replication/transport_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SILENT_INTERVALS = 5 /* of heartbeats, and the session may be one that the peer has not */
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

/* ---- with whom --------------------------------------------------------------------------- */

static void strong_random(void *context, void *out, size_t size)
{
    random_bytes(out, size);
}

void transport_end_sessions(struct transport *transport)
{
    loop_timer_stop(&transport->handshakes);
    if (transport->sessions)
        transport->sessions_number = sessions_number(transport->sessions);
    sessions_free(transport->sessions);
    free(transport->sources);
    transport->sessions = NULL;
    transport->sources = NULL;
    transport->has_secrets = false;
    for (size_t i = 0; i < transport->link_count; i++)
        transport->links[i]->place = -1;
}

/* Are there sessions, and is the cluster, or the node's key, another one than theirs? */
static bool is_outdated(const struct transport *transport)
{
    const struct replication *replication = transport->replication;
    return transport->sessions &&
           (!uuid_equal(&transport->sessions_cluster,
                        &core_genesis(replication->core)->cluster_id) ||
            memcmp(transport->sessions_key, sign_key_public(rekey_spoken(replication)),
                   SIGN_PUBLIC_KEY_SIZE) != 0);
}

static void make_sessions(struct transport *transport)
{
    const struct replication *replication = transport->replication;
    struct dh_key key;
    dh_key_from_sign_key(rekey_spoken(replication), &key);
    transport->sessions_cluster = core_genesis(replication->core)->cluster_id;
    memcpy(transport->sessions_key, sign_key_public(rekey_spoken(replication)),
           SIGN_PUBLIC_KEY_SIZE);
    const struct sessions_settings settings = {
        .node_id = replication->node_id,
        .cluster_id = transport->sessions_cluster,
        .key = &key,
        .incarnation = replication->incarnation,
        .number = transport->sessions_number,
        .minimum_protocol = REPLICATION_PROTOCOL_SESSIONS,
        .maximum_protocol = replication->settings.protocol,
        .random = strong_random,
    };
    transport->sessions = sessions_new(&settings);
    secret_wipe(&key, sizeof(key));
    transport_keys_changed(transport);
}

static void drop_peer(struct transport *transport, struct link *link)
{
    const struct roster_node *node = node_of(transport, link);
    if (node && node->status != NODE_ACTIVE)
        removal_tell_in_session(transport, link);
    transport_drop_streams(transport, link);
    sessions_remove_peer(transport->sessions, &link->id);
    transport->peers[link->place] = NULL;
    link->place = -1;
}

static void drop_gone_peers(struct transport *transport)
{
    for (size_t i = 0; i < SESSION_PEERS; i++) {
        struct link *link = transport->peers[i];
        const struct roster_node *node = link ? node_of(transport, link) : NULL;
        if (link && (!node || node->status != NODE_ACTIVE))
            drop_peer(transport, link);
    }
}

/* Who has a key of which none for sessions can be made gets no session. */
static void take_peer(struct transport *transport, const struct roster_node *node)
{
    struct link *link = transport_link(transport, &node->id);
    uint8_t key[DH_KEY_SIZE];
    if (!link)
        return;
    if (link->place < 0 ||
        memcmp(link->public_key, node->public_key, sizeof(link->public_key)) != 0) {
        if (!dh_key_public_of(node->public_key, key)) {
            if (link->place >= 0)
                drop_peer(transport, link);
            return;
        }
        transport_drop_streams(transport, link); /* under the key that it had */
        link->gate = (struct stream_gate){0};
        link->place = sessions_add_peer(transport->sessions, &node->id, key);
        memcpy(link->public_key, node->public_key, sizeof(link->public_key));
    }
    if (link->place < 0)
        return;
    transport->peers[link->place] = link;
    sessions_set_passive(transport->sessions, link->place,
                         node->protocol < REPLICATION_PROTOCOL_SESSIONS);
    for (size_t i = 0; i < node->endpoint_count; i++)
        source_table_allow(transport->sources, &node->endpoints[i].address, link->place);
}

static void renew_sources(struct transport *transport)
{
    struct source_table *before = transport->sources;
    const struct roster *roster = core_roster(transport->replication->core);
    transport->sources = memory_new(sizeof(*transport->sources));
    if (before)
        memcpy(transport->sources->key, before->key, sizeof(before->key));
    else
        random_bytes(transport->sources->key, sizeof(transport->sources->key));
    for (size_t i = 0; i < roster->count; i++)
        if (roster->nodes[i].status == NODE_ACTIVE &&
            !uuid_equal(&roster->nodes[i].id, &transport->replication->node_id))
            take_peer(transport, &roster->nodes[i]);
    if (before)
        source_table_inherit(transport->sources, before);
    free(before);
}

void transport_follow_roster(struct transport *transport)
{
    const struct core *core = transport->replication->core;
    if (!core_is_initialised(core) ||
        (transport->roster_version == core_roster(core)->version && !is_outdated(transport)) ||
        transport->replication->settings.protocol < REPLICATION_PROTOCOL_SESSIONS)
        return;
    transport->roster_version = core_roster(core)->version;
    if (is_outdated(transport))
        transport_end_sessions(transport);
    if (!transport->sessions)
        make_sessions(transport);
    drop_gone_peers(transport);
    renew_sources(transport);
    keys_follow(transport->replication); /* before anything goes out without a session */
    transport_renew_filter(transport);
}

/* ---- sending ------------------------------------------------------------------------------
 */

bool transport_may_sign(const struct transport *transport, const struct roster_node *node)
{
    return !transport->has_secrets || node->protocol < REPLICATION_PROTOCOL_SESSIONS ||
           node->status != NODE_ACTIVE;
}

bool transport_takes_signed(const struct transport *transport, const struct roster_node *node)
{
    const struct replication *replication = transport->replication;
    const struct roster_node *self =
        roster_find(core_roster(replication->core), &replication->node_id);
    return transport_may_sign(transport, node) || !self ||
           self->protocol < REPLICATION_PROTOCOL_SESSIONS;
}

bool transport_is_in_session(const struct transport *transport,
                             const struct roster_node *node,
                             uint64_t for_us)
{
    struct session_view view;
    int place = transport->sessions ? sessions_find_peer(transport->sessions, &node->id) : -1;
    return place >= 0 && sessions_view(transport->sessions, now_us(transport), place, &view) &&
           now_us(transport) - view.since_us >= for_us;
}

bool transport_send_sealed(struct transport *transport,
                           const struct link *link,
                           struct ip_endpoint endpoint,
                           struct bytes frames)
{
    uint8_t sealed[DATAGRAM_MAXIMUM];
    if (link->place < 0 || frames.size > sizeof(sealed) - SESSION_DATA_OVERHEAD ||
        !sessions_seal(transport->sessions, now_us(transport), link->place, frames, sealed))
        return false;
    transport_send_to(transport, endpoint,
                      (struct bytes){sealed, frames.size + SESSION_DATA_OVERHEAD});
    return true;
}

void transport_watch_silence(struct transport *transport, const struct link *link)
{
    const uint64_t patience_us =
        SILENT_INTERVALS * core_heartbeat_interval_us(transport->replication->core);
    struct session_view session;
    if (link->place < 0 ||
        !sessions_view(transport->sessions, now_us(transport), link->place, &session))
        return;
    uint64_t since_us = link->heard_us > session.since_us ? link->heard_us : session.since_us;
    if (now_us(transport) - since_us > patience_us)
        sessions_suspect(transport->sessions, link->place);
}

static void send_init(struct transport *transport, const struct session_action *action)
{
    struct link *link = transport->peers[action->place];
    const struct roster_node *node = link ? node_of(transport, link) : NULL;
    if (!node)
        return;
    for (size_t i = 0; i < node->endpoint_count; i++)
        transport_send_to(transport, node->endpoints[i],
                          (struct bytes){action->bytes, action->size});
    if (!link->tried_us)
        link->tried_us = now_us(transport);
    else if (now_us(transport) - link->tried_us > KNOCK_AFTER_US &&
             now_us(transport) - link->knocked_us > KNOCK_PAUSE_US)
        removal_knock(transport, link, node);
}

static void on_handshakes(struct loop_timer *timer)
{
    struct transport *transport = CONTAINER_OF(timer, struct transport, handshakes);
    struct session_action action;
    transport->handshakes_due_us = UINT64_MAX;
    transport_follow_roster(transport);
    while (transport->sessions &&
           sessions_tick(transport->sessions, now_us(transport), &action))
        send_init(transport, &action);
    transport_plan_handshakes(transport);
}

void transport_plan_handshakes(struct transport *transport)
{
    uint64_t now = now_us(transport), due = UINT64_MAX;
    if (transport->has_secrets && !core_was_removed(transport->replication->core))
        due = sessions_next_us(transport->sessions, now);
    if (due == UINT64_MAX)
        loop_timer_stop(&transport->handshakes);
    else if (!transport->handshakes.active || due != transport->handshakes_due_us)
        loop_timer_start_us(transport->replication->loop, &transport->handshakes,
                            due > now ? due - now : 0, on_handshakes);
    transport->handshakes_due_us = due;
}

/* ---- receiving ----------------------------------------------------------------------------
 */

static void report_by_address(struct transport *transport,
                              enum event_code code,
                              const struct ip_address *from,
                              const char *what)
{
    char address[IP_ADDRESS_TEXT_SIZE], text[200];
    ip_address_format(from, address);
    snprintf(text, sizeof(text), "%s: %s", address, what);
    replication_event(transport->replication, code, text);
}

void transport_report_forged_from(struct transport *transport, const struct ip_address *from)
{
    if (transport_is_news(transport, &transport->forged_reported_us, FORGED_PAUSE_US))
        report_by_address(transport, EVENT_GOSSIP_FORGED, from,
                          "a message in the name of a node there was not made by it");
}

void transport_report_incompatible_from(struct transport *transport,
                                        const struct ip_address *from)
{
    const uint64_t pause_us = 60000000;
    if (transport_is_news(transport, &transport->incompatible_reported_us, pause_us))
        report_by_address(transport, EVENT_GOSSIP_INCOMPATIBLE, from,
                          "a node there speaks no version of the protocol that this one does");
}

static void take_genuine(struct transport *transport,
                         struct link *link,
                         const struct session_received *received,
                         const struct ip_endpoint *from)
{
    const struct core_event reachable = {.kind = CORE_REACHABLE, .node = link->id};
    link->tried_us = 0;
    if (received->is_new)
        replication_step(transport->replication, &reachable);
    if (received->verdict != SESSION_OPENED)
        return;
    link->heard_us = now_us(transport);
    link->incarnation = received->incarnation;
    transport_watch_for_clone(transport, link, received->incarnation, from);
    transport_note_source(transport, link, from);
    transport_hand_over(transport, link, received->plain);
}

void transport_take_sealed(struct transport *transport,
                           struct bytes datagram,
                           const struct ip_endpoint *from)
{
    struct session_received received;
    uint8_t room[DATAGRAM_MAXIMUM];
    struct session_source *source =
        transport->sources ? source_table_find(transport->sources, &from->address) : NULL;
    if (!source) {
        transport->counts[DATAGRAM_STRANGER]++;
        return;
    }
    sessions_receive(transport->sessions, now_us(transport), source, datagram, room, &received);
    if (received.reply_size > 0)
        transport_send_to(transport, *from,
                          (struct bytes){received.reply, received.reply_size});
    if (received.verdict == SESSION_FORGED)
        transport_report_forged_from(transport, &from->address);
    else if (received.verdict == SESSION_INCOMPATIBLE)
        transport_report_incompatible_from(transport, &from->address);
    if (received.place >= 0 && transport->peers[received.place])
        take_genuine(transport, transport->peers[received.place], &received, from);
}

/* ---- secrets, and what is told ------------------------------------------------------------
 */

static void set_secrets(struct transport *transport,
                        const struct session_secret *secrets,
                        size_t count,
                        uint16_t use_version)
{
    sessions_set_secrets(transport->sessions, secrets, count, use_version);
    transport->has_secrets = count > 0;
    transport_plan_handshakes(transport);
}

void transport_keys_changed(struct transport *transport)
{
    struct session_secret secrets[SESSION_SECRETS];
    size_t count;
    if (!transport || !transport->sessions)
        return;
    const struct keyring *keyring = transport->replication->keyring;
    const struct keyring_key *keys = keyring_keys(keyring, KEY_CLUSTER_SECRET, &count);
    const struct keyring_key *in_use = keyring_in_use(keyring, KEY_CLUSTER_SECRET);
    count = count < SESSION_SECRETS ? count : SESSION_SECRETS;
    for (size_t i = 0; i < count; i++) {
        secrets[i].version = keyring_version(&keys[i]);
        memcpy(secrets[i].secret, keys[i].secret, sizeof(secrets[i].secret));
    }
    set_secrets(transport, secrets, count, in_use ? keyring_version(in_use) : 0);
    transport_stream_keys_changed(transport);
    secret_wipe(secrets, sizeof(secrets));
}

bool transport_has_secrets(const struct transport *transport)
{
    return transport && transport->has_secrets;
}

void transport_view_peer(const struct transport *transport, struct peer_view *view)
{
    struct session_view session;
    view->session_ms_ago = UINT64_MAX;
    view->protocol = view->state == PEER_IS_ALIVE ? REPLICATION_PROTOCOL_SIGNED : 0;
    for (size_t i = 0; transport && transport->sessions && i < SESSION_PEERS; i++) {
        const struct link *link = transport->peers[i];
        if (!link || !uuid_equal(&link->id, &view->node_id) ||
            !sessions_view(transport->sessions, now_us(transport), (int)i, &session))
            continue;
        view->session_ms_ago = (now_us(transport) - session.since_us) / 1000;
        view->protocol = session.protocol;
        view->key_version = session.secret_version;
    }
}

void transport_visit_counts(const struct transport *transport,
                            void (*visit)(void *context, const char *outcome, uint64_t count),
                            void *context)
{
    static const char *const of_sessions[SESSION_VERDICTS] = {
        [SESSION_MALFORMED] = "malformed",
        [SESSION_FOREIGN] = "foreign",
        [SESSION_REPLAYED] = "replayed",
        [SESSION_CROSSED] = "crossed",
        [SESSION_EXHAUSTED] = "exhausted",
        [SESSION_FORGED] = "forged",
        [SESSION_INCOMPATIBLE] = "incompatible",
        [SESSION_ENDED] = "ended",
        [SESSION_ANSWERED] = "answered",
        [SESSION_ESTABLISHED] = "established",
        [SESSION_OPENED] = "opened",
    };
    static const char *const of_others[DATAGRAM_OUTCOMES] = {
        [DATAGRAM_STRANGER] = "stranger",
        [DATAGRAM_SIGNED] = "signed",
        [DATAGRAM_DOWNGRADE] = "downgrade",
    };
    for (size_t i = 0; transport && i < DATAGRAM_OUTCOMES; i++)
        visit(context, of_others[i], transport->counts[i]);
    for (size_t i = 0; transport && i < SESSION_VERDICTS; i++)
        visit(context, of_sessions[i],
              transport->sessions ? sessions_count(transport->sessions, (enum session_verdict)i)
                                  : 0);
}
