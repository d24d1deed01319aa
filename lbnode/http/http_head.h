/* HTTP/1.x heads: a pure, strict, incremental parser (RFC 9110, RFC 9112; rules in
 * docs/architecture.md, "HTTP"). No allocation, no I/O; the caller owns the buffer, the head
 * holds offsets into it. Used by proxy, health, admin and cli alike. */
#ifndef LBNODE_HTTP_HTTP_HEAD_H
#define LBNODE_HTTP_HTTP_HEAD_H

#include "lbnode/base/bytes.h"

enum {
    HTTP_MAXIMUM_HEAD_SIZE = 65536, /* beyond: 431 */
    HTTP_MAXIMUM_FIELDS = 96,       /* beyond: 431 */
    HTTP_MAXIMUM_TARGET = 8192,     /* beyond: 414 */
    HTTP_MAXIMUM_NAME = 256,
};

enum http_parse_result {
    HTTP_NEED_MORE, /* nothing wrong so far */
    HTTP_COMPLETE,  /* head->size bytes are the head */
    HTTP_BAD,       /* head->error_status says what to answer (requests) or 502 (responses) */
};

/* Names that the software acts on; everything else is HTTP_FIELD_OTHER. */
enum http_field_id {
    HTTP_FIELD_OTHER,
    HTTP_FIELD_CONNECTION,
    HTTP_FIELD_CONTENT_LENGTH,
    HTTP_FIELD_CONTENT_TYPE,
    HTTP_FIELD_DATE,
    HTTP_FIELD_EXPECT,
    HTTP_FIELD_HOST,
    HTTP_FIELD_HTTP2_SETTINGS,
    HTTP_FIELD_KEEP_ALIVE,
    HTTP_FIELD_MAX_FORWARDS,
    HTTP_FIELD_PROXY_AUTHENTICATE,
    HTTP_FIELD_PROXY_AUTHORIZATION,
    HTTP_FIELD_PROXY_CONNECTION,
    HTTP_FIELD_TE,
    HTTP_FIELD_TRAILER,
    HTTP_FIELD_TRANSFER_ENCODING,
    HTTP_FIELD_UPGRADE,
    HTTP_FIELD_X_FORWARDED_FOR,
    HTTP_FIELD_X_FORWARDED_PORT,
    HTTP_FIELD_X_FORWARDED_PROTO,
    HTTP_FIELD_X_SSL_CLIENT, /* any X-SSL-Client-... */
    HTTP_FIELD_UNDERSCORE,   /* any other name with '_': servers confuse it with '-' */
    HTTP_FIELD_COUNT
};

/* What is wrong with a bad head, for those who tell it in words of their own. */
enum http_fault {
    HTTP_FAULT_OTHER, /* of requests: the sentence says it */
    HTTP_FAULT_START_LINE,
    HTTP_FAULT_STATUS, /* responses: not 100 to 599 */
    HTTP_FAULT_LINE_END,
    HTTP_FAULT_FIELD_NAME,
    HTTP_FAULT_FIELD_VALUE,
    HTTP_FAULT_FIELD_COUNT,
    HTTP_FAULT_SIZE,
    HTTP_FAULT_LENGTH, /* responses: Content-Length */
};

struct http_field {
    uint32_t name, value; /* offsets in the buffer */
    uint16_t name_length, value_length;
    uint16_t id; /* enum http_field_id */
};

enum http_framing {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH, /* head->content_length bytes */
    HTTP_BODY_CHUNKED,
    HTTP_BODY_UNTIL_CLOSE, /* responses only */
};

struct http_head {
    /* progress of the parser; zero before the first byte */
    uint32_t scanned; /* bytes looked at: parsing resumes here, never at zero */
    uint32_t line;    /* start of the current line */
    uint8_t stage;

    /* valid when complete */
    uint32_t size;         /* of the head including the empty line (and skipped leading CRLF) */
    uint8_t version_minor; /* 0 or 1 */
    uint16_t status;       /* responses */
    uint32_t method, target; /* requests: offsets */
    uint16_t method_length, target_length;
    uint32_t path; /* requests: the target in origin form; the absolute form without scheme and
                      authority, to which "/" has to be added when it does not begin with it */
    uint16_t path_length;
    uint16_t field_count;
    struct http_field fields[HTTP_MAXIMUM_FIELDS];
    enum http_framing framing;
    uint64_t content_length;
    bool keep_alive;      /* what the sender offers, by version and Connection */
    bool expect_continue; /* requests */
    bool upgrade;         /* Connection names upgrade and an Upgrade field exists */
    bool nominates;       /* Connection names further fields, to be dropped by proxies */
    uint8_t empty_lines;  /* skipped before the start line */

    uint16_t error_status; /* when bad: 400, 414, 417, 431, 501, 505 */
    const char *error;     /* a sentence without input in it */
    uint8_t fault;         /* enum http_fault; the line that it is about ends before head->line,
                              or at HTTP_FAULT_LINE_END begins there */
};

void http_head_init(struct http_head *head);
/* BUFFER holds the message from its first byte; SIZE only ever grows between calls. */
enum http_parse_result
http_request_parse(struct http_head *head, const char *buffer, size_t size);
/* REQUEST_METHOD decides the framing (HEAD, CONNECT: no body). */
enum http_parse_result http_response_parse(struct http_head *head,
                                           const char *buffer,
                                           size_t size,
                                           struct bytes request_method);

/* First field with ID, or NULL. */
const struct http_field *http_head_field(const struct http_head *head, enum http_field_id id);
/* First field NAME (any case), or NULL; for names without an id. */
const struct http_field *
http_head_field_named(const struct http_head *head, const char *buffer, const char *name);
struct bytes http_head_text(const char *buffer, uint32_t offset, size_t length);
/* Takes the next non-empty element off the comma-separated LIST. False at the end. */
bool http_list_next(struct bytes *list, struct bytes *out_element);
/* TEXT is WORD, compared without case. */
bool http_text_is(struct bytes text, const char *word);
/* Is TOKEN in the comma-separated value of FIELD? Any case. */
bool http_field_has_token(const char *buffer,
                          const struct http_field *field,
                          const char *token);
const char *http_status_phrase(int status);

#endif
