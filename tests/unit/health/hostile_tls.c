/* Workers that speak TLS; the only test that needs a server of it. */
#include "tests/unit/health/hostile_worker.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static X509 *expired_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"worker", -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), -3600);
    X509_set_pubkey(certificate, key);
    if (!X509_sign(certificate, key, EVP_sha256()))
        abort();
    return certificate;
}

static SSL_CTX *server_settings(void)
{
    SSL_CTX *settings = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!settings || !key || SSL_CTX_use_certificate(settings, expired_certificate(key)) != 1 ||
        SSL_CTX_use_PrivateKey(settings, key) != 1)
        abort();
    return settings;
}

/* After the handshake and, with WANTS_REQUEST, after the request. */
static SSL *accept_tls(int fd, SSL_CTX *settings, bool wants_request)
{
    char request[8192];
    SSL *tls = SSL_new(settings);
    SSL_set_fd(tls, fd);
    if (SSL_accept(tls) != 1 || (wants_request && SSL_read(tls, request, sizeof(request)) <= 0))
        _exit(0);
    return tls;
}

static void answer(SSL *tls, const struct behaviour *behaviour)
{
    char rest[4096];
    if (behaviour->size > 0)
        SSL_write(tls, behaviour->data, (int)behaviour->size);
    while (SSL_read(tls, rest, sizeof(rest)) > 0)
        continue;
}

void tls_answer(int fd, const struct behaviour *behaviour)
{
    answer(accept_tls(fd, server_settings(), true), behaviour);
}

void tls_answer_1_2(int fd, const struct behaviour *behaviour)
{
    SSL_CTX *settings = server_settings();
    SSL_CTX_set_max_proto_version(settings, TLS1_2_VERSION);
    answer(accept_tls(fd, settings, true), behaviour);
}

void tls_cut(int fd, const struct behaviour *behaviour)
{
    SSL *tls = accept_tls(fd, server_settings(), true);
    SSL_write(tls, behaviour->data, (int)behaviour->size);
    close(fd);
}

void tls_close(int fd, const struct behaviour *behaviour)
{
    SSL_shutdown(accept_tls(fd, server_settings(), true));
    close(fd);
}

void tls_break(int fd, const struct behaviour *behaviour)
{
    accept_tls(fd, server_settings(), true);
    if (write(fd, behaviour->data, behaviour->size) > 0)
        pause();
}

void tls_tickets(int fd, const struct behaviour *behaviour)
{
    SSL *tls = accept_tls(fd, server_settings(), true);
    while (SSL_new_session_ticket(tls) == 1 && SSL_do_handshake(tls) == 1)
        continue;
}

void tls_wants_certificate(int fd, const struct behaviour *behaviour)
{
    SSL_CTX *settings = server_settings();
    SSL_CTX_set_verify(settings, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL *tls = SSL_new(settings);
    SSL_set_fd(tls, fd);
    worker_end_by_reset(fd);
    if (SSL_accept(tls) != 1) /* without one it has sent an alert */
        serve_nothing(fd, behaviour);
}
