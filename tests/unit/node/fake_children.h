/* Children for a supervisor under test: they only write down what they are told, all into one
 * shared journal, and misbehave as the journal says. */
#ifndef TESTS_UNIT_NODE_FAKE_CHILDREN_H
#define TESTS_UNIT_NODE_FAKE_CHILDREN_H

#include "lbnode/base/ip_address.h"
#include "lbnode/model/process.h"
#include "lbnode/node/supervisor.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    JOURNAL_SIZE = 4096,
    POISON = 8,     /* this generation and later ones kill the proxy */
    STARTED = 1000, /* types beside enum message_type */
    REMOVED = 1001,
    ENDED = 1002,
    SPOKE = 1003, /* in the name of vrrp; value: resigned */
    HELD = 1004,  /* how many ICMP sockets it was given */
    NEVER_MS = 3600000,
    PEER = 1,            /* the first byte of the other node's id, if there is one */
    STRANGERS = 2,       /* those of nodes that left, from here on */
    STRANGERS_COUNT = 64 /* as many as the supervisor remembers */
};

struct entry {
    enum process_role role;
    int type;
    uint64_t value; /* pid, generation, code, first byte of an id, number of descriptors */
};

/* In memory that the test, the supervisor and its children share. */
struct journal {
    _Atomic size_t count;
    struct entry entries[JOURNAL_SIZE];
    _Atomic pid_t pids[PROCESS_ROLE_COUNT];
    _Atomic int starts[PROCESS_ROLE_COUNT];
    struct supervisor_settings settings; /* the times may change while it runs */
    struct ip_endpoint endpoint;
    /* This role gives one sign of life and then hangs; back to 0 when it does. The others never
     * give any, so that nobody else is judged by its silence, on however busy a machine. */
    _Atomic int hanging;
    _Atomic bool no_running; /* the proxy never says that it runs */
    bool peers;              /* the election's configuration has another node */
    bool strangers;          /* control vouches for the other node, then for many that left */
    bool control_unusable;   /* control ends at once */
    /* Control sends a snapshot that kills the proxy as soon as the good one is proven (which
     * takes a moment only), and another when the good one runs again. From then on nothing is
     * proven any more. */
    bool poison;
};

/* What a program of the supervisor's settings has as its argument. */
struct fake {
    struct journal *journal;
    enum process_role role;
};

void journal_note(struct journal *journal, enum process_role role, int type, uint64_t value);
/* Entries of ROLE and TYPE (any VALUE when it is UINT64_MAX) so far. */
int journal_count(const struct journal *journal,
                  enum process_role role,
                  int type,
                  uint64_t value);
int fake_main(const struct process_context *context, const void *argument);

#endif
