/* What members ask each other for: a planned switch, probes of a pool (core_internal.h). */
#ifndef REPLICATION_CORE_WISHES_H
#define REPLICATION_CORE_WISHES_H

#include "replication/core.h"

struct peer;

enum {
    PROBE_WISHES = 8 /* of a peer, that are remembered */
};

struct probe_wish {
    struct uuid pool;
    uint64_t asked_us; /* 0: none */
};

/* core_switch.c */
void core_ask_switch(const struct core_event *event, struct core_actions *actions);
void core_handle_switch(struct core *core,
                        struct peer *peer,
                        struct bytes body,
                        struct core_actions *actions);

/* core_probe.c */
void core_ask_probe(const struct core *core,
                    const struct core_event *event,
                    struct core_actions *actions);
void core_handle_probe(struct core *core,
                       struct peer *peer,
                       struct bytes body,
                       struct core_actions *actions);

#endif
