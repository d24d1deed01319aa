#include "health/tls_hello.h"

#include "lbnode/base/ip_address.h"

#include <string.h>

enum {
    RECORD_HEADER = 5,
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    MESSAGE_SERVER_HELLO = 2,
    SERVER_HELLO_MINIMUM = 38, /* version, random, no session id, suite, compression */
    RECORD_MAXIMUM = 16384,
    ALERT_SIZE = 2,
    ALERT_WARNING = 1,
    ALERT_CLOSE_NOTIFY = 0,
    NAME_MAXIMUM = 255,
};

/* ---- the ClientHello -----------------------------------------------------------------------
 */

struct writer {
    uint8_t *data;
    size_t size;
};

static void put(struct writer *writer, const void *data, size_t size)
{
    memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

static void put_number(struct writer *writer, size_t number, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;)
        writer->data[writer->size++] = (uint8_t)(number >> 8 * i);
}

/* Room for a length of BYTES bytes, to be filled by close_length. */
static size_t open_length(struct writer *writer, unsigned bytes)
{
    writer->size += bytes;
    return writer->size;
}

static void close_length(struct writer *writer, size_t start, unsigned bytes)
{
    struct writer at = {writer->data, start - bytes};
    put_number(&at, writer->size - start, bytes);
}

/* Nobody relies on these bytes: they only have to differ (splitmix64). */
static void put_noise(struct writer *writer, uint64_t *seed, unsigned words)
{
    for (unsigned i = 0; i < words; i++) {
        uint64_t z = *seed += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        z ^= z >> 31;
        put_number(writer, z >> 32, 4);
        put_number(writer, z & UINT32_MAX, 4);
    }
}

static void put_server_name(struct writer *writer, const char *name)
{
    put_number(writer, 0, 2); /* server_name (RFC 6066 3) */
    size_t extension = open_length(writer, 2);
    size_t list = open_length(writer, 2);
    put_number(writer, 0, 1); /* host_name */
    put_number(writer, strlen(name), 2);
    put(writer, name, strlen(name));
    close_length(writer, list, 2);
    close_length(writer, extension, 2);
}

static void put_extensions(struct writer *writer, uint64_t *seed, const char *name)
{
    static const uint8_t fixed[] = {
        0x00, 0x0a, 0,    10,   0,    8,    0x00, 0x1d, 0x00, 0x17, 0x00, 0x18,
        0x00, 0x19,                       /* groups */
        0x00, 0x0b, 0,    2,    1,    0,  /* uncompressed points */
        0x00, 0x0d, 0,    26,   0,    24, /* signature algorithms */
        0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x08, 0x07, 0x08, 0x08, 0x08, 0x04, /* */
        0x08, 0x05, 0x08, 0x06, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01, 0x02, 0x01, /* */
        0xff, 0x01, 0,    1,    0,       /* renegotiation (RFC 5746) */
        0x00, 0x17, 0,    0,             /* extended master secret */
        0x00, 0x2d, 0,    2,    1,    1, /* psk modes: with (EC)DHE */
        0x00, 0x2b, 0,    9,    8,    3,    4,    3,    3,    3,    2,    3,
        1,                                                        /* versions 1.3 to 1.0 */
        0x00, 0x33, 0,    38,   0,    36,   0x00, 0x1d, 0,    32, /* key share of X25519: */
    };
    struct ip_address address;
    if (name[0] != '\0' && !ip_address_parse(name, &address))
        put_server_name(writer, name);
    put(writer, fixed, sizeof(fixed));
    put_noise(writer, seed, 4);
}

size_t tls_hello_write(uint64_t seed, const char *server_name, uint8_t out[TLS_HELLO_SIZE])
{
    static const uint8_t suites[] = {
        0x13, 0x01, 0x13, 0x02, 0x13, 0x03,                         /* TLS 1.3 */
        0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0xcc, 0xa9, /* ECDHE, GCM, ChaCha20 */
        0xcc, 0xa8, 0x00, 0x9e, 0x00, 0x9f, 0x00, 0x9c, 0x00, 0x9d, /* DHE, RSA */
        0xc0, 0x09, 0xc0, 0x13, 0xc0, 0x0a, 0xc0, 0x14, 0x00, 0x33, /* CBC */
        0x00, 0x39, 0x00, 0x2f, 0x00, 0x35, 0x00, 0x0a,
    };
    struct writer writer = {out, 0};
    if (strlen(server_name) > NAME_MAXIMUM)
        return 0;
    put(&writer, (const uint8_t[]){RECORD_HANDSHAKE, 3, 1}, 3);
    size_t record = open_length(&writer, 2);
    put_number(&writer, 1, 1); /* client_hello */
    size_t message = open_length(&writer, 3);
    put_number(&writer, 0x0303, 2);
    put_noise(&writer, &seed, 4);
    put_number(&writer, 32, 1); /* session id, as middleboxes want it (RFC 8446 D.4) */
    put_noise(&writer, &seed, 4);
    put_number(&writer, sizeof(suites), 2);
    put(&writer, suites, sizeof(suites));
    put_number(&writer, 0x0100, 2); /* no compression */
    size_t extensions = open_length(&writer, 2);
    put_extensions(&writer, &seed, server_name);
    close_length(&writer, extensions, 2);
    close_length(&writer, message, 3);
    close_length(&writer, record, 2);
    return writer.size;
}

/* ---- the answer ----------------------------------------------------------------------------
 */

static size_t number_at(const uint8_t *at, unsigned bytes)
{
    size_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

enum verdict_reason tls_hello_diagnosis(const uint8_t *first, size_t size)
{
    if ((size >= 5 && memcmp(first, "HTTP/", 5) == 0) || (size >= 1 && first[0] == '<'))
        return VERDICT_REASON_SPEAKS_PLAIN;
    if (size >= 4 && memcmp(first, "SSH-", 4) == 0)
        return VERDICT_REASON_SPEAKS_SSH;
    return VERDICT_REASON_NOT_TLS;
}

/* Does the record begin as one of TLS, as far as it is there? */
static bool may_be_record(const uint8_t *prefix, size_t size)
{
    if (prefix[0] != RECORD_ALERT && prefix[0] != RECORD_HANDSHAKE)
        return false;
    if (size >= 3 && (prefix[1] != 3 || prefix[2] > 4))
        return false;
    return size < RECORD_HEADER ||
           (number_at(prefix + 3, 2) > 0 && number_at(prefix + 3, 2) <= RECORD_MAXIMUM);
}

static bool is_server_hello(const uint8_t *prefix)
{
    const uint8_t *message = prefix + RECORD_HEADER;
    size_t size = number_at(message + 1, 3);
    return message[0] == MESSAGE_SERVER_HELLO && size >= SERVER_HELLO_MINIMUM &&
           size <= RECORD_MAXIMUM && message[4] == 3 && message[5] <= 4;
}

static bool decide(enum verdict_reason *out, enum verdict_reason reason)
{
    *out = reason;
    return true;
}

/* An alert is there; a warning (of TLS 1.2 and older) may precede the ServerHello. */
static bool
judge_alert(struct tls_hello_reader *reader, enum verdict_reason *out, uint8_t *out_alert)
{
    const uint8_t *alert = reader->prefix + RECORD_HEADER;
    *out_alert = alert[1];
    if (number_at(reader->prefix + 3, 2) != ALERT_SIZE)
        return decide(out, VERDICT_REASON_TLS_FAILED);
    if (alert[0] != ALERT_WARNING || alert[1] == ALERT_CLOSE_NOTIFY ||
        ++reader->warnings > TLS_HELLO_MAXIMUM_WARNINGS)
        return decide(out, VERDICT_REASON_TLS_ALERT);
    reader->size = 0;
    return false;
}

/* Looks at the prefix after each byte. */
static bool judge(struct tls_hello_reader *reader, enum verdict_reason *out, uint8_t *out_alert)
{
    const uint8_t *prefix = reader->prefix;
    if (!may_be_record(prefix, reader->size)) {
        /* What else it is shows in its first five bytes. */
        if (reader->size < RECORD_HEADER && prefix[0] != RECORD_ALERT &&
            prefix[0] != RECORD_HANDSHAKE && (prefix[0] == 'H' || prefix[0] == 'S'))
            return false;
        return decide(out, tls_hello_diagnosis(prefix, reader->size));
    }
    if (prefix[0] == RECORD_ALERT && reader->size == RECORD_HEADER + ALERT_SIZE)
        return judge_alert(reader, out, out_alert);
    if (reader->size < TLS_HELLO_PREFIX)
        return false;
    return decide(out,
                  is_server_hello(prefix) ? VERDICT_REASON_NONE : VERDICT_REASON_TLS_FAILED);
}

bool tls_hello_read(struct tls_hello_reader *reader,
                    const uint8_t *data,
                    size_t size,
                    enum verdict_reason *out_reason,
                    uint8_t *out_alert)
{
    for (size_t i = 0; i < size; i++) {
        reader->prefix[reader->size++] = data[i];
        if (judge(reader, out_reason, out_alert))
            return true;
    }
    return false;
}
