/* The inviter's side of a join. States of one attempt: hello, which proves that the joiner has
 * the token -> welcome sent -> confirmed, so it is the joiner now and no recording -> its
 * record is committed -> everything sent. Whoever does not prove the token gets no answer. */
#include "replication/join.h"

#include "lbnode/base/random.h"
#include "replication/join_message.h"
#include "replication/join_session.h"
#include "replication/memory.h"
#include "replication/snapshot_read.h"
#include "replication/token_store.h"
#include "replication/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SERVERS = 8, /* at once */
    ANSWER_MS = 10000,
    QUEUE_HIGH = 256 << 10,   /* bytes that may wait for the joiner */
    BYTES_PER_TURN = 64 << 10 /* the loop has other work */
};

struct join_server {
    struct replication *replication;
    struct join_server *next;
    struct connection *connection; /* NULL: the joiner went away while the record commits */
    struct token_row token;
    struct join_parties parties;
    struct join_facts facts;
    struct join_session *session; /* in guarded memory */
    bool committing, is_sending;
    struct snapshot_reader *reader; /* once it is sending and no commit is under way */
    struct loop_timer room;         /* more can be sent */
};

/* ---- serving a joiner ------------------------------------------------------------------- */

static void server_free(struct join_server *server)
{
    loop_timer_stop(&server->room);
    if (server->reader)
        core_hold_log(server->replication->core, false);
    snapshot_reader_free(server->reader);
    struct join_server **at = &server->replication->join_servers;
    while (*at != server)
        at = &(*at)->next;
    *at = server->next;
    secret_wipe(&server->token, sizeof(server->token));
    secret_free(server->session);
    join_facts_free(&server->facts);
    free(server);
}

static void send_sealed(struct join_server *server, uint8_t type, struct bytes body)
{
    struct wire_writer message = {0};
    join_session_seal(server->session, type, body, &message);
    connection_send(server->connection, wire_written(&message));
    wire_writer_free(&message);
}

void join_refusals_tick(struct replication *replication)
{
    char text[160];
    unsigned untold =
        event_limit_close(&replication->join_refusals, replication_now(replication).mono_us);
    if (untold == 0)
        return;
    snprintf(text, sizeof(text), "%u more attempts to join were refused within %d s", untold,
             EVENT_LIMIT_WINDOW_S);
    replication_event(replication, EVENT_JOIN_REFUSED, text);
}

/* To the operator of this node. */
static void tell_refusal(struct join_server *server, const char *why)
{
    struct replication *replication = server->replication;
    char text[256];
    join_refusals_tick(replication);
    if (!event_limit_take(&replication->join_refusals, replication_now(replication).mono_us))
        return;
    if (server->facts.name[0])
        snprintf(text, sizeof(text), "node %.64s was refused: %.150s", server->facts.name, why);
    else
        snprintf(text, sizeof(text), "somebody was refused: %.200s", why);
    replication_event(replication, EVENT_JOIN_REFUSED, text);
}

/* The joiner gets no answer: it did not prove that it has a token. */
static void hang_up(struct join_server *server, const char *why)
{
    tell_refusal(server, why);
    connection_free(server->connection);
    server_free(server);
}

/* Tells the joiner, too. */
static void refuse(struct join_server *server, const char *why)
{
    struct wire_writer body = {0};
    tell_refusal(server, why);
    if (server->connection) {
        wire_put_text(&body, 1, why);
        send_sealed(server, FRAME_JOIN_REFUSED, wire_written(&body));
        wire_writer_free(&body);
        connection_finish(server->connection);
    }
    server_free(server);
}

static void on_room(struct loop_timer *timer);

/* As much as the joiner takes for now of the whole state, which it checks from the genesis on.
 */
static void send_state(struct join_server *server)
{
    const uint64_t commit_ms = 2;
    struct replication *replication = server->replication;
    size_t sent = 0;
    int result = 1;
    if (!server->reader && !replication->committing) {
        server->reader = snapshot_reader_new(replication->core, replication->store, 1);
        if (server->reader)
            core_hold_log(replication->core, true);
    }
    while (server->reader && result > 0 && sent < BYTES_PER_TURN &&
           connection_queued(server->connection) < QUEUE_HIGH) {
        struct wire_writer body = {0};
        uint32_t type;
        result = snapshot_reader_next(server->reader, &type, &body);
        if (result > 0)
            send_sealed(server, (uint8_t)type, wire_written(&body));
        sent += body.size;
        wire_writer_free(&body);
    }
    replication->damaged |= result == -EBADMSG || result == -ENOENT;
    if (!server->reader)
        loop_timer_start(replication->loop, &server->room, commit_ms, on_room);
    if (result > 0)
        return;
    connection_finish(server->connection);
    server_free(server);
}

static void on_room(struct loop_timer *timer)
{
    send_state(CONTAINER_OF(timer, struct join_server, room));
}

/* Not from inside the connection, which may end with that. */
static void server_room(struct connection *connection, void *context)
{
    struct join_server *server = context;
    if (server->is_sending)
        loop_timer_start(server->replication->loop, &server->room, 0, on_room);
}

/* ---- the record ------------------------------------------------------------------------- */

static void let_in(struct join_server *server)
{
    if (!server->connection) { /* it may come again, with the same token */
        server_free(server);
        return;
    }
    send_sealed(server, FRAME_JOIN_ACCEPT, (struct bytes){0});
    server->is_sending = true;
    send_state(server);
}

/* A good one does not count; its minute may be over. */
static void forget_attempt(struct replication *replication)
{
    if (replication->join_attempts > 0)
        replication->join_attempts--;
}

static void tell_fingerprint(struct join_server *server)
{
    char words[FINGERPRINT_TEXT_SIZE], text[256];
    fingerprint_format(server->session->fingerprint, words);
    snprintf(text, sizeof(text), "node %.64s joined by a token of this node; both show: %s",
             server->facts.name, words);
    replication_event(server->replication, EVENT_NODE_FINGERPRINT, text);
}

static void on_committed(void *context, const struct submit_result *result)
{
    struct join_server *server = context;
    server->committing = false;
    if (result->error.kind != ERROR_NONE) {
        refuse(server, result->error.text);
        return;
    }
    forget_attempt(server->replication);
    tell_fingerprint(server);
    let_in(server);
}

/* The token is used up, and both sides' fingerprint is kept, in the transaction of the record.
 */
static void put_rows(struct join_server *server, struct store_batch *batch)
{
    server->token.used_by = server->facts.node_id;
    memcpy(server->token.used_key, server->parties.joiner_key, SIGN_PUBLIC_KEY_SIZE);
    token_row_put(batch, &server->token);
    fingerprint_row_put(batch, &server->facts.node_id, server->session->fingerprint);
}

static void submit_node(struct join_server *server, const struct change_set *changes)
{
    struct replication *replication = server->replication;
    struct store_batch extra = {0};
    put_rows(server, &extra);
    struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes,
                   .change_id = uuid_random(),
                   .author = "root",
                   .via = "join",
                   .kind = RECORD_ROSTER,
                   .token = replication_await(replication, on_committed, NULL, server),
                   .extra = &extra},
    };
    server->committing = true;
    replication_step(replication, &event);
    store_batch_free(&extra);
}

/* A node that was admitted, and did not get to the end, comes again: there is nothing to write
 * about it but the new fingerprint. */
static void admit_again(struct join_server *server)
{
    struct store_batch batch = {0};
    put_rows(server, &batch);
    int result = store_commit(server->replication->store, &batch);
    store_batch_free(&batch);
    if (result) {
        refuse(server, "the store of the inviting node cannot be written");
        return;
    }
    forget_attempt(server->replication);
    tell_fingerprint(server);
    let_in(server);
}

static void add_node(struct join_server *server)
{
    const struct node_facts facts = {
        .id = server->facts.node_id,
        .name = server->facts.name,
        .public_key = server->parties.joiner_key,
        .addresses = &server->facts.addresses,
        .vrrp_address = server->facts.vrrp_address,
        .protocol = server->facts.protocol,
        .version = server->facts.version[0] ? server->facts.version : NULL,
    };
    struct change_set changes = {0};
    if (!membership_plan_admission(server->replication, &facts, &changes))
        refuse(server, "the node's facts do not fit into a record");
    else if (changes.count > 0)
        submit_node(server, &changes);
    else
        admit_again(server);
    change_set_free(&changes);
}

/* ---- who may join ----------------------------------------------------------------------- */

/* Is another attempt with this token about to use it up? */
static bool token_is_taken(const struct join_server *server)
{
    const struct join_server *other = server->replication->join_servers;
    while (other && !(other->committing &&
                      memcmp(other->token.id, server->token.id, TOKEN_ID_SIZE) == 0))
        other = other->next;
    return other != NULL;
}

/* Used up by this joiner itself a token still counts: it may have crashed before the end. */
static bool is_used_by_another(const struct join_server *server)
{
    return !uuid_is_zero(&server->token.used_by) &&
           memcmp(server->token.used_key, server->parties.joiner_key, SIGN_PUBLIC_KEY_SIZE) !=
               0;
}

static const char *objection_to_key(const struct join_server *server,
                                    const struct roster_node *node)
{
    bool same_id = uuid_equal(&node->id, &server->facts.node_id);
    bool same_key =
        memcmp(node->public_key, server->parties.joiner_key, SIGN_PUBLIC_KEY_SIZE) == 0;
    if (node->status != NODE_ACTIVE && (same_id || same_key))
        return "this node was removed from the cluster, and its key does not come back: stop "
               "it, move its state directory away, start it and join with a new token";
    if (same_key != same_id)
        return "a node of the cluster has this id or this key: the state directory is a copy; "
               "move it away, restart the node and join with a new token";
    return NULL;
}

/* Why the node may not join although it has the token, for its operator; NULL: it may. */
static const char *objection(const struct join_server *server)
{
    const struct roster *roster = core_roster(server->replication->core);
    for (size_t i = 0; i < roster->count; i++) {
        const struct roster_node *node = &roster->nodes[i];
        const char *reason = objection_to_key(server, node);
        if (reason)
            return reason;
        if (node->status == NODE_ACTIVE && !uuid_equal(&node->id, &server->facts.node_id) &&
            strcmp(node->name, server->facts.name) == 0)
            return "another node of the cluster has this name; give this one its own name in "
                   "node.yaml";
    }
    if (!uuid_is_zero(&server->token.used_by) &&
        !uuid_equal(&server->token.used_by, &server->facts.node_id))
        return "the token was used already";
    return NULL;
}

/* ---- the conversation ------------------------------------------------------------------- */

static void server_message(struct connection *connection, void *context, struct bytes message)
{
    struct join_server *server = context;
    struct wire_writer body = {0};
    struct token_row now;
    struct error busy;
    const char *reason;
    uint8_t type;
    if (server->committing || server->is_sending)
        return;
    bool confirmed =
        join_session_open(server->session, message, &type, &body) && type == FRAME_JOIN_CONFIRM;
    wire_writer_free(&body);
    if (!confirmed) {
        hang_up(server, "it broke the protocol");
        return;
    }
    /* Read again: another attempt with the same token may have used it up meanwhile. */
    bool is_there = token_row_load(server->replication->store, server->token.id, &now);
    server->token = now;
    secret_wipe(&now, sizeof(now));
    if (!is_there || token_is_taken(server) || is_used_by_another(server))
        refuse(server, "the token was used already");
    else if (!rekey_allows(server->replication, &busy))
        refuse(server, busy.text);
    else if ((reason = objection(server))) /* the roster may be another one by now */
        refuse(server, reason);
    else
        add_node(server);
}

static void server_closed(struct connection *connection, void *context, const char *why)
{
    struct join_server *server = context;
    connection_free(connection);
    server->connection = NULL;
    if (!server->committing) /* else on_committed ends it */
        server_free(server);
}

bool join_is_hello(struct bytes message)
{
    struct bytes body;
    uint8_t type;
    return join_message_parse(message, &type, &body) && type == FRAME_JOIN_HELLO;
}

static bool welcome(struct join_server *server, const char *reason)
{
    struct wire_writer payload = {0}, genesis = {0}, message = {0};
    uint8_t ephemeral[DH_KEY_SIZE];
    if (reason)
        wire_put_text(&payload, 2, reason);
    else if (store_get(server->replication->store, STORE_META,
                       (struct bytes){(const uint8_t *)"g", 1}, &genesis) == 0)
        wire_put_bytes(&payload, 1, wire_written(&genesis));
    random_bytes(ephemeral, sizeof(ephemeral));
    join_message_begin(&message, FRAME_JOIN_WELCOME);
    bool made = join_session_write(server->session, &server->parties, ephemeral,
                                   wire_written(&payload), &message);
    if (made)
        connection_send(server->connection, wire_written(&message));
    secret_wipe(ephemeral, sizeof(ephemeral));
    wire_writer_free(&payload);
    wire_writer_free(&genesis);
    wire_writer_free(&message);
    return made;
}

/* A few a minute that come to nothing, whatever they are: nobody tries tokens out here. */
static bool attempt_is_allowed(struct replication *replication)
{
    const uint64_t minute_us = 60000000, now_us = replication_now(replication).mono_us;
    if (now_us - replication->join_attempts_since_us > minute_us) {
        replication->join_attempts_since_us = now_us;
        replication->join_attempts = 0;
    }
    if (replication->join_attempts >= JOIN_ATTEMPTS)
        return false;
    replication->join_attempts++;
    return true;
}

static size_t servers_of(const struct replication *replication)
{
    size_t count = 0;
    for (const struct join_server *at = replication->join_servers; at; at = at->next)
        count++;
    return count;
}

static bool has_proof(struct join_server *server, struct bytes handshake)
{
    struct wire_writer payload = {0};
    bool good = join_session_start(server->session, false, server->replication->key,
                                   &server->parties, server->token.psk) &&
                join_session_read(server->session, &server->parties, handshake, &payload);
    if (!good && ++server->token.wrong_proofs >= TOKEN_MAXIMUM_TRIES)
        server->token.expires_wall_ms = 0; /* it is over; a list still shows why */
    if (!good)
        token_row_save(server->replication->store, &server->token);
    if (good && !join_facts_parse(wire_written(&payload), &server->facts))
        server->facts = (struct join_facts){0};
    wire_writer_free(&payload);
    return good;
}

/* Why HELLO gets no answer; NULL: it proves that the joiner has a token of this node. */
static const char *examine(struct join_server *server, const struct join_hello *hello)
{
    struct replication *replication = server->replication;
    const uint64_t now_ms = replication_now(replication).wall_ms;
    server->parties.cluster_id = core_genesis(replication->core)->cluster_id;
    memcpy(server->parties.token_id, hello->token_id, TOKEN_ID_SIZE);
    memcpy(server->parties.joiner_key, hello->public_key, SIGN_PUBLIC_KEY_SIZE);
    memcpy(server->parties.inviter_key, sign_key_public(replication->key),
           SIGN_PUBLIC_KEY_SIZE);
    if (!core_is_initialised(replication->core) || core_was_removed(replication->core))
        return "this node is not part of a cluster";
    if (!token_row_load(replication->store, hello->token_id, &server->token))
        return "this node has no such token; tokens of another node are void here";
    if (server->token.expires_wall_ms < now_ms)
        return "the token has expired, or was tried with wrong proofs too often";
    if (is_used_by_another(server))
        return "the token was used already";
    if (servers_of(replication) > SERVERS || !attempt_is_allowed(replication))
        return "too many attempts to join within a minute";
    return has_proof(server, hello->handshake) ? NULL
                                               : "it could not prove that it has the token";
}

static const struct connection_handler server_handler = {server_message, server_closed,
                                                         server_room};

void join_serve(struct replication *replication,
                struct connection *connection,
                struct bytes hello)
{
    struct join_server *server = memory_new(sizeof(*server));
    struct join_hello parsed;
    struct bytes body = {0};
    uint8_t type;
    server->replication = replication;
    server->next = replication->join_servers;
    replication->join_servers = server;
    server->connection = connection;
    server->session = secret_allocate(sizeof(*server->session));
    connection_set_handler(connection, &server_handler, server);
    const char *unanswered = "what it sent is malformed";
    if (join_message_parse(hello, &type, &body) && join_hello_parse(body, &parsed))
        unanswered = examine(server, &parsed);
    const char *reason = unanswered ? NULL
                         : server->facts.name[0]
                             ? objection(server)
                             : "what the node says about itself is malformed";
    if (!unanswered) /* it is no stranger */
        connection_set_limits(connection, CONNECTION_STRANGER_MAXIMUM, ANSWER_MS);
    if (unanswered) {
        hang_up(server, unanswered);
    } else if (!welcome(server, reason)) {
        hang_up(server, "no handshake came about");
    } else if (reason) {
        tell_refusal(server, reason);
        connection_finish(server->connection);
        server_free(server);
    }
}

void join_servers_end_sending(struct replication *replication)
{
    struct join_server *server = replication->join_servers, *next;
    for (; server; server = next) {
        next = server->next;
        if (!server->is_sending)
            continue;
        connection_free(server->connection);
        server_free(server);
    }
}

void join_servers_cancel(struct replication *replication)
{
    while (replication->join_servers) {
        connection_free(replication->join_servers->connection);
        server_free(replication->join_servers);
    }
}
