/* A growing text buffer with a stated bound. Owner calls text_free. */
#ifndef LBNODE_BASE_TEXT_H
#define LBNODE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* always terminated once anything was added; NULL before */
    size_t length;
    size_t capacity;
    size_t limit; /* bytes, 0 means 64 MiB; appending beyond it sets `overflowed` */
    bool overflowed;
    bool wipes; /* holds what must not stay in memory: what is given up is overwritten */
};

void text_append(struct text *text, const char *data, size_t size);
void text_append_string(struct text *text, const char *string);
void text_appendf(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Drop the first SIZE bytes (used by stream buffers). */
void text_consume(struct text *text, size_t size);
void text_clear(struct text *text);               /* keeps the memory */
void text_free(struct text *text);                /* keeps `limit` and `wipes` */
const char *text_string(const struct text *text); /* never NULL */

/* Bytes of the character that starts at DATA (LEFT > 0); 0 when it is not valid UTF-8 (RFC
 * 3629). */
size_t text_utf8_sequence(const char *data, size_t left);
/* True for valid UTF-8 without control characters (replication.md 5.1). */
bool text_is_clean_utf8(const char *data, size_t size);
/* Puts a question mark in the place of each byte of a control character or of invalid UTF-8:
 * what is left can neither move a terminal's cursor nor begin another line. */
void text_disarm(char *string);
/* Number of code points of valid UTF-8. */
size_t text_utf8_length(const char *string);

#endif
