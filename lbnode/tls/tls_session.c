#include "lbnode/tls/tls_session.h"

#include "lbnode/tls/tls_client.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum {
    DER_SEQUENCE = 0x30,
    DER_PEER = 0xa3, /* the certificate in OpenSSL's description of a session */
    HEAD_SIZE = 4,   /* of a sequence with two bytes of length */
};

/* The size of the head of the element at DATA and, in *OUT_SIZE, of what it holds; 0: no
 * element is there (X.690 8.1, definite lengths only). */
static size_t element_head(const uint8_t *data, size_t size, size_t *out_size)
{
    size_t digits = size >= 2 && data[1] >= 0x80 ? data[1] & 0x7f : 0, length = 0;
    if (size < 2 + digits || digits > 3)
        return 0;
    for (size_t i = 0; i < digits; i++)
        length = length << 8 | data[2 + i];
    *out_size = digits ? length : data[1];
    return *out_size <= size - 2 - digits ? 2 + digits : 0;
}

/* Copies the elements of a sequence without the certificate; 0: they are too large. */
static size_t copy_elements(const uint8_t *data, size_t size, uint8_t *out, size_t room)
{
    size_t copied = 0, held;
    while (size > 0) {
        size_t head = element_head(data, size, &held);
        if (head == 0)
            return 0;
        if (data[0] != DER_PEER) {
            if (head + held > room - copied)
                return 0;
            memcpy(out + copied, data, head + held);
            copied += head + held;
        }
        data += head + held;
        size -= head + held;
    }
    return copied;
}

static size_t pack(const uint8_t *der, size_t size, uint8_t out[TLS_SESSION_SIZE])
{
    size_t held, head = element_head(der, size, &held);
    if (head == 0 || der[0] != DER_SEQUENCE)
        return 0;
    size_t copied =
        copy_elements(der + head, held, out + HEAD_SIZE, TLS_SESSION_SIZE - HEAD_SIZE);
    out[0] = DER_SEQUENCE;
    out[1] = 0x82;
    out[2] = (uint8_t)(copied >> 8);
    out[3] = (uint8_t)copied;
    return copied ? HEAD_SIZE + copied : 0;
}

struct tls_session *tls_session_pack(const SSL_SESSION *session)
{
    uint8_t *der = NULL, packed[TLS_SESSION_SIZE];
    int size = i2d_SSL_SESSION(session, &der);
    size_t packed_size = size > 0 ? pack(der, (size_t)size, packed) : 0;
    struct tls_session *out = packed_size ? malloc(sizeof(*out) + packed_size) : NULL;
    if (out) {
        out->size = packed_size;
        memcpy(out->bytes, packed, packed_size);
    }
    if (size > 0)
        OPENSSL_clear_free(der, (size_t)size);
    OPENSSL_cleanse(packed, sizeof(packed));
    ERR_clear_error();
    return out;
}

SSL_SESSION *tls_session_unpack(const struct tls_session *session)
{
    const uint8_t *der = session->bytes;
    SSL_SESSION *out = d2i_SSL_SESSION(NULL, &der, (long)session->size);
    ERR_clear_error();
    return out;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    OPENSSL_cleanse(session->bytes, session->size);
    free(session);
}
