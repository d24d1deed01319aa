#include "lbnode/tls/tls_client.h"

#include "lbnode/base/ip_address.h"
#include "lbnode/tls/tls_library.h"
#include "lbnode/tls/tls_session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    MAXIMUM_CERTIFICATES = 32768, /* bytes of a chain */
    MAXIMUM_DATALESS = 32,        /* records after the handshake that carry no data: tickets */
    MAXIMUM_SENT = 2048,          /* bytes of a record: its buffer is that large */
    HELD_SIZE = 256,              /* of the end of a handshake */
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
    bool drained;     /* the socket has to be waited for */
    uint8_t dataless; /* records without data so far */
    uint8_t alert;
    uint8_t first_size, first[TLS_FIRST_BYTES];
    bool shakes_hands, acknowledges;
    uint16_t held_size; /* bytes that go out before any others */
    uint8_t held[HELD_SIZE];
};

/* ---- the socket ----------------------------------------------------------------------------
 * OpenSSL's own would raise SIGPIPE, and could not say how the connection ended. */

static int fail_transfer(BIO *bio, int retry_flag)
{
    struct tls_client *client = BIO_get_data(bio);
    client->drained = true;
    if (errno == EAGAIN)
        BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    else
        client->error_number = errno;
    return -1;
}

/* What is held back and then DATA: how much of DATA went out, -1 with errno: nothing of it. */
static ssize_t send_held(struct tls_client *client, const void *data, size_t size)
{
    struct iovec parts[] = {{client->held, client->held_size}, {(void *)data, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;
    do
        n = sendmsg(client->fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -1;
    size_t held = (size_t)n < client->held_size ? (size_t)n : client->held_size;
    client->held_size = (uint16_t)(client->held_size - held);
    memmove(client->held, client->held + held, client->held_size);
    if (client->held_size == 0 && (size_t)n > held)
        return n - (ssize_t)held;
    errno = EAGAIN;
    return client->held_size == 0 && size == 0 ? 0 : -1;
}

/* The end of a handshake waits for the first data, so that both are one packet: one system call
 * less, and none of Nagle's waiting for an acknowledgement that the peer delays. */
static int socket_write(BIO *bio, const char *data, int size)
{
    struct tls_client *client = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (client->shakes_hands && (size_t)size <= sizeof(client->held) - client->held_size) {
        memcpy(client->held + client->held_size, data, (size_t)size);
        client->held_size = (uint16_t)(client->held_size + size);
        return size;
    }
    ssize_t n = send_held(client, data, (size_t)size);
    return n >= 0 ? (int)n : fail_transfer(bio, BIO_FLAGS_WRITE);
}

static int socket_read(BIO *bio, char *data, int size)
{
    struct tls_client *client = BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    if (client->held_size > 0 && send_held(client, NULL, 0) < 0)
        return fail_transfer(bio, BIO_FLAGS_READ);
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
    SSL_CTX_set_max_send_fragment(settings, MAXIMUM_SENT);
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

/* A session of TLS 1.2 or older is offered with its version alone: the share of a key that TLS
 * 1.3 wants costs as much as all else in such a handshake. */
static bool resume(SSL *ssl, const struct tls_session *packed)
{
    SSL_SESSION *session = tls_session_unpack(packed);
    int version = session ? SSL_SESSION_get_protocol_version(session) : 0;
    bool done = session && SSL_set_session(ssl, session) &&
                (version >= TLS1_3_VERSION || SSL_set_max_proto_version(ssl, version));
    SSL_SESSION_free(session); /* SSL has its own reference */
    return done;
}

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

struct tls_client *tls_client_new(struct tls_context *context,
                                  int fd,
                                  const char *server_name,
                                  const struct tls_session *session)
{
    struct tls_client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    client->fd = fd;
    if (prepare(context, client, server_name) && (!session || resume(client->ssl, session)))
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

/* OpenSSL returned after a record that brought nothing to the caller: is it to go on? */
static bool is_patient(struct tls_client *client)
{
    return ++client->dataless <= MAXIMUM_DATALESS;
}

enum tls_result tls_client_handshake(struct tls_client *client)
{
    enum tls_result result;
    client->shakes_hands = true;
    client->drained = false;
    do {
        int rv = SSL_do_handshake(client->ssl);
        result = rv == 1 ? TLS_DONE : result_of(client, rv);
    } while (result == TLS_AGAIN && !client->drained && is_patient(client));
    client->shakes_hands = false;
    return result == TLS_AGAIN && !client->drained ? TLS_BROKEN : result;
}

bool tls_client_is_resumed(const struct tls_client *client)
{
    return SSL_session_reused(client->ssl);
}

struct tls_session *tls_client_session(const struct tls_client *client)
{
    const SSL_SESSION *session = SSL_get_session(client->ssl);
    return session && SSL_SESSION_is_resumable(session) ? tls_session_pack(session) : NULL;
}

enum tls_result
tls_client_send(struct tls_client *client, const void *data, size_t size, size_t *out_size)
{
    int rv = SSL_write_ex(client->ssl, data, size, out_size);
    return rv == 1 ? TLS_DONE : result_of(client, rv);
}

/* Tickets came alone: a peer that heeds Nagle sends the answer when they are acknowledged. */
static void acknowledge(struct tls_client *client)
{
    static const int yes = 1;
    if (!client->acknowledges)
        setsockopt(client->fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes));
    client->acknowledges = true;
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
        if (result == TLS_AGAIN && client->drained && client->dataless > 0)
            acknowledge(client);
        if (result != TLS_AGAIN || client->drained)
            return result;
        if (!is_patient(client))
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
