#include "health/expected_codes.h"

#include <ctype.h>

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

/* Reads exactly three digits; returns what follows or a null pointer. */
static const char *read_code(const char *text, int *out_code)
{
    int code = 0;
    for (int i = 0; i < 3; i++, text++) {
        if (!isdigit((unsigned char)*text))
            return 0;
        code = code * 10 + (*text - '0');
    }
    *out_code = code;
    return text;
}

bool expected_codes_match(const char *codes, int status)
{
    bool match = false;
    for (const char *at = codes;; at++) {
        int first, last;
        at = read_code(skip_blanks(at), &first);
        if (!at)
            return false;
        last = first;
        if (*at == '-' && !(at = read_code(at + 1, &last)))
            return false;
        match = match || (status >= first && status <= last);
        at = skip_blanks(at);
        if (*at == '\0')
            return match;
        if (*at != ',')
            return false;
    }
}
