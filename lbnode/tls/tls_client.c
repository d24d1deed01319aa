#include "lbnode/tls/tls_client.h"

#include "lbnode/base/ip_address.h"
#include "lbnode/tls/tls_library.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    MAXIMUM_CERTIFICATES = 32768, /* bytes of a chain */
    MAXIMUM_DATALESS = 32,        /* records after the handshake that carry no data: tickets */
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
};

struct tls_context {
    struct tls_library library;
    SSL_CTX *settings;
    BIO_METHOD *socket;
};

struct tls_client {
    SSL *ssl;
    int fd;
    int error_number; /* of the socket, 0: none */
    bool closed;      /* by the peer */
    bool drained;     /* nothing more to read from the socket now */
    uint8_t dataless; /* records without data so far */
    uint8_t alert;
    uint8_t first_size, first[TLS_FIRST_BYTES];
};

/* ---- the socket ----------------------------------------------------------------------------
 * OpenSSL's own would raise SIGPIPE, and could not say how the connection ended. */

static int fail_transfer(BIO *bio, int retry_flag)
{
    struct tls_client *client = BIO_get_data(bio);
    if (errno == EAGAIN)
        BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    else
        client->error_number = errno;
    return -1;
}

static int socket_write(BIO *bio, const char *data, int size)
{
    struct tls_client *client = BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    do
        n = send(client->fd, data, (size_t)size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? (int)n : fail_transfer(bio, BIO_FLAGS_WRITE);
}

static int socket_read(BIO *bio, char *data, int size)
{
    struct tls_client *client = BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    do
        n = recv(client->fd, data, (size_t)size, 0);
    while (n < 0 && errno == EINTR);
    for (ssize_t i = 0; i < n && client->first_size < sizeof(client->first); i++)
        client->first[client->first_size++] = (uint8_t)data[i];
    client->closed = client->closed || n == 0;
    client->drained = n <= 0;
    return n >= 0 ? (int)n : fail_transfer(bio, BIO_FLAGS_READ);
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *socket_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket of lbnode");
    if (!method)
        return NULL;
    BIO_meth_set_write(method, socket_write);
    BIO_meth_set_read(method, socket_read);
    BIO_meth_set_ctrl(method, socket_control);
    return method;
}

/* ---- settings ------------------------------------------------------------------------------
 */

/* Called instead of looking for a trusted root, which would not change the result. */
static int take_any_certificate(X509_STORE_CTX *store, void *argument)
{
    return 1;
}

/* Old versions and weak ciphers are offered too: a probe carries no secret, and the member
 * that has nothing better does serve. What is quick comes first. */
static bool choose_versions(SSL_CTX *settings)
{
    return SSL_CTX_set_min_proto_version(settings, TLS1_VERSION) &&
           SSL_CTX_set_ciphersuites(settings, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                              "TLS_CHACHA20_POLY1305_SHA256") &&
           SSL_CTX_set_cipher_list(settings, "ECDHE+AESGCM:ECDHE+CHACHA20:ALL:!aNULL:!eNULL:"
                                             "!PSK:!SRP:@SECLEVEL=0") &&
           SSL_CTX_set1_groups_list(settings, "X25519:P-256:P-384:P-521");
}

static SSL_CTX *settings_new(OSSL_LIB_CTX *library)
{
    SSL_CTX *settings = SSL_CTX_new_ex(library, NULL, TLS_client_method());
    if (!settings || !choose_versions(settings)) {
        SSL_CTX_free(settings);
        return NULL;
    }
    SSL_CTX_set_verify(settings, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(settings, take_any_certificate, NULL);
    SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                      SSL_OP_LEGACY_SERVER_CONNECT |
                                      SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(settings, SSL_MODE_AUTO_RETRY); /* see tls_client_receive */
    SSL_CTX_set_read_ahead(settings, 1); /* one system call where there would be two */
    SSL_CTX_set_max_cert_list(settings, MAXIMUM_CERTIFICATES);
    return settings;
}

struct tls_context *tls_context_new(void)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    if (!context)
        return NULL;
    if (tls_library_open(&context->library))
        context->settings = settings_new(context->library.context);
    context->socket = socket_method_new();
    if (context->settings && context->socket)
        return context;
    tls_context_free(context);
    ERR_clear_error();
    return NULL;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->settings);
    BIO_meth_free(context->socket);
    tls_library_close(&context->library);
    free(context);
}

/* ---- one connection ------------------------------------------------------------------------
 */

static bool
prepare(struct tls_context *context, struct tls_client *client, const char *server_name)
{
    struct ip_address address;
    client->ssl = SSL_new(context->settings);
    BIO *bio = client->ssl ? BIO_new(context->socket) : NULL;
    if (!bio)
        return false;
    BIO_set_data(bio, client);
    BIO_set_init(bio, 1);
    SSL_set_bio(client->ssl, bio, bio); /* owns it */
    SSL_set_connect_state(client->ssl);
    if (server_name[0] == '\0' || ip_address_parse(server_name, &address))
        return true;
    return SSL_set_tlsext_host_name(client->ssl, server_name) == 1;
}

struct tls_client *tls_client_new(struct tls_context *context, int fd, const char *server_name)
{
    struct tls_client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    client->fd = fd;
    if (prepare(context, client, server_name))
        return client;
    ERR_clear_error();
    tls_client_free(client);
    return NULL;
}

void tls_client_free(struct tls_client *client)
{
    if (!client)
        return;
    SSL_free(client->ssl);
    free(client);
}

/* Do the first bytes look like a record of TLS (RFC 8446 5.1)? */
static bool began_with_tls(const struct tls_client *client)
{
    return client->first_size > 0 &&
           (client->first[0] == RECORD_HANDSHAKE || client->first[0] == RECORD_ALERT) &&
           (client->first_size == 1 || client->first[1] == 3);
}

/* An alert that came stands in the queue of errors with this offset. */
static bool find_alert(struct tls_client *client)
{
    unsigned long error = ERR_peek_last_error();
    int reason = ERR_GET_REASON(error);
    if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason < SSL_AD_REASON_OFFSET ||
        reason > SSL_AD_REASON_OFFSET + UINT8_MAX)
        return false;
    client->alert = (uint8_t)(reason - SSL_AD_REASON_OFFSET);
    return true;
}

static enum tls_result result_of(struct tls_client *client, int rv)
{
    int error = SSL_get_error(client->ssl, rv);
    enum tls_result result = TLS_BROKEN;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        result = TLS_AGAIN;
    else if (find_alert(client))
        result = TLS_ALERT;
    else if (client->error_number)
        result = TLS_ERRNO;
    else if (client->first_size > 0 && !began_with_tls(client))
        result = TLS_NO_TLS;
    else if (client->closed || error == SSL_ERROR_ZERO_RETURN)
        result = TLS_CLOSED;
    else if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
        result = TLS_NO_MEMORY;
    ERR_clear_error();
    return result;
}

enum tls_result tls_client_handshake(struct tls_client *client)
{
    int rv = SSL_do_handshake(client->ssl);
    return rv == 1 ? TLS_DONE : result_of(client, rv);
}

enum tls_result
tls_client_send(struct tls_client *client, const void *data, size_t size, size_t *out_size)
{
    int rv = SSL_write_ex(client->ssl, data, size, out_size);
    return rv == 1 ? TLS_DONE : result_of(client, rv);
}

/* OpenSSL returns after each record that carries no data, so that a peer who sends nothing else
 * does not keep this side reading for ever. */
enum tls_result
tls_client_receive(struct tls_client *client, void *data, size_t size, size_t *out_size)
{
    client->drained = false;
    for (;;) {
        int rv = SSL_read_ex(client->ssl, data, size, out_size);
        enum tls_result result = rv == 1 ? TLS_DONE : result_of(client, rv);
        if (result != TLS_AGAIN || client->drained)
            return result;
        if (++client->dataless > MAXIMUM_DATALESS)
            return TLS_BROKEN;
    }
}

int tls_client_errno(const struct tls_client *client)
{
    return client->error_number;
}

uint8_t tls_client_alert(const struct tls_client *client)
{
    return client->alert;
}

size_t tls_client_first_bytes(const struct tls_client *client, uint8_t out[TLS_FIRST_BYTES])
{
    memcpy(out, client->first, client->first_size);
    return client->first_size;
}
