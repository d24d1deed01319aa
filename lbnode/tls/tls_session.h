/* A session in the few bytes that a later handshake needs: OpenSSL's own form keeps the peer's
 * certificate, some KiB that would be parsed anew each time. Private to lbnode/tls, but for
 * the type. */
#ifndef LBNODE_TLS_TLS_SESSION_H
#define LBNODE_TLS_TLS_SESSION_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_SESSION_SIZE = 2048 /* at most; with a larger ticket nothing is resumed */
};

/* Holds the keys of the session: never to be shown. */
struct tls_session {
    size_t size;
    uint8_t bytes[]; /* DER */
};

/* What SESSION is without its certificate; NULL when it is too large or there is no memory. */
struct tls_session *tls_session_pack(const SSL_SESSION *session);
/* The caller's; NULL when there is no memory. */
SSL_SESSION *tls_session_unpack(const struct tls_session *session);

#endif
