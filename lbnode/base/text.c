#include "lbnode/base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_LIMIT = 64 << 20
};

/* As realloc, which may leave a copy of the old bytes behind. */
static char *grow(struct text *text, size_t capacity)
{
    if (!text->wipes || !text->data)
        return realloc(text->data, capacity);
    char *data = malloc(capacity);
    if (!data)
        return NULL;
    memcpy(data, text->data, text->length + 1);
    explicit_bzero(text->data, text->capacity);
    free(text->data);
    return data;
}

static bool reserve(struct text *text, size_t extra)
{
    size_t limit = text->limit ? text->limit : DEFAULT_LIMIT;
    if (text->overflowed || extra > limit || text->length > limit - extra) {
        text->overflowed = true;
        return false;
    }
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 128;
    while (capacity < needed)
        capacity *= 2;
    char *data = grow(text, capacity);
    if (!data) {
        text->overflowed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append(struct text *text, const char *data, size_t size)
{
    if (!reserve(text, size))
        return;
    if (size > 0)
        memcpy(text->data + text->length, data, size);
    text->length += size;
    text->data[text->length] = '\0';
}

void text_append_string(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_appendf(struct text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    if (size >= 0 && reserve(text, (size_t)size)) {
        vsnprintf(text->data + text->length, (size_t)size + 1, format, again);
        text->length += (size_t)size;
    }
    va_end(again);
    va_end(args);
}

void text_consume(struct text *text, size_t size)
{
    if (size == 0)
        return;
    memmove(text->data, text->data + size, text->length - size + 1);
    text->length -= size;
    if (text->wipes)
        explicit_bzero(text->data + text->length + 1, size);
}

void text_clear(struct text *text)
{
    if (text->wipes && text->data)
        explicit_bzero(text->data, text->length);
    text->length = 0;
    text->overflowed = false;
    if (text->data)
        text->data[0] = '\0';
}

void text_free(struct text *text)
{
    if (text->wipes && text->data)
        explicit_bzero(text->data, text->capacity);
    free(text->data);
    text->data = NULL;
    text->length = text->capacity = 0;
    text->overflowed = false;
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

size_t text_utf8_sequence(const char *data, size_t left)
{
    const uint8_t *p = (const uint8_t *)data;
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80       ? 1
                  : p[0] >> 5 == 6  ? 2
                  : p[0] >> 4 == 14 ? 3
                  : p[0] >> 3 == 30 ? 4
                                    : 0;
    if (size == 0 || size > left)
        return 0;
    if (size == 1)
        return 1;
    uint32_t point = p[0] & (0xff >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        point = point << 6 | (p[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < smallest[size] || point > 0x10ffff || surrogate ? 0 : size;
}

/* The same, and no control character: C0, DEL or C1. */
static size_t clean_sequence(const char *data, size_t left)
{
    const uint8_t *p = (const uint8_t *)data;
    size_t size = text_utf8_sequence(data, left);
    bool c1_control = size == 2 && p[0] == 0xc2 && p[1] < 0xa0;
    return c1_control || (size == 1 && (p[0] < 0x20 || p[0] == 0x7f)) ? 0 : size;
}

bool text_is_clean_utf8(const char *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t step = clean_sequence(data + i, size - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

void text_disarm(char *string)
{
    for (size_t left = strlen(string); left > 0;) {
        size_t step = clean_sequence(string, left);
        if (step == 0) {
            *string = '?';
            step = 1;
        }
        string += step;
        left -= step;
    }
}

size_t text_utf8_length(const char *string)
{
    size_t count = 0;
    for (; *string; string++)
        count += ((uint8_t)*string & 0xc0) != 0x80;
    return count;
}
