#include "lbnode/base/error.h"

#include "lbnode/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    int exit_code;
} kinds[] = {
    [ERROR_NONE] = {200, 0},         [ERROR_INVALID] = {400, 1},
    [ERROR_USAGE] = {400, 2},        [ERROR_NOT_FOUND] = {404, 3},
    [ERROR_CONFLICT] = {409, 4},     [ERROR_REFUSED] = {403, 5},
    [ERROR_UNREPLICATED] = {503, 6}, [ERROR_UNREACHABLE] = {503, 7},
    [ERROR_TOO_LARGE] = {413, 1},    [ERROR_UNAVAILABLE] = {503, 1},
    [ERROR_INTERNAL] = {500, 1},
};

bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        error->kind = kind;
        vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }
    return false;
}

enum {
    VALUE_SIZE = 124
};

/* A copy of VALUE that fits into a sentence: cut between characters, no control characters. */
static void quote(const char *value, char out[VALUE_SIZE + 4])
{
    size_t size = strnlen(value, VALUE_SIZE);
    if (size == VALUE_SIZE) {
        size = VALUE_SIZE - 4;
        while (size > 0 && ((unsigned char)value[size] & 0xc0) == 0x80)
            size--;
    }
    memcpy(out, value, size);
    memcpy(out + size, "...", 4);
    if (value[size] == '\0')
        out[size] = '\0';
    text_disarm(out);
}

bool error_invalid_field(struct error *error,
                         const char *field,
                         const char *value,
                         const char *reason)
{
    char quoted[VALUE_SIZE + 4];
    quote(value, quoted);
    return error_set(error, ERROR_INVALID,
                     "Invalid input for field/attribute %s. Value: '%s'. %s", field, quoted,
                     reason);
}

int error_http_status(enum error_kind kind)
{
    return kinds[kind].status;
}

int error_exit_code(enum error_kind kind)
{
    return kinds[kind].exit_code;
}

enum error_kind error_kind_of_status(int status)
{
    switch (status) {
    case 403: return ERROR_REFUSED;
    case 404: return ERROR_NOT_FOUND;
    case 409: return ERROR_CONFLICT;
    case 413: return ERROR_TOO_LARGE;
    case 503: return ERROR_UNAVAILABLE;
    default: return status < 400 ? ERROR_NONE : status < 500 ? ERROR_INVALID : ERROR_INTERNAL;
    }
}
