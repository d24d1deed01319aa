/* A state directory that no node is running on: for `lbnode db`. The caller holds its lock. */
#ifndef REPLICATION_DATABASE_H
#define REPLICATION_DATABASE_H

#include "lbnode/base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    DATABASE_TEXT_SIZE = 400
};

struct database_report {
    size_t records;                     /* in the log */
    size_t applied;                     /* of them, when all are applied anew */
    size_t rows;                        /* facet rows compared, or written anew */
    size_t bad;                         /* records that do not verify, rows that differ */
    char first_bad[DATABASE_TEXT_SIZE]; /* what is wrong, in words; "" when nothing is */
    char state_hash[65];                /* hexadecimal */
};

/* Checks every checksum, every signature, each stream's chain of hashes, and that applying the
 * whole log again gives the stored facets. Changes nothing. False with ERROR when the store
 * cannot be read at all; what is wrong inside is in the report. */
bool database_verify(const char *state_dir, struct database_report *out, struct error *error);
/* Derives everything that follows from the log again; a store that is damaged is set aside and
 * salvaged as at a start (then said in first_bad). */
bool database_rebuild(const char *state_dir, struct database_report *out, struct error *error);

#endif
