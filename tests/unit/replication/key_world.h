/* Three nodes with a raw state in common, for tests of keys: each applies what any of them
 * writes, at once in memory, and on its disk when the test says so. */
#ifndef TESTS_UNIT_REPLICATION_KEY_WORLD_H
#define TESTS_UNIT_REPLICATION_KEY_WORLD_H

#include "replication/key_plan.h"
#include "replication/keyring.h"

enum {
    KEY_WORLD_NODES = 3
};

struct key_world {
    struct facet_table table;
    struct store_batch batch;
    struct roster *roster;
    struct grant_list grants;
    struct sign_key *keys[KEY_WORLD_NODES];
    struct keyring *rings[KEY_WORLD_NODES];
    uint64_t seq;                      /* of the one stream that has all records */
    uint64_t durable[KEY_WORLD_NODES]; /* so much of it is on the node's disk */
    bool is_down[KEY_WORLD_NODES];
    uint64_t now_ms;
    struct uuid sealed_with; /* a value of the configuration is; zero: none */
};

/* For cmocka: nodes 0 to 2 in the roster, without keys. */
int key_world_set_up(void **state);
int key_world_tear_down(void **state);

struct uuid key_world_id(size_t index);
/* Applies CHANGES (freed) as a record of node BY, which had applied all earlier ones. Whoever
 * is up has it on its disk. */
void key_world_apply(struct key_world *world, size_t by, struct change_set *changes);
/* A fresh node key for the node, with status and name; the same as before when it has one. */
void key_world_make_node(struct key_world *world, size_t index, enum node_status status);
/* The node says that it speaks the protocol. */
void key_world_set_protocol(struct key_world *world, size_t index, uint8_t protocol);
bool key_world_update(struct key_world *world, size_t index);
struct key_view key_world_view(struct key_world *world, size_t index);
/* Each node that is up takes its next step, if it has one. False: none had. */
bool key_world_step(struct key_world *world);
/* Steps until nothing is left to do. Returns their number. */
unsigned key_world_settle(struct key_world *world);
/* Living keys, as node 0 sees them. */
struct living_keys key_world_living(struct key_world *world, enum key_purpose purpose);

#endif
