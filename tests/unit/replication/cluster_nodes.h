/* Two and three whole nodes in one process, over real sockets on the loopback. */
#ifndef TESTS_REPLICATION_CLUSTER_NODES_H
#define TESTS_REPLICATION_CLUSTER_NODES_H

#include "replication/replication.h"
#include "tests/support/test.h"

enum {
    NODES = 3,
    SNAPSHOT_AFTER_RECORDS = 20
};

struct test_node {
    struct replication *replication;
    char directory[64], name[8];
    struct ip_endpoint endpoint;
    uint16_t protocol; /* 0: that of the release */
    unsigned events[EVENT_CODE_COUNT];
    char last_refusal[256];
};

struct last_answer {
    bool done;
    struct error error;
    struct submit_result result;
};

struct test_node *node_at(int index);
struct last_answer *last_answer(void);

struct wanted {
    struct uuid object;
    char value[64];
    unsigned entries;
};

/* A visitor of counts keeps the one that is named. */
struct named_count {
    const char *name;
    uint64_t count;
};
void note_named_count(void *context, const char *name, uint64_t count);

void on_done(void *context, const struct error *error);
void on_submitted(void *context, const struct submit_result *result);
void start_node(struct test_node *node);
void stop_node(struct test_node *node);
void restart_node(struct test_node *node, uint16_t protocol);
void wait_until(bool (*condition)(void), const char *what);
void await_done(void);
void init_first(void);
void create_token(struct test_node *inviter, char token[JOIN_TOKEN_SIZE]);
void join_cluster(struct test_node *joiner, const char *token);
void join_through(struct test_node *joiner, struct test_node *inviter);
/* How many of the node's peers are alive and have what it has. */
int synced_peers(const struct test_node *node);
bool pair_is_synced(void);
bool trio_is_synced(void);
void form_pair(void);
void submit_value(struct test_node *node, const struct uuid *object, const char *value);
struct wanted value_on(const struct test_node *node, const struct uuid *object);
void assert_same_state(const struct test_node *a, const struct test_node *b);
int cluster_set_up(void **state);
int cluster_tear_down(void **state);

#endif
