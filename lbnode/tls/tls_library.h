/* A library context of OpenSSL with as much as a TLS client needs. OpenSSL 3 looks through all
 * of its decoders again for every certificate that it reads, which takes a fifth of a
 * handshake; with the few that read a server's public key this is next to nothing. Private to
 * lbnode/tls. */
#ifndef LBNODE_TLS_TLS_LIBRARY_H
#define LBNODE_TLS_TLS_LIBRARY_H

#include <openssl/types.h>
#include <stdbool.h>

struct tls_library {
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *provider; /* of all that the context can do */
};

/* Reads no configuration file. False when out of memory; to be closed all the same. */
bool tls_library_open(struct tls_library *library);
void tls_library_close(struct tls_library *library);

#endif
