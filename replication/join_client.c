/* The joiner's side: hello, challenge, proof; then genesis and a snapshot, each record of it
 * checked from the genesis on, committed at once when the last part is here. Nothing is kept of
 * a join that breaks off. */
#include "lbnode/base/random.h"
#include "lbnode/base/text.h"
#include "replication/join.h"
#include "replication/join_message.h"
#include "replication/memory.h"
#include "replication/snapshot_build.h"

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
    uint8_t *hello_bytes, *challenge_bytes;
    size_t hello_size, challenge_size;
    uint8_t *genesis_bytes;
    size_t genesis_size;
    bool accepted;
    struct snapshot_build *build; /* the state that grows */
};

static void client_free(struct join_client *client)
{
    secret_wipe(&client->token, sizeof(client->token));
    connection_free(client->connection);
    snapshot_build_free(client->build);
    free(client->hello_bytes);
    free(client->challenge_bytes);
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

static void send_message(struct join_client *client, struct wire_writer *message)
{
    connection_send(client->connection, wire_written(message));
    wire_writer_free(message);
}

static void send_hello(struct join_client *client)
{
    const struct replication *replication = client->replication;
    struct wire_writer message = {0};
    struct join_hello hello = {
        .node_id = replication->node_id,
        .addresses = replication->settings.addresses, /* borrowed */
        .vrrp_address = replication->settings.vrrp_address,
    };
    token_id(client->token.secret, hello.token_id);
    memcpy(hello.public_key, sign_key_public(replication->key), SIGN_PUBLIC_KEY_SIZE);
    snprintf(hello.name, sizeof(hello.name), "%s", replication->settings.node_name);
    random_bytes(hello.nonce, sizeof(hello.nonce));
    join_message_begin(&message, FRAME_JOIN_HELLO);
    join_hello_put(&message, &hello);
    client->hello_bytes = memory_copy(message.data, message.size);
    client->hello_size = message.size;
    send_message(client, &message);
}

static void answer_challenge(struct join_client *client, struct bytes message)
{
    struct wire_writer answer = {0};
    uint8_t proof[HASH_SIZE];
    client->challenge_bytes = memory_copy(message.data, message.size);
    client->challenge_size = message.size;
    struct bytes transcript[] = {{client->hello_bytes, client->hello_size},
                                 {client->challenge_bytes, client->challenge_size}};
    token_proof(client->token.secret, false, transcript, ARRAY_LENGTH(transcript), proof);
    join_message_begin(&answer, FRAME_JOIN_PROOF);
    wire_put_bytes(&answer, 1, (struct bytes){proof, sizeof(proof)});
    send_message(client, &answer);
}

static bool check_accept(struct join_client *client, struct bytes body, struct genesis *out)
{
    struct bytes proof, bytes;
    uint8_t expected[HASH_SIZE];
    if (!join_field(body, 1, &proof) || !join_field(body, 2, &bytes) || proof.size != HASH_SIZE)
        return false;
    struct bytes transcript[] = {{client->hello_bytes, client->hello_size},
                                 {client->challenge_bytes, client->challenge_size},
                                 bytes};
    token_proof(client->token.secret, true, transcript, ARRAY_LENGTH(transcript), expected);
    if (!constant_time_equal(expected, proof.data, HASH_SIZE) || !genesis_parse(bytes, out) ||
        !uuid_equal(&out->cluster_id, &client->token.cluster_id))
        return false;
    client->genesis_bytes = memory_copy(bytes.data, bytes.size);
    client->genesis_size = bytes.size;
    return true;
}

static void take_accept(struct join_client *client, struct bytes body)
{
    struct genesis genesis;
    struct error error;
    if (!check_accept(client, body, &genesis)) {
        fail(client, ERROR_REFUSED,
             "the inviting node could not prove that it knows the token");
        return;
    }
    struct core *core = replication_load_core(client->replication, &error);
    if (!core) {
        finish(client, &error);
        return;
    }
    core_found(core, &genesis);
    client->build = snapshot_build_new(core);
    store_batch_put(snapshot_build_rows(client->build), STORE_META,
                    (struct bytes){(const uint8_t *)"g", 1},
                    (struct bytes){client->genesis_bytes, client->genesis_size});
    client->accepted = true;
    connection_set_limits(client->connection, SNAPSHOT_PART_MAXIMUM, ANSWER_MS);
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

static void take_refusal(struct join_client *client, struct bytes body)
{
    struct bytes reason;
    char text[256] = "the inviting node refused";
    if (join_field(body, 1, &reason) &&
        text_is_clean_utf8((const char *)reason.data, reason.size))
        snprintf(text, sizeof(text), "%.*s", (int)reason.size, (const char *)reason.data);
    fail(client, ERROR_REFUSED, text);
}

static void client_message(struct connection *connection, void *context, struct bytes message)
{
    struct join_client *client = context;
    struct snapshot_part part;
    struct bytes body;
    uint8_t type;
    if (!join_message_parse(message, &type, &body)) {
        fail(client, ERROR_REFUSED, "what answers at the token's address is no lbnode");
        return;
    }
    if (type == FRAME_JOIN_REFUSED)
        take_refusal(client, body);
    else if (type == FRAME_JOIN_CHALLENGE && !client->challenge_bytes)
        answer_challenge(client, message);
    else if (type == FRAME_JOIN_ACCEPT && client->challenge_bytes && !client->accepted)
        take_accept(client, body);
    else if (client->accepted && snapshot_part_parse(type, body, &part))
        take_part(client, &part);
    else
        fail(client, ERROR_REFUSED, "the inviting node broke the protocol");
}

static void client_closed(struct connection *connection, void *context, const char *why)
{
    struct join_client *client = context;
    char endpoint[IP_ENDPOINT_TEXT_SIZE], text[200];
    ip_endpoint_format(&client->token.inviter, endpoint);
    snprintf(text, sizeof(text), "the inviting node at %s cannot be reached: %s", endpoint,
             why);
    fail(client, ERROR_UNREACHABLE, text);
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
    if (token->expires_wall_ms < replication_now(replication).wall_ms)
        return error_set(error, ERROR_REFUSED,
                         "the token has expired (or a clock is wrong); create a new one with "
                         "lbnode token create");
    if (replication->settings.addresses.count == 0)
        return error_set(error, ERROR_REFUSED,
                         "this node has no address that others could reach; set addresses in "
                         "node.yaml");
    return true;
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
    replication->join = client;
    client->connection = connection_open(replication->loop, &parsed.inviter, &handler, client);
    if (!client->connection) {
        client_closed(NULL, client, strerror(errno));
        return;
    }
    connection_set_limits(client->connection, CONNECTION_STRANGER_MAXIMUM, ANSWER_MS);
    send_hello(client);
}

void join_client_cancel(struct replication *replication)
{
    if (replication->join)
        client_free(replication->join);
    replication->join = NULL;
}
