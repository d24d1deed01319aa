/* A small world for the replication core: nodes with their stores, a network that loses,
 * delays, repeats and cuts, disks that are slow or full, clocks that are wrong, and one seed
 * that decides everything. Time is virtual. */
#ifndef TESTS_SIM_REPLICATION_WORLD_H
#define TESTS_SIM_REPLICATION_WORLD_H

#include "lbnode/base/random.h"
#include "lbnode/base/uuid_map.h"
#include "replication/core.h"

enum {
    WORLD_NODES = 5,
    WORLD_CHANGES = 400
};

struct world;

struct world_node {
    struct world *world;
    unsigned number;
    struct uuid id;
    struct sign_key *key;
    struct store *store;
    struct core *core; /* NULL: down */
    uint64_t incarnation;
    int64_t clock_offset_ms;
    struct store_batch committing; /* on its way to the disk */
    bool is_committing;
    uint64_t epoch; /* of this start; messages to an older one are lost */
    struct vv persisted;
    unsigned events[EVENT_CODE_COUNT];
    bool left;
};

struct world_message {
    uint64_t at_us, order;
    unsigned to, from;
    uint64_t epoch; /* of the receiver for commits, else 0 */
    bool is_commit;
    uint32_t type;
    uint8_t *body;
    size_t size;
};

struct world_change {
    struct uuid id;
    unsigned node;
    bool acknowledged;
};

struct world {
    struct random_sequence random;
    uint64_t now_us, order;
    unsigned node_count;
    struct world_node nodes[WORLD_NODES];
    struct world_message *queue; /* a heap by (at_us, order) */
    size_t queue_count, queue_capacity;
    bool cut[WORLD_NODES][WORLD_NODES];
    unsigned loss_percent, duplicate_percent;
    uint64_t delay_us;
    struct world_change changes[WORLD_CHANGES];
    size_t change_count;
    struct uuid_map records; /* stream and seq -> its first hash */
    uint64_t trace;          /* of everything that happened: equal seeds, equal traces */
    char failure[256];       /* the first broken invariant, "" while all is well */
};

void world_init(struct world *world, uint64_t seed);
void world_free(struct world *world);
uint64_t world_below(struct world *world, uint64_t bound);
void world_fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_step(struct world *world, struct world_node *node, const struct core_event *event);
/* Lets time pass; handles what happens meanwhile. */
void world_run(struct world *world, uint64_t duration_us);
void world_start(struct world *world, struct world_node *node);
/* Power off: what was not on disk may or may not be there. */
void world_crash(struct world *world, struct world_node *node);
/* Submits CHANGES (consumed) at NODE under change number INDEX. */
void world_submit(struct world *world,
                  struct world_node *node,
                  struct change_set *changes,
                  size_t index);
/* A core that has seen the log of NODE in random order. */
struct core *world_replay(struct world *world, struct world_node *node);

#endif
