/* One end of a stream on standard input and output, for a second implementation to talk to
 * (stream_second.py). Arguments: secret key and the peer's public one, in hex. A line in, a
 * line out; all bytes in hex, "-" for none:
 *     begin       the INIT to send
 *     in BYTES    VERDICT USED REPLY PLAIN of what BYTES begins with; at first that is an INIT
 *     seal BYTES  what to send
 *     end         the same
 *     later       the keys are old from now on */
#include "lbnode/base/random.h"
#include "replication/stream_session.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST = STREAM_FRAME_MAXIMUM + STREAM_SEAL_MORE,
    LINE = 2 * MOST + 16
};

struct talk {
    struct dh_key key;
    uint8_t peer[DH_KEY_SIZE], psk[NOISE_KEY_SIZE];
    uint8_t mac_key[HASH_KEY_SIZE], peer_mac_key[HASH_KEY_SIZE];
    struct stream_terms terms;
    struct stream_session *session;
    struct stream_gate gate;
    bool has_begun;
    uint64_t now_us;
};

static bool talk_start(struct talk *talk, const char *key_hex, const char *peer_hex)
{
    static const uint8_t cluster[SESSION_SECRET_SIZE] = "the secret of the cluster, 32 b";
    uint8_t secret[DH_KEY_SIZE];
    if (!bytes_from_hex(key_hex, secret, sizeof(secret)) ||
        !bytes_from_hex(peer_hex, talk->peer, sizeof(talk->peer)))
        return false;
    dh_key_from_secret(secret, &talk->key);
    session_psk(cluster, talk->psk);
    session_mac_key(cluster, talk->key.public, talk->mac_key);
    session_mac_key(cluster, talk->peer, talk->peer_mac_key);
    talk->terms = (struct stream_terms){
        .cluster_id = {"cluster of both"},
        .key = &talk->key,
        .peer = talk->peer,
        .psk = talk->psk,
        .mac_key = talk->mac_key,
        .peer_mac_key = talk->peer_mac_key,
        .minimum_protocol = 2,
        .maximum_protocol = 5,
        .features = 0x0102030405060708,
    };
    talk->session = stream_session_new();
    talk->now_us = 1000000;
    return true;
}

static void print_hex(struct bytes bytes, char end)
{
    static char hex[2 * MOST + 1];
    bytes_to_hex(bytes, hex);
    printf("%s%c", bytes.size > 0 ? hex : "-", end);
}

static void begin(struct talk *talk)
{
    const struct stream_init init = {
        .secret_version = 7, .sender = "node of ", .incarnation = 41, .number = 1};
    uint8_t head[SESSION_INIT_HEAD], ephemeral[DH_KEY_SIZE], out[STREAM_HANDSHAKE_MAXIMUM];
    stream_init_head(&init, head);
    random_bytes(ephemeral, sizeof(ephemeral));
    size_t size = stream_session_initiate(talk->session, &talk->terms, head, ephemeral,
                                          talk->now_us, out);
    talk->has_begun = true;
    print_hex((struct bytes){out, size}, '\n');
}

static void answer(struct talk *talk, struct bytes in)
{
    struct stream_init init;
    uint8_t ephemeral[DH_KEY_SIZE], out[STREAM_HANDSHAKE_MAXIMUM];
    size_t size = 0;
    enum stream_verdict verdict = stream_init_parse(in, &init);
    if (verdict == STREAM_ANSWERED)
        verdict = stream_init_mac_is_right(&init, talk->mac_key)
                      ? stream_gate_ask(&talk->gate, &init, talk->now_us)
                      : STREAM_FOREIGN;
    random_bytes(ephemeral, sizeof(ephemeral));
    if (verdict == STREAM_ANSWERED)
        verdict = stream_session_answer(talk->session, &talk->terms, &init, ephemeral,
                                        talk->now_us, out, &size);
    talk->has_begun = verdict == STREAM_ANSWERED;
    if (talk->has_begun)
        stream_gate_close(&talk->gate, &init);
    printf("%d %zu ", verdict, talk->has_begun ? init.frame_size : 0);
    print_hex((struct bytes){out, size}, ' ');
    print_hex((struct bytes){0}, '\n');
}

static void receive(struct talk *talk, struct bytes in)
{
    static uint8_t room[STREAM_PLAIN_MAXIMUM];
    struct stream_received received;
    stream_session_receive(talk->session, in, room, &received);
    printf("%d %zu ", received.verdict, received.used);
    print_hex((struct bytes){received.reply, received.reply_size}, ' ');
    print_hex(received.plain, '\n');
}

static bool obey(struct talk *talk, char *line)
{
    static uint8_t bytes[MOST], sealed[MOST];
    char *hex = strchr(line, ' ');
    size_t size = hex ? strlen(hex + 1) / 2 : 0;
    if (size > MOST || (hex && !bytes_from_hex(hex + 1, bytes, size)))
        return false;
    struct bytes view = {bytes, size};
    if (!strcmp(line, "begin"))
        begin(talk);
    else if (!strncmp(line, "in ", 3) && talk->has_begun)
        receive(talk, view);
    else if (!strncmp(line, "in ", 3))
        answer(talk, view);
    else if (!strncmp(line, "seal ", 5))
        print_hex((struct bytes){sealed, stream_session_seal(talk->session, talk->now_us, view,
                                                             sealed)},
                  '\n');
    else if (!strcmp(line, "end"))
        print_hex((struct bytes){sealed, stream_session_end(talk->session, sealed)}, '\n');
    else
        printf("%llu\n", (unsigned long long)(talk->now_us += STREAM_REKEY_US));
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    static char line[LINE];
    crypto_start();
    struct talk *talk = secret_allocate(sizeof(*talk));
    if (argc != 3 || !talk_start(talk, argv[1], argv[2]))
        return 2;
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!obey(talk, line))
            break;
    }
    stream_session_free(talk->session);
    secret_free(talk);
    return 0;
}
