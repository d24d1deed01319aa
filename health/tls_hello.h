/* The first message of a TLS handshake, and whether a server says hello in turn: all that a
 * monitor of type TLS-HELLO wants (octavia-api.md 7). Pure; no cryptography: the handshake is
 * never completed. The ClientHello offers what is in use, TLS 1.0 to 1.3, so a server that
 * answers with a fatal alert does not serve, and fails; HAProxy's ssl-hello-chk, which sends a
 * hello of SSL 3, has to take alerts for an answer. */
#ifndef HEALTH_TLS_HELLO_H
#define HEALTH_TLS_HELLO_H

#include "lbnode/model/verdict_board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_HELLO_SIZE = 1024,
    TLS_HELLO_PREFIX = 11, /* record header, message header, version */
    TLS_HELLO_MAXIMUM_WARNINGS = 4
};

/* Writes a ClientHello (RFC 8446 4.1.2); the same SEED gives the same bytes. SERVER_NAME: "" or
 * an address: none is sent. Its length, 0 when the name does not fit. */
size_t tls_hello_write(uint64_t seed, const char *server_name, uint8_t out[TLS_HELLO_SIZE]);

/* Zero before the first byte. */
struct tls_hello_reader {
    uint8_t size, warnings;
    uint8_t prefix[TLS_HELLO_PREFIX];
};

/* What a server sent, in pieces. True: decided, OUT_REASON is NONE for a ServerHello (of which
 * the beginning is enough); OUT_ALERT is the alert with TLS_ALERT. */
bool tls_hello_read(struct tls_hello_reader *reader,
                    const uint8_t *data,
                    size_t size,
                    enum verdict_reason *out_reason,
                    uint8_t *out_alert);

/* What a server speaks that does not speak TLS. */
enum verdict_reason tls_hello_diagnosis(const uint8_t *first, size_t size);

#endif
