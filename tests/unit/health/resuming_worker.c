#include "tests/unit/health/resuming_worker.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *settings_new(int oldest, int newest)
{
    SSL_CTX *settings = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    if (!X509_sign(certificate, key, EVP_sha256()) ||
        SSL_CTX_use_certificate(settings, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(settings, key) != 1 ||
        !SSL_CTX_set_min_proto_version(settings, oldest) ||
        !SSL_CTX_set_max_proto_version(settings, newest))
        abort();
    X509_free(certificate);
    EVP_PKEY_free(key);
    return settings;
}

static void serve(int fd, SSL_CTX *settings)
{
    char request[4096];
    SSL *tls = SSL_new(settings);
    SSL_set_fd(tls, fd);
    if (SSL_accept(tls) == 1 && SSL_read(tls, request, sizeof(request)) > 0) {
        const char *answer = SSL_session_reused(tls) ? "HTTP/1.1 202 resumed\r\n\r\n"
                                                     : "HTTP/1.1 200 in full\r\n\r\n";
        SSL_write(tls, answer, (int)strlen(answer));
        while (read(fd, request, sizeof(request)) > 0)
            continue;
    }
    SSL_free(tls);
    close(fd);
}

static void serve_all(int listener, const struct resuming_worker *worker)
{
    SSL_CTX *settings = settings_new(TLS1_2_VERSION, worker->version);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return;
        serve(fd, settings);
        if (!worker->loses_keys && !worker->moves_to_1_3)
            continue;
        SSL_CTX_free(settings);
        settings = worker->moves_to_1_3 ? settings_new(TLS1_3_VERSION, TLS1_3_VERSION)
                                        : settings_new(TLS1_2_VERSION, worker->version);
    }
}

pid_t resuming_worker_start(int listener, const struct resuming_worker *worker)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    if (getppid() == parent)
        serve_all(listener, worker);
    _exit(0);
}
