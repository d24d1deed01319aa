/* The joiner's side: hello with the first half of a handshake, welcome with the other half and
 * the genesis, confirmation; then a snapshot, each record of it checked from the genesis on,
 * committed at once when the last part is here. Nothing is kept of a join that breaks off; it
 * may be begun again with the same token, which this node alone can still use. */
#include "lbnode/base/monotime.h"
#include "lbnode/base/random.h"
#include "lbnode/base/release.h"
#include "lbnode/base/text.h"
#include "replication/join.h"
#include "replication/join_message.h"
#include "replication/join_session.h"
#include "replication/memory.h"
#include "replication/snapshot_build.h"
#include "replication/token_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 10000
};

struct join_client {
    struct replication *replication;
    struct connection *connection;
    uint64_t waiter;
    struct join_token token;
    struct join_parties parties;
    struct join_session *session; /* in guarded memory */
    uint8_t *genesis_bytes;
    size_t genesis_size;
    struct genesis genesis;
    struct snapshot_build *build; /* the state that grows, once accepted */
};

static void client_free(struct join_client *client)
{
    secret_wipe(&client->token, sizeof(client->token));
    connection_free(client->connection);
    snapshot_build_free(client->build);
    secret_free(client->session);
    free(client->genesis_bytes);
    free(client);
}

static void finish(struct join_client *client, const struct error *error)
{
    struct replication *replication = client->replication;
    replication->join = NULL;
    replication_finish(replication, client->waiter, error);
    client_free(client);
}

static void fail(struct join_client *client, enum error_kind kind, const char *text)
{
    struct error error;
    error_set(&error, kind, "%s", text);
    finish(client, &error);
}

/* The first message: who this node is, readable for the inviter alone. */
static bool send_hello(struct join_client *client)
{
    const struct replication *replication = client->replication;
    struct wire_writer facts = {0}, handshake = {0}, message = {0};
    uint8_t ephemeral[DH_KEY_SIZE];
    struct join_facts said = {
        .node_id = replication->node_id,
        .addresses = replication->settings.addresses, /* borrowed */
        .vrrp_address = replication->settings.vrrp_address,
        .protocol = replication->settings.protocol,
    };
    struct join_hello hello;
    snprintf(said.version, sizeof(said.version), "%s", release_version());
    snprintf(said.name, sizeof(said.name), "%s", replication->settings.node_name);
    join_facts_put(&facts, &said);
    random_bytes(ephemeral, sizeof(ephemeral));
    bool made = join_session_write(client->session, &client->parties, ephemeral,
                                   wire_written(&facts), &handshake);
    secret_wipe(ephemeral, sizeof(ephemeral));
    memcpy(hello.token_id, client->parties.token_id, TOKEN_ID_SIZE);
    memcpy(hello.public_key, client->parties.joiner_key, SIGN_PUBLIC_KEY_SIZE);
    hello.handshake = wire_written(&handshake);
    join_message_begin(&message, FRAME_JOIN_HELLO);
    join_hello_put(&message, &hello);
    if (made)
        connection_send(client->connection, wire_written(&message));
    wire_writer_free(&facts);
    wire_writer_free(&handshake);
    wire_writer_free(&message);
    return made;
}

static void take_refusal(struct join_client *client, struct bytes reason)
{
    char text[256] = "the inviting node refused";
    if (text_is_clean_utf8((const char *)reason.data, reason.size))
        snprintf(text, sizeof(text), "%.*s", (int)reason.size, (const char *)reason.data);
    fail(client, ERROR_REFUSED, text);
}

static void send_confirmation(struct join_client *client)
{
    struct wire_writer message = {0};
    join_session_seal(client->session, FRAME_JOIN_CONFIRM, (struct bytes){0}, &message);
    connection_send(client->connection, wire_written(&message));
    wire_writer_free(&message);
}

/* The payload of the second half of the handshake. */
static void take_welcome(struct join_client *client, struct bytes payload)
{
    struct bytes genesis, reason;
    if (join_field(payload, 2, &reason)) {
        take_refusal(client, reason);
        return;
    }
    if (!join_field(payload, 1, &genesis) || !genesis_parse(genesis, &client->genesis) ||
        !uuid_equal(&client->genesis.cluster_id, &client->token.cluster_id)) {
        fail(client, ERROR_REFUSED, "the inviting node is of another cluster than the token");
        return;
    }
    client->genesis_bytes = memory_copy(genesis.data, genesis.size);
    client->genesis_size = genesis.size;
    send_confirmation(client);
}

static void take_handshake(struct join_client *client, struct bytes body)
{
    struct wire_writer payload = {0};
    if (join_session_read(client->session, &client->parties, body, &payload))
        take_welcome(client, wire_written(&payload));
    else
        fail(client, ERROR_REFUSED,
             "what answers at the token's address is not the node that made the token, or the "
             "messages were changed on their way");
    wire_writer_free(&payload);
}

/* This node is in the cluster. */
static void take_accept(struct join_client *client)
{
    struct error error;
    struct core *core = replication_load_core(client->replication, &error);
    if (!core) {
        finish(client, &error);
        return;
    }
    core_found(core, &client->genesis);
    client->build = snapshot_build_new(core);
    struct store_batch *rows = snapshot_build_rows(client->build);
    store_batch_put(rows, STORE_META, (struct bytes){(const uint8_t *)"g", 1},
                    (struct bytes){client->genesis_bytes, client->genesis_size});
    fingerprint_row_put(rows, &client->replication->node_id, client->session->fingerprint);
    connection_set_limits(client->connection,
                          SNAPSHOT_PART_MAXIMUM + SNAPSHOT_PART_MAXIMUM / 512, ANSWER_MS);
}

static void take_end(struct join_client *client)
{
    struct replication *replication = client->replication;
    const struct roster_node *self =
        roster_find(core_roster(snapshot_build_core(client->build)), &replication->node_id);
    if (!self || self->status != NODE_ACTIVE) {
        fail(client, ERROR_REFUSED,
             "the inviting node sent a state that does not have this node in it; try again "
             "with a new token");
        return;
    }
    snapshot_build_finish(client->build);
    int result = store_commit(replication->store, snapshot_build_rows(client->build));
    if (result) {
        struct error error;
        error_set(&error, ERROR_REFUSED, "the store cannot be written: %s", strerror(-result));
        finish(client, &error);
        return;
    }
    core_free(replication->core);
    replication->core = snapshot_build_take_core(client->build);
    finish(client, &(struct error){.kind = ERROR_NONE});
    memory_trim();
    if (replication->handler.applied)
        replication->handler.applied(replication->handler.context,
                                     core_position(replication->core));
    replication_step(replication, &(struct core_event){.kind = CORE_TICK});
}

static void take_part(struct join_client *client, const struct snapshot_part *part)
{
    char text[256];
    switch (snapshot_build_take(client->build, part, replication_now(client->replication))) {
    case SNAPSHOT_GOES_ON: break;
    case SNAPSHOT_COMPLETE: take_end(client); break;
    case SNAPSHOT_IS_WRONG:
        snprintf(text, sizeof(text), "the state from the inviting node is not usable: %s",
                 snapshot_build_problem(client->build));
        fail(client, ERROR_REFUSED, text);
        break;
    }
}

static void take_sealed(struct join_client *client, uint8_t type, struct bytes body)
{
    struct snapshot_part part;
    struct bytes reason;
    if (type == FRAME_JOIN_REFUSED && join_field(body, 1, &reason))
        take_refusal(client, reason);
    else if (type == FRAME_JOIN_ACCEPT && !client->build)
        take_accept(client);
    else if (client->build && snapshot_part_parse(type, body, &part))
        take_part(client, &part);
    else
        fail(client, ERROR_REFUSED, "the inviting node broke the protocol");
}

static void client_message(struct connection *connection, void *context, struct bytes message)
{
    struct join_client *client = context;
    struct wire_writer opened = {0};
    struct bytes body;
    uint8_t type;
    if (!join_message_parse(message, &type, &body))
        fail(client, ERROR_REFUSED,
             "what answers at the token's address is no lbnode, or one of another version");
    else if (type == FRAME_JOIN_WELCOME && !client->genesis_bytes)
        take_handshake(client, body);
    else if (join_session_open(client->session, message, &type, &opened))
        take_sealed(client, type, wire_written(&opened));
    else
        fail(client, ERROR_REFUSED, "a message of the inviting node was changed on its way");
    wire_writer_free(&opened);
}

/* The inviter says nothing to whom it does not know: what may be the cause is told here. */
static void explain_silence(const struct join_client *client, char *text, size_t size)
{
    char endpoint[IP_ENDPOINT_TEXT_SIZE], expiry[WALLTIME_TEXT_SIZE];
    ip_endpoint_format(&client->token.inviter, endpoint);
    walltime_format(client->token.expires_wall_ms, expiry);
    snprintf(text, size,
             "the node at %s gave no answer, which means that it does not take this token: it "
             "was used already, or has expired (%s), or comes from another node than the one "
             "at this address now, or there were %d attempts within a minute; create a new one "
             "with lbnode token create",
             endpoint, expiry, JOIN_ATTEMPTS);
}

static void client_closed(struct connection *connection, void *context, const char *why)
{
    struct join_client *client = context;
    char endpoint[IP_ENDPOINT_TEXT_SIZE], text[400];
    ip_endpoint_format(&client->token.inviter, endpoint);
    if (client->genesis_bytes)
        snprintf(text, sizeof(text),
                 "the connection to the inviting node at %s broke: %s; run the same command "
                 "again",
                 endpoint, why);
    else if (connection && connection_is_open(connection))
        explain_silence(client, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "the inviting node at %s cannot be reached: %s", endpoint,
                 why);
    bool unanswered = !client->genesis_bytes && connection && connection_is_open(connection);
    fail(client, unanswered ? ERROR_REFUSED : ERROR_UNREACHABLE, text);
}

static bool check_clock(const struct join_token *token, uint64_t now_ms, struct error *error)
{
    char expiry[WALLTIME_TEXT_SIZE], now[WALLTIME_TEXT_SIZE];
    walltime_format(token->expires_wall_ms, expiry);
    walltime_format(now_ms, now);
    switch (token_check_clock(token, now_ms)) {
    case TOKEN_CLOCK_FITS: return true;
    case TOKEN_IS_PAST:
        return error_set(error, ERROR_REFUSED,
                         "the token expired at %s, and this host's clock says %s; create a new "
                         "one with lbnode token create, or set the clock",
                         expiry, now);
    case TOKEN_IS_FAR_AHEAD:
        return error_set(error, ERROR_REFUSED,
                         "the token is valid until %s, longer than a token can be, as this "
                         "host's clock says %s: set the clock",
                         expiry, now);
    }
    return false;
}

static bool may_join(const struct replication *replication,
                     const char *text,
                     struct join_token *token,
                     struct error *error)
{
    if (core_is_initialised(replication->core))
        return error_set(error, ERROR_CONFLICT,
                         "this node is already part of a cluster; move its state directory "
                         "away to join another one");
    if (replication->join)
        return error_set(error, ERROR_CONFLICT, "this node is joining already");
    if (!token_parse(text, token))
        return error_set(error, ERROR_INVALID,
                         "this is not a complete token; copy it again, or create a new one "
                         "with lbnode token create");
    if (!check_clock(token, replication_now(replication).wall_ms, error))
        return false;
    if (replication->settings.addresses.count == 0)
        return error_set(error, ERROR_REFUSED,
                         "this node has no address that others could reach; set addresses in "
                         "node.yaml");
    return true;
}

static bool start_session(struct join_client *client)
{
    const struct sign_key *key = client->replication->key;
    struct join_parties *parties = &client->parties;
    uint8_t psk[TOKEN_PSK_SIZE];
    client->session = secret_allocate(sizeof(*client->session));
    parties->cluster_id = client->token.cluster_id;
    token_id(client->token.secret, parties->token_id);
    token_psk(client->token.secret, psk);
    memcpy(parties->joiner_key, sign_key_public(key), SIGN_PUBLIC_KEY_SIZE);
    memcpy(parties->inviter_key, client->token.inviter_key, SIGN_PUBLIC_KEY_SIZE);
    bool started = join_session_start(client->session, true, key, parties, psk);
    secret_wipe(psk, sizeof(psk));
    return started;
}

void replication_join(struct replication *replication,
                      const char *token,
                      replication_done *done,
                      void *context)
{
    static const struct connection_handler handler = {client_message, client_closed};
    uint64_t waiter = replication_await(replication, NULL, done, context);
    struct join_token parsed;
    struct error error;
    if (!may_join(replication, token, &parsed, &error)) {
        replication_finish(replication, waiter, &error);
        return;
    }
    struct join_client *client = memory_new(sizeof(*client));
    client->replication = replication;
    client->waiter = waiter;
    client->token = parsed;
    secret_wipe(&parsed, sizeof(parsed));
    replication->join = client;
    client->connection =
        connection_open(replication->loop, &client->token.inviter, &handler, client);
    if (!client->connection) {
        client_closed(NULL, client, strerror(errno));
        return;
    }
    connection_set_limits(client->connection, CONNECTION_STRANGER_MAXIMUM, ANSWER_MS);
    if (!start_session(client) || !send_hello(client))
        fail(client, ERROR_INVALID, "the token names a key that is none");
}

void join_client_cancel(struct replication *replication)
{
    if (replication->join)
        client_free(replication->join);
    replication->join = NULL;
}
