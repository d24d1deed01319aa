/* Classes of bytes in HTTP messages, and the shared innards of the two head parsers. Private to
 * lbnode/http. */
#ifndef LBNODE_HTTP_HTTP_CLASS_H
#define LBNODE_HTTP_HTTP_CLASS_H

#include "lbnode/http/http_head.h"

enum http_class {
    HTTP_CLASS_TCHAR = 1,  /* RFC 9110 5.6.2 */
    HTTP_CLASS_TARGET = 2, /* in request targets */
    HTTP_CLASS_VALUE = 4,  /* in field values: VCHAR, SP, HTAB, obs-text */
    HTTP_CLASS_HOST = 8,   /* reg-name (RFC 3986 3.2.2) without ',' */
    HTTP_CLASS_DIGIT = 16,
    HTTP_CLASS_HEX = 32,
};

extern const uint8_t http_classes[256];

static inline bool http_is(char c, unsigned class_set)
{
    return http_classes[(uint8_t)c] & class_set;
}

/* True when all bytes of TEXT belong to CLASS_SET; an empty text does. Values and targets are
 * looked at in blocks of 16 bytes where the machine can; the scalar twin says the same. */
bool http_all(struct bytes text, unsigned class_set);
bool http_all_scalar(struct bytes text, unsigned class_set);

/* What differs between requests and responses while a head is read. */
struct http_grammar {
    bool (*start_line)(struct http_head *head, const char *buffer, struct bytes line);
    uint16_t bad_status; /* answer when a line is malformed */
    uint8_t empty_lines; /* allowed before the start line */
};

/* Marks HEAD as bad and returns false. ERROR is static text. */
bool http_head_fail(struct http_head *head, uint16_t status, const char *error);
bool http_head_fail_as(struct http_head *head,
                       enum http_fault fault,
                       uint16_t status,
                       const char *error);
/* Reads lines until the head is complete; HTTP_COMPLETE is not checked beyond its syntax. */
enum http_parse_result http_head_run(struct http_head *head,
                                     const struct http_grammar *grammar,
                                     const char *buffer,
                                     size_t size);
/* Digests every Connection field: keep_alive, upgrade, nominates. */
void http_head_digest_connection(struct http_head *head, const char *buffer);
/* 1..19 digits, at most 2^63 - 1. */
bool http_parse_length(struct bytes text, uint64_t *out);
enum http_field_id http_field_identify(struct bytes name);

enum {
    HTTP_STAGE_START,
    HTTP_STAGE_FIELDS,
    HTTP_STAGE_CHECK, /* syntax fine, meaning not checked yet */
    HTTP_STAGE_COMPLETE,
    HTTP_STAGE_BAD,
};

#endif
