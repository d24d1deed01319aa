/* TLS as a client, for probes: the only user of OpenSSL. Whom one talks to is not verified, as
 * with Octavia's monitors: what is proved is that the member completes a handshake and answers.
 * A session can be resumed, which costs a third; nothing is renegotiated.
 *
 * A client costs some ten KiB while it exists; a context is shared by all clients of a
 * process. */
#ifndef LBNODE_TLS_TLS_CLIENT_H
#define LBNODE_TLS_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_FIRST_BYTES = 8
};

struct tls_context;
struct tls_client;
struct tls_session; /* what a later handshake with the same peer resumes; 2 KiB at most */

enum tls_result {
    TLS_DONE,
    TLS_AGAIN,     /* when the socket is ready for reading or writing */
    TLS_CLOSED,    /* the peer closed its side */
    TLS_ERRNO,     /* the socket failed, see tls_client_errno */
    TLS_ALERT,     /* the peer refuses, see tls_client_alert */
    TLS_NO_TLS,    /* the first bytes are not those of TLS */
    TLS_BROKEN,    /* TLS, but wrong, or with nothing in common */
    TLS_NO_MEMORY, /* on this side */
};

/* NULL when out of memory. */
struct tls_context *tls_context_new(void);
void tls_context_free(struct tls_context *context); /* NULL-safe; after all of its clients */

/* On the connected, nonblocking FD, which stays the caller's. SERVER_NAME (RFC 6066 3): "" or
 * an address: none is sent. SESSION: to be resumed, NULL: none; the peer may insist on a full
 * handshake, and one that takes no more the version of SESSION refuses. NULL when out of
 * memory. */
struct tls_client *tls_client_new(struct tls_context *context,
                                  int fd,
                                  const char *server_name,
                                  const struct tls_session *session);
void tls_client_free(struct tls_client *client); /* NULL-safe */

/* DONE: what this side says last may still be here; it goes out with the first that is sent. */
enum tls_result tls_client_handshake(struct tls_client *client);
/* After the handshake. SIZE is at least 1; a call that returned AGAIN is repeated with the same
 * bytes. DONE: *OUT_SIZE bytes went out or came in. */
enum tls_result
tls_client_send(struct tls_client *client, const void *data, size_t size, size_t *out_size);
enum tls_result
tls_client_receive(struct tls_client *client, void *data, size_t size, size_t *out_size);

/* After the handshake. */
bool tls_client_is_resumed(const struct tls_client *client);
/* The newest session that the peer offered so far, the caller's; NULL: none, or out of memory.
 */
struct tls_session *tls_client_session(const struct tls_client *client);
void tls_session_free(struct tls_session *session); /* NULL-safe */

int tls_client_errno(const struct tls_client *client);
uint8_t tls_client_alert(const struct tls_client *client); /* RFC 8446 6 */
/* The first bytes that came: how many. */
size_t tls_client_first_bytes(const struct tls_client *client, uint8_t out[TLS_FIRST_BYTES]);

#endif
