/* An error as a value: what kind it is and one sentence for a person.
 * Functions that can refuse input take `struct error *error` last and return false or -errno.
 */
#ifndef LBNODE_BASE_ERROR_H
#define LBNODE_BASE_ERROR_H

#include <stdbool.h>

/* Kind -> HTTP status of the API -> exit code of the command line (both tables in error.c). */
enum error_kind {
    ERROR_NONE,
    ERROR_INVALID,      /* bad input: 400, exit 1 */
    ERROR_USAGE,        /* bad command line: exit 2 */
    ERROR_NOT_FOUND,    /* 404, exit 3 */
    ERROR_CONFLICT,     /* 409, exit 4 */
    ERROR_REFUSED,      /* rights, storage: 403, exit 5 */
    ERROR_UNREPLICATED, /* --require-replica not met: 503, exit 6 */
    ERROR_UNREACHABLE,  /* no daemon answers: exit 7 */
    ERROR_TOO_LARGE,    /* 413, exit 1 */
    ERROR_UNAVAILABLE,  /* try again later: 503, exit 1 */
    ERROR_INTERNAL,     /* our fault: 500, exit 1 */
};

struct error {
    enum error_kind kind;
    char text[512]; /* a sentence naming field, value and remedy; never holds secrets */
};

/* Fill ERROR (may be NULL). Always returns false, so that `return error_set(...)` reads well.
 */
bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Octavia's sentence for a bad attribute (octavia-api.md 1.2). Returns false. */
bool error_invalid_field(struct error *error,
                         const char *field,
                         const char *value,
                         const char *reason);

int error_http_status(enum error_kind kind);
int error_exit_code(enum error_kind kind);
/* The kind that an HTTP status stands for, ERROR_NONE below 400. */
enum error_kind error_kind_of_status(int status);

#endif
