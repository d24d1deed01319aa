#include "fuzz_session.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t cluster_secret[SESSION_SECRET_SIZE] = "secret";

static void fixed_bytes(void *context, void *out, size_t size)
{
    struct fuzz_pair *pair = context;
    memset(out, 1, size);
    *(uint8_t *)out = ++pair->counter;
}

static void pair_start(struct fuzz_pair *pair)
{
    struct session_secret secret = {.version = 1};
    struct dh_key keys[2];
    crypto_start();
    memcpy(secret.secret, cluster_secret, sizeof(cluster_secret));
    for (int i = 0; i < 2; i++) {
        const uint8_t seed[DH_KEY_SIZE] = {(uint8_t)(i + 1)};
        dh_key_from_secret(seed, &keys[i]);
    }
    for (int i = 0; i < 2; i++) {
        const struct sessions_settings settings = {
            .node_id = {{(uint8_t)i}},
            .key = &keys[i],
            .incarnation = 5,
            .minimum_protocol = 1,
            .maximum_protocol = 2,
            .random = fixed_bytes,
            .random_context = pair,
        };
        pair->nodes[i] = sessions_new(&settings);
        sessions_set_secrets(pair->nodes[i], &secret, 1, 1);
        sessions_add_peer(pair->nodes[i], &(struct uuid){{(uint8_t)!i}}, keys[!i].public);
    }
}

static void pair_connect(struct fuzz_pair *pair)
{
    struct session_action init;
    if (!sessions_tick(pair->nodes[0], FUZZ_NOW_US, &init))
        abort();
    struct session_received step = fuzz_receive(pair, 1, (struct bytes){init.bytes, init.size});
    for (int receiver = 0; receiver < 2; receiver++) {
        const struct session_received last = step;
        step = fuzz_receive(pair, receiver, (struct bytes){last.reply, last.reply_size});
    }
    if (step.verdict != SESSION_OPENED)
        abort();
}

struct fuzz_pair *fuzz_pair_get(bool is_connected)
{
    static struct fuzz_pair
        pairs[2]; /* made once: guarded memory and key agreements cost time */
    struct fuzz_pair *pair = &pairs[is_connected];
    if (!pair->nodes[0]) {
        pair_start(pair);
        if (is_connected)
            pair_connect(pair);
        for (int i = 0; i < 2; i++) {
            pair->starts[i] = secret_allocate(sizeof(*pair->starts[i]));
            memcpy(pair->starts[i], pair->nodes[i], sizeof(*pair->starts[i]));
        }
    }
    for (int i = 0; i < 2; i++)
        memcpy(pair->nodes[i], pair->starts[i], sizeof(*pair->starts[i]));
    return pair;
}

void fuzz_mac(const struct fuzz_pair *pair, int receiver, uint8_t *message, size_t size)
{
    uint8_t key[HASH_KEY_SIZE];
    size_t covered = size - SESSION_MAC_SIZE;
    session_mac_key(cluster_secret, pair->nodes[receiver]->key.public, key);
    session_mac(key, (struct bytes){message, covered}, message + covered);
}

struct session_source fuzz_source(void)
{
    struct session_source source = session_source_new();
    source.places = 1;
    return source;
}

struct session_received fuzz_receive(struct fuzz_pair *pair, int receiver, struct bytes bytes)
{
    struct session_received received;
    struct session_source source = fuzz_source();
    uint8_t *room = malloc(bytes.size ? bytes.size : 1); /* so that a sanitizer sees overruns */
    if (!room)
        abort();
    sessions_receive(pair->nodes[receiver], FUZZ_NOW_US, &source, bytes, room, &received);
    received.plain.data = NULL;
    free(room);
    return received;
}
