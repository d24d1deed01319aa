#include "session_net.h"

#include <stdlib.h>
#include <string.h>

enum {
    STEP_US = 5000,
    SEND_EVERY_US = 200000
};

static void net_random(void *context, void *out, size_t size)
{
    struct net *net = context;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)random_sequence_below(&net->random, 256);
}

static void make_sessions(struct net *net, int number)
{
    struct net_node *node = &net->nodes[number];
    const struct sessions_settings settings = {
        .node_id = node->id,
        .cluster_id = {"the cluster"},
        .key = &node->key,
        .incarnation = node->incarnation,
        .number = node->number,
        .minimum_protocol = 1,
        .maximum_protocol = 1,
        .random = net_random,
        .random_context = net,
    };
    node->sessions = sessions_new(&settings);
    net_set_secrets(net, number, 1, 1, 1);
    for (int peer = 0; peer < net->count; peer++)
        if (peer != number && number < net->count)
            sessions_add_peer(node->sessions, &net->nodes[peer].id,
                              net->nodes[peer].key.public);
    for (int peer = 0; peer < NET_NODES; peer++) {
        int place = sessions_find_peer(node->sessions, &net->nodes[peer].id);
        node->sources[peer] = session_source_new();
        node->sources[peer].places = place < 0 ? 0 : 1ull << place;
    }
}

struct net *net_new(int count, uint64_t seed)
{
    struct net *net = calloc(1, sizeof(*net));
    if (!net)
        abort();
    net->count = count;
    net->now_us = 1000000000;
    net->delay_us = 1000;
    random_sequence_init(&net->random, seed);
    for (int i = 0; i < NET_NODES; i++) {
        uint8_t secret[DH_KEY_SIZE];
        net_random(net, secret, sizeof(secret));
        dh_key_from_secret(secret, &net->nodes[i].key);
        memset(net->nodes[i].id.bytes, i + 1, sizeof(net->nodes[i].id.bytes));
        net->nodes[i].incarnation = 100;
        net->nodes[i].net = net;
    }
    for (int i = 0; i < NET_NODES; i++)
        make_sessions(net, i);
    return net;
}

void net_free(struct net *net)
{
    for (int i = 0; i < NET_NODES; i++)
        sessions_free(net->nodes[i].sessions);
    free(net);
}

void net_restart(struct net *net, int number)
{
    sessions_free(net->nodes[number].sessions);
    net->nodes[number].incarnation++;
    make_sessions(net, number);
}

void net_set_secrets(struct net *net, int number, uint16_t first, uint16_t last, uint16_t use)
{
    struct session_secret secrets[SESSION_SECRETS];
    size_t count = 0;
    for (uint16_t version = first; version <= last; version++, count++) {
        secrets[count].version = version;
        memset(secrets[count].secret, version, sizeof(secrets[count].secret));
    }
    sessions_set_secrets(net->nodes[number].sessions, secrets, count, use);
}

void net_send(struct net *net, int from, int to, struct bytes bytes)
{
    struct net_datagram datagram = {.from = from, .to = to, .size = bytes.size};
    if (bytes.size > NET_DATAGRAM || net->queued == NET_QUEUE)
        abort();
    memcpy(datagram.bytes, bytes.data, bytes.size);
    datagram.due_us = net->now_us + net->delay_us;
    if (net->jitter_us)
        datagram.due_us += random_sequence_below(&net->random, net->jitter_us);
    if (net->recorded_count < NET_RECORDED)
        net->recorded[net->recorded_count++] = datagram;
    if (!net->is_cut && random_sequence_below(&net->random, 100) >= net->loss_percent)
        net->queue[net->queued++] = datagram;
}

static void deliver(struct net *net, const struct net_datagram *datagram)
{
    struct net_node *node = &net->nodes[datagram->to];
    struct session_received received;
    uint8_t room[NET_DATAGRAM];
    if (node->is_off)
        return;
    sessions_receive(node->sessions, net->now_us, &node->sources[datagram->from],
                     (struct bytes){datagram->bytes, datagram->size}, room, &received);
    if (received.plain.size > 0)
        node->heard++;
    if (received.reply_size > 0)
        net_send(net, datagram->to, datagram->from,
                 (struct bytes){received.reply, received.reply_size});
}

static void deliver_due(struct net *net)
{
    for (size_t i = 0; i < net->queued;) {
        if (net->queue[i].due_us > net->now_us) {
            i++;
            continue;
        }
        struct net_datagram due = net->queue[i];
        memmove(&net->queue[i], &net->queue[i + 1], (net->queued - i - 1) * sizeof(due));
        net->queued--;
        deliver(net, &due);
    }
}

static int number_of(const struct net *net, const struct uuid *id)
{
    for (int i = 0; i < NET_NODES; i++)
        if (uuid_equal(&net->nodes[i].id, id))
            return i;
    abort();
}

static void step_node(struct net *net, int number)
{
    struct net_node *node = &net->nodes[number];
    struct session_action action;
    while (sessions_tick(node->sessions, net->now_us, &action))
        net_send(net, number, number_of(net, &node->sessions->peers[action.place].id),
                 (struct bytes){action.bytes, action.size});
    for (int peer = 0; peer < net->count && node->sends; peer++) {
        uint8_t sealed[NET_DATAGRAM];
        size_t size = 0;
        if (peer != number && net->now_us % SEND_EVERY_US == 0)
            size = net_seal(net, number, peer, "frames", sealed);
        if (size > 0)
            net_send(net, number, peer, (struct bytes){sealed, size});
    }
}

void net_run(struct net *net, uint64_t time_us)
{
    for (uint64_t end = net->now_us + time_us; net->now_us < end; net->now_us += STEP_US) {
        for (int i = 0; i < net->count; i++)
            if (!net->nodes[i].is_off)
                step_node(net, i);
        deliver_due(net);
    }
}

struct session_received net_hand(struct net *net, int to, struct bytes bytes)
{
    struct session_received received;
    uint8_t room[NET_DATAGRAM];
    struct session_source shared = session_source_new();
    shared.places = UINT64_MAX;
    sessions_receive(net->nodes[to].sessions, net->now_us, &shared, bytes, room, &received);
    received.plain.data = NULL;
    return received;
}

int net_place(const struct net *net, int of, int peer)
{
    return sessions_find_peer(net->nodes[of].sessions, &net->nodes[peer].id);
}

struct session_peer *net_peer(const struct net *net, int of, int peer)
{
    return &net->nodes[of].sessions->peers[net_place(net, of, peer)];
}

bool net_agrees(const struct net *net, int a, int b)
{
    const struct session_keys *of_a = &net_peer(net, a, b)->current;
    const struct session_keys *of_b = &net_peer(net, b, a)->current;
    return of_a->is_used && of_b->is_used && of_a->local == of_b->remote &&
           of_a->remote == of_b->local && of_a->is_initiator != of_b->is_initiator &&
           !memcmp(of_a->keys.send, of_b->keys.receive, NOISE_KEY_SIZE) &&
           !memcmp(of_a->keys.receive, of_b->keys.send, NOISE_KEY_SIZE);
}

size_t net_seal(struct net *net, int from, int to, const char *text, uint8_t *out)
{
    struct bytes frames = {(const uint8_t *)text, strlen(text)};
    int place = net_place(net, from, to);
    return sessions_seal(net->nodes[from].sessions, net->now_us, place, frames, out)
               ? frames.size + SESSION_DATA_OVERHEAD
               : 0;
}
