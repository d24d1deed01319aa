/* Layout: magic 16, salt 16, stream header 24, then chunks of up to 64 KiB, each 17 bytes
 * longer than its content, the last one marked. The magic stands for the cost of Argon2id too.
 */
#include "lbnode/crypto/passphrase_box.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAGIC_SIZE = 16,
    SALT_SIZE = crypto_pwhash_SALTBYTES,
    STREAM_HEADER = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    KEY_SIZE = crypto_secretstream_xchacha20poly1305_KEYBYTES,
    CHUNK = 64 << 10,
    OVERHEAD = crypto_secretstream_xchacha20poly1305_ABYTES,
    HEAD = MAGIC_SIZE + SALT_SIZE + STREAM_HEADER
};

static const char magic[MAGIC_SIZE + 1] = "lbnode sealed 1\n";

static bool
derive(struct bytes passphrase, const uint8_t salt[SALT_SIZE], uint8_t key[KEY_SIZE])
{
    return crypto_pwhash(key, KEY_SIZE, (const char *)passphrase.data, passphrase.size, salt,
                         crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                         crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static size_t chunk_count(size_t content_size)
{
    return content_size == 0 ? 1 : (content_size + CHUNK - 1) / CHUNK;
}

static void seal_chunks(crypto_secretstream_xchacha20poly1305_state *stream,
                        struct bytes content,
                        uint8_t *out)
{
    size_t chunks = chunk_count(content.size), at = 0;
    for (size_t i = 0; i < chunks; i++) {
        bool last = i + 1 == chunks;
        size_t size = last ? content.size - at : CHUNK;
        crypto_secretstream_xchacha20poly1305_push(
            stream, out, NULL, content.data + at, size, NULL, 0,
            last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
        out += size + OVERHEAD;
        at += size;
    }
}

bool passphrase_box_seal(struct bytes passphrase, struct bytes content, struct bytes *out)
{
    crypto_secretstream_xchacha20poly1305_state stream;
    uint8_t key[KEY_SIZE];
    size_t size = HEAD + content.size + chunk_count(content.size) * OVERHEAD;
    uint8_t *box = malloc(size);
    *out = (struct bytes){0};
    if (!box)
        return false;
    memcpy(box, magic, MAGIC_SIZE);
    randombytes_buf(box + MAGIC_SIZE, SALT_SIZE);
    if (!derive(passphrase, box + MAGIC_SIZE, key)) {
        free(box);
        return false;
    }
    crypto_secretstream_xchacha20poly1305_init_push(&stream, box + MAGIC_SIZE + SALT_SIZE, key);
    seal_chunks(&stream, content, box + HEAD);
    sodium_memzero(key, sizeof(key));
    sodium_memzero(&stream, sizeof(stream));
    *out = (struct bytes){box, size};
    return true;
}

/* False unless every chunk verifies and the marked one is the last. */
static bool open_chunks(crypto_secretstream_xchacha20poly1305_state *stream,
                        struct bytes sealed,
                        uint8_t *out,
                        size_t *out_size)
{
    size_t at = 0;
    *out_size = 0;
    while (at < sealed.size) {
        size_t left = sealed.size - at;
        size_t size = left < CHUNK + OVERHEAD ? left : CHUNK + OVERHEAD;
        unsigned char tag = 0;
        if (size < OVERHEAD ||
            crypto_secretstream_xchacha20poly1305_pull(stream, out + *out_size, NULL, &tag,
                                                       sealed.data + at, size, NULL, 0) != 0)
            return false;
        at += size;
        *out_size += size - OVERHEAD;
        if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL)
            return at == sealed.size;
    }
    return false;
}

enum passphrase_box_result
passphrase_box_open(struct bytes passphrase, struct bytes box, struct bytes *out)
{
    crypto_secretstream_xchacha20poly1305_state stream;
    uint8_t key[KEY_SIZE];
    size_t size = 0;
    *out = (struct bytes){0};
    if (box.size < HEAD + OVERHEAD || memcmp(box.data, magic, MAGIC_SIZE) != 0)
        return PASSPHRASE_BOX_FOREIGN;
    uint8_t *content = malloc(box.size);
    if (!content || !derive(passphrase, box.data + MAGIC_SIZE, key)) {
        free(content);
        return PASSPHRASE_BOX_NO_MEMORY;
    }
    bool opened =
        crypto_secretstream_xchacha20poly1305_init_pull(
            &stream, box.data + MAGIC_SIZE + SALT_SIZE, key) == 0 &&
        open_chunks(&stream, (struct bytes){box.data + HEAD, box.size - HEAD}, content, &size);
    sodium_memzero(key, sizeof(key));
    sodium_memzero(&stream, sizeof(stream));
    if (!opened) {
        free(content);
        return PASSPHRASE_BOX_REFUSED;
    }
    *out = (struct bytes){content, size};
    return PASSPHRASE_BOX_OPENED;
}
