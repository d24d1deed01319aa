/* The inviter's side of a join, and its tokens. States of one attempt: hello -> challenge sent
 * -> proof checked -> node record committed -> everything sent. A token row in the store's meta
 * table: 't' and the token's id -> {1 secret, 2 expiry in wall ms, 3 wrong proofs}. */
#include "replication/join.h"

#include "lbnode/base/random.h"
#include "replication/join_message.h"
#include "replication/memory.h"
#include "replication/snapshot_read.h"
#include "replication/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOKEN_KEY_SIZE = 1 + TOKEN_ID_SIZE,
    ANSWER_MS = 10000,
    QUEUE_HIGH = 256 << 10,   /* bytes that may wait for the joiner */
    BYTES_PER_TURN = 64 << 10 /* the loop has other work */
};

struct token_row {
    uint8_t key[TOKEN_KEY_SIZE];
    uint8_t secret[TOKEN_SECRET_SIZE];
    uint64_t expires_wall_ms, wrong_proofs;
};

struct join_server {
    struct replication *replication;
    struct join_server *next;
    struct connection *connection; /* NULL: the joiner went away while the record commits */
    struct token_row token;
    struct join_hello hello;
    uint8_t *hello_bytes, *challenge_bytes;
    size_t hello_size, challenge_size;
    bool committing, is_sending;
    struct snapshot_reader *reader; /* once it is sending and no commit is under way */
    struct loop_timer room;         /* more can be sent */
};

/* ---- token rows ------------------------------------------------------------------------- */

static void put_token(struct store_batch *batch, const struct token_row *token)
{
    struct wire_writer value = {0};
    wire_put_bytes(&value, 1, (struct bytes){token->secret, TOKEN_SECRET_SIZE});
    wire_put_varint(&value, 2, token->expires_wall_ms);
    wire_put_varint(&value, 3, token->wrong_proofs);
    store_batch_put(batch, STORE_META, (struct bytes){token->key, TOKEN_KEY_SIZE},
                    wire_written(&value));
    wire_writer_free(&value);
}

static int save_token(struct replication *replication, const struct token_row *token)
{
    struct store_batch batch = {0};
    if (token->wrong_proofs >= TOKEN_MAXIMUM_TRIES)
        store_batch_remove(&batch, STORE_META, (struct bytes){token->key, TOKEN_KEY_SIZE});
    else
        put_token(&batch, token);
    int result = store_commit(replication->store, &batch);
    store_batch_free(&batch);
    return result;
}

static bool load_token(struct replication *replication,
                       const uint8_t id[TOKEN_ID_SIZE],
                       struct token_row *out)
{
    struct wire_writer stored = {0};
    *out = (struct token_row){.key = {'t'}};
    memcpy(out->key + 1, id, TOKEN_ID_SIZE);
    bool found = store_get(replication->store, STORE_META,
                           (struct bytes){out->key, TOKEN_KEY_SIZE}, &stored) == 0;
    struct wire_reader reader = wire_reader_of(wire_written(&stored));
    struct wire_field field;
    while (found && wire_next(&reader, &field)) {
        if (field.number == 1 && field.bytes.size == TOKEN_SECRET_SIZE)
            memcpy(out->secret, field.bytes.data, TOKEN_SECRET_SIZE);
        else if (field.number == 2)
            out->expires_wall_ms = field.integer;
        else if (field.number == 3)
            out->wrong_proofs = field.integer;
    }
    found = found && wire_ended(&reader);
    if (stored.data)
        secret_wipe(stored.data, stored.size);
    wire_writer_free(&stored);
    return found;
}

bool replication_token_create(struct replication *replication,
                              uint32_t ttl_s,
                              char out_token[JOIN_TOKEN_SIZE],
                              struct error *error)
{
    const struct core *core = replication->core;
    struct join_token token = {.cluster_id = core_genesis(core)->cluster_id};
    struct token_row row = {.key = {'t'}};
    if (!core_is_initialised(core) || core_was_removed(core))
        return error_set(error, ERROR_REFUSED,
                         "this node is not part of a cluster; run lbnode init first");
    if (ttl_s == 0 || ttl_s > TOKEN_MAXIMUM_TTL_S)
        return error_set(error, ERROR_INVALID, "a token may live 1 to %d seconds, not %u",
                         TOKEN_MAXIMUM_TTL_S, ttl_s);
    if (replication->settings.addresses.count == 0 ||
        !ip_endpoint_parse(replication->settings.addresses.items[0], 7850, &token.inviter))
        return error_set(error, ERROR_REFUSED,
                         "this node has no address that others could reach; set addresses in "
                         "node.yaml");
    memcpy(token.inviter_key, sign_key_public(replication->key), SIGN_PUBLIC_KEY_SIZE);
    random_bytes(token.secret, sizeof(token.secret));
    token.expires_wall_ms = replication_now(replication).wall_ms + 1000ull * ttl_s;
    memcpy(row.secret, token.secret, sizeof(row.secret));
    row.expires_wall_ms = token.expires_wall_ms;
    token_id(token.secret, row.key + 1);
    int result = save_token(replication, &row);
    bool made = result == 0 && token_format(&token, out_token);
    secret_wipe(&token, sizeof(token));
    secret_wipe(&row, sizeof(row));
    return made || error_set(error, ERROR_REFUSED, "the token could not be stored: %s",
                             strerror(-result));
}

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
    join_hello_free(&server->hello);
    free(server->hello_bytes);
    free(server->challenge_bytes);
    free(server);
}

static void send_message(struct join_server *server, struct wire_writer *message)
{
    connection_send(server->connection, wire_written(message));
    wire_writer_free(message);
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

static void tell_refusal(struct join_server *server, const char *answer)
{
    struct replication *replication = server->replication;
    char text[256];
    join_refusals_tick(replication);
    if (!event_limit_take(&replication->join_refusals, replication_now(replication).mono_us))
        return;
    snprintf(text, sizeof(text), "node %.64s was refused: %.150s",
             server->hello.name[0] ? server->hello.name : "?", answer);
    replication_event(replication, EVENT_JOIN_REFUSED, text);
}

/* Tells the joiner why (ANSWER) and the operator of this node what happened, and ends it. */
static void refuse(struct join_server *server, const char *answer)
{
    struct wire_writer message = {0};
    tell_refusal(server, answer);
    if (server->connection) {
        join_message_begin(&message, FRAME_JOIN_REFUSED);
        wire_put_text(&message, 1, answer);
        send_message(server, &message);
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
        struct wire_writer body = {0}, message = {0};
        uint32_t type;
        result = snapshot_reader_next(server->reader, &type, &body);
        if (result > 0) {
            join_message_begin(&message, (uint8_t)type);
            wire_append(&message, body.data, body.size);
            sent += message.size;
            send_message(server, &message);
        }
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

static void send_accept(struct join_server *server)
{
    struct wire_writer message = {0}, genesis = {0};
    uint8_t proof[HASH_SIZE];
    store_get(server->replication->store, STORE_META, (struct bytes){(const uint8_t *)"g", 1},
              &genesis);
    struct bytes transcript[] = {{server->hello_bytes, server->hello_size},
                                 {server->challenge_bytes, server->challenge_size},
                                 wire_written(&genesis)};
    token_proof(server->token.secret, true, transcript, ARRAY_LENGTH(transcript), proof);
    join_message_begin(&message, FRAME_JOIN_ACCEPT);
    wire_put_bytes(&message, 1, (struct bytes){proof, sizeof(proof)});
    wire_put_bytes(&message, 2, wire_written(&genesis));
    send_message(server, &message);
    wire_writer_free(&genesis);
}

static void on_committed(void *context, const struct submit_result *result)
{
    struct join_server *server = context;
    server->committing = false;
    if (result->error.kind != ERROR_NONE) {
        refuse(server, result->error.text);
        return;
    }
    if (server->connection) {
        send_accept(server);
        server->is_sending = true;
        send_state(server);
        return;
    }
    server_free(server);
}

static void add_node(struct join_server *server)
{
    struct replication *replication = server->replication;
    const struct node_facts facts = {
        .id = server->hello.node_id,
        .name = server->hello.name,
        .public_key = server->hello.public_key,
        .addresses = &server->hello.addresses,
        .vrrp_address = server->hello.vrrp_address,
    };
    struct change_set changes = {0};
    struct store_batch extra = {0};
    const struct facet_table *facets = core_facets(replication->core);
    if (!membership_plan_node(facets, &facts, &changes) ||
        !keyring_plan_grants(replication->keyring, facets, &facts.id, facts.public_key,
                             &changes)) {
        change_set_free(&changes);
        refuse(server, "the node's facts do not fit into a record");
        return;
    }
    store_batch_remove(&extra, STORE_META, (struct bytes){server->token.key, TOKEN_KEY_SIZE});
    struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = &changes,
                   .change_id = uuid_random(),
                   .author = "root",
                   .via = "join",
                   .kind = RECORD_ROSTER,
                   .token = replication_await(replication, on_committed, NULL, server),
                   .extra = &extra},
    };
    server->committing = true;
    connection_set_limits(server->connection, CONNECTION_STRANGER_MAXIMUM, ANSWER_MS);
    replication_step(replication, &event);
    store_batch_free(&extra);
    change_set_free(&changes);
}

/* Is another attempt with this token about to use it up? */
static bool token_is_taken(const struct join_server *server)
{
    const struct join_server *other = server->replication->join_servers;
    while (other && !(other->committing &&
                      memcmp(other->token.key, server->token.key, TOKEN_KEY_SIZE) == 0))
        other = other->next;
    return other != NULL;
}

static void check_proof(struct join_server *server, struct bytes body)
{
    struct bytes proof = {0};
    uint8_t expected[HASH_SIZE];
    struct bytes transcript[] = {{server->hello_bytes, server->hello_size},
                                 {server->challenge_bytes, server->challenge_size}};
    /* Read again: another attempt with the same token may have used it up meanwhile. */
    if (token_is_taken(server) ||
        !load_token(server->replication, server->hello.token_id, &server->token)) {
        refuse(server, "the token was used already");
        return;
    }
    token_proof(server->token.secret, false, transcript, ARRAY_LENGTH(transcript), expected);
    if (join_field(body, 1, &proof) && proof.size == HASH_SIZE &&
        constant_time_equal(proof.data, expected, HASH_SIZE)) {
        add_node(server);
        return;
    }
    server->token.wrong_proofs++;
    save_token(server->replication, &server->token);
    refuse(server, "the token is wrong");
}

static void server_message(struct connection *connection, void *context, struct bytes message)
{
    struct join_server *server = context;
    struct bytes body;
    uint8_t type;
    if (!server->committing && !server->is_sending &&
        join_message_parse(message, &type, &body) && type == FRAME_JOIN_PROOF)
        check_proof(server, body);
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

/* NULL when the joiner may go on. */
static const char *objection(struct join_server *server)
{
    const struct replication *replication = server->replication;
    const struct roster *roster = core_roster(replication->core);
    if (!core_is_initialised(replication->core) || core_was_removed(replication->core))
        return "this node is not part of a cluster";
    if (!load_token(server->replication, server->hello.token_id, &server->token))
        return "the token is not valid here: it was used already, or was replaced; create a "
               "new one with lbnode token create";
    if (server->token.expires_wall_ms < replication_now(replication).wall_ms)
        return "the token has expired; create a new one with lbnode token create";
    for (size_t i = 0; i < roster->count; i++)
        if (roster->nodes[i].status == NODE_ACTIVE &&
            !uuid_equal(&roster->nodes[i].id, &server->hello.node_id) &&
            strcmp(roster->nodes[i].name, server->hello.name) == 0)
            return "another node of the cluster has this name; give this one its own name in "
                   "node.yaml";
    return NULL;
}

static void send_challenge(struct join_server *server)
{
    struct wire_writer message = {0};
    uint8_t nonce[JOIN_NONCE_SIZE];
    random_bytes(nonce, sizeof(nonce));
    join_message_begin(&message, FRAME_JOIN_CHALLENGE);
    wire_put_bytes(&message, 1, (struct bytes){nonce, sizeof(nonce)});
    server->challenge_bytes = memory_copy(message.data, message.size);
    server->challenge_size = message.size;
    send_message(server, &message);
}

static const struct connection_handler server_handler = {server_message, server_closed,
                                                         server_room};

void join_serve(struct replication *replication,
                struct connection *connection,
                struct bytes hello)
{
    struct join_server *server = memory_new(sizeof(*server));
    struct bytes body = {0};
    uint8_t type;
    server->replication = replication;
    server->next = replication->join_servers;
    replication->join_servers = server;
    server->connection = connection;
    connection_set_handler(connection, &server_handler, server);
    if (!join_message_parse(hello, &type, &body) || !join_hello_parse(body, &server->hello)) {
        refuse(server, "the request to join is malformed");
        return;
    }
    server->hello_bytes = memory_copy(hello.data, hello.size);
    server->hello_size = hello.size;
    const char *reason = objection(server);
    if (reason)
        refuse(server, reason);
    else
        send_challenge(server);
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
