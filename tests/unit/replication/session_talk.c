/* One node's sessions on standard input and output, for a second implementation to talk to
 * (session_second.py). Arguments: secret key and the peer's public one, in hex. A line in, a
 * line out; all bytes in hex, "-" for none:
 *     tick        the INIT to send
 *     in BYTES    VERDICT REPLY PLAIN of a datagram
 *     seal BYTES  the datagram, or "-" without a session */
#include "lbnode/base/random.h"
#include "replication/session.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST = 1232,
    LINE = 2 * MOST + 16,
    NOW_US = 1000000
};

static void strong_random(void *context, void *out, size_t size)
{
    random_bytes(out, size);
}

static struct sessions *sessions_of(const char *key_hex, const char *peer_hex)
{
    struct dh_key key;
    uint8_t secret[DH_KEY_SIZE], peer[DH_KEY_SIZE];
    struct session_secret cluster = {.version = 7, .secret = "the secret of the cluster, 32 b"};
    if (!bytes_from_hex(key_hex, secret, sizeof(secret)) ||
        !bytes_from_hex(peer_hex, peer, sizeof(peer)))
        return NULL;
    dh_key_from_secret(secret, &key);
    const struct sessions_settings settings = {
        .node_id = {"node of our own"},
        .cluster_id = {"cluster of both"},
        .key = &key,
        .incarnation = 41,
        .minimum_protocol = 2,
        .maximum_protocol = 5,
        .features = 0x0102030405060708,
        .random = strong_random,
    };
    struct sessions *sessions = sessions_new(&settings);
    sessions_set_secrets(sessions, &cluster, 1, 7);
    sessions_add_peer(sessions, &(struct uuid){{"the second node"}}, peer);
    return sessions;
}

static void print_hex(struct bytes bytes, char end)
{
    char hex[2 * MOST + 1];
    bytes_to_hex(bytes, hex);
    printf("%s%c", bytes.size > 0 ? hex : "-", end);
}

static void receive(struct sessions *sessions, struct bytes datagram)
{
    struct session_received received;
    uint8_t room[MOST];
    struct session_source source = session_source_new();
    source.places = 1;
    sessions_receive(sessions, NOW_US, &source, datagram, room, &received);
    printf("%d ", received.verdict);
    print_hex((struct bytes){received.reply, received.reply_size}, ' ');
    print_hex(received.plain, '\n');
}

static void seal(struct sessions *sessions, struct bytes frames)
{
    uint8_t sealed[MOST];
    bool is_sealed = sessions_seal(sessions, NOW_US, 0, frames, sealed);
    print_hex((struct bytes){sealed, is_sealed ? frames.size + SESSION_DATA_OVERHEAD : 0},
              '\n');
}

static bool obey(struct sessions *sessions, char *line)
{
    uint8_t bytes[MOST];
    char *hex = strchr(line, ' ');
    size_t size = hex ? strlen(hex + 1) / 2 : 0;
    if (size > MOST - SESSION_DATA_OVERHEAD || (hex && !bytes_from_hex(hex + 1, bytes, size)))
        return false;
    if (!strncmp(line, "in ", 3)) {
        receive(sessions, (struct bytes){bytes, size});
    } else if (!strncmp(line, "seal ", 5)) {
        seal(sessions, (struct bytes){bytes, size});
    } else {
        struct session_action action = {0};
        sessions_tick(sessions, NOW_US, &action);
        print_hex((struct bytes){action.bytes, action.size}, '\n');
    }
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    char line[LINE];
    crypto_start();
    struct sessions *sessions = argc == 3 ? sessions_of(argv[1], argv[2]) : NULL;
    if (!sessions)
        return 2;
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!obey(sessions, line))
            break;
    }
    sessions_free(sessions);
    return 0;
}
