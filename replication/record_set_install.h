/* A state out of a truncated log: what record_set_replay does with one. */
#ifndef REPLICATION_RECORD_SET_INSTALL_H
#define REPLICATION_RECORD_SET_INSTALL_H

#include "replication/record_set.h"

/* As record_set_replay. Records that do not verify are left out; so OUT_APPLIED is less than
 * the set has, or the set is not complete, when something is missing. */
struct core *record_set_install(const struct record_set *set,
                                const struct core_settings *settings,
                                struct store *store,
                                struct core_now now,
                                size_t *out_applied,
                                struct error *error);

#endif
