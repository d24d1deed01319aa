/* A library context of OpenSSL with as much as a TLS client needs. OpenSSL 3 looks through all
 * of its decoders again for every certificate that it reads, which takes a fifth of a
 * handshake; with the few that read a server's public key this is next to nothing. Private to
 * lbnode/tls. */
#ifndef LBNODE_TLS_TLS_LIBRARY_H
#define LBNODE_TLS_TLS_LIBRARY_H

#include <openssl/types.h>

/* Reads no configuration file. NULL when out of memory. */
OSSL_LIB_CTX *tls_library_new(void);

#endif
