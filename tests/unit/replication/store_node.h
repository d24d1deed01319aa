/* One node with a real store in a directory of its own, which tests close, damage and open
 * again. */
#ifndef TESTS_UNIT_REPLICATION_STORE_NODE_H
#define TESTS_UNIT_REPLICATION_STORE_NODE_H

#include "replication/replication.h"

struct store_node {
    char directory[64];
    char path[96], copy[96]; /* of the store and of its copy */
    struct loop *loop;
    struct replication *replication; /* NULL: closed */
    struct retention retention;      /* of the next one that is opened */
    char code[RECOVERY_CODE_SIZE];   /* of its cluster */
    struct submit_result result;     /* of the last change */
    bool done;                       /* what was asked for last */
    unsigned events[EVENT_CODE_COUNT];
    char last_text[512]; /* of the last event about the storage */
};

/* A node of a new cluster of its own, running. */
struct store_node *store_node_new(void);
/* Closes it and removes its directory. */
void store_node_free(struct store_node *node);

bool store_node_try_open(struct store_node *node, struct error *error);
void store_node_open(struct store_node *node);
void store_node_close(struct store_node *node);

/* To be given to replication with the node as context, then waited for. */
void store_node_on_done(void *context, const struct error *error);
void store_node_on_submitted(void *context, const struct submit_result *result);
void store_node_wait(struct store_node *node);

struct store_backup {
    struct wire_writer content;
    struct bytes genesis, items[64]; /* in `content` */
    size_t count;
};

void store_backup_make(struct store_node *node, struct store_backup *out);
/* Restores COUNT items from the one numbered FROM on, and waits for the end. */
struct restore_result store_backup_restore(struct store_node *node,
                                           const struct store_backup *backup,
                                           size_t from,
                                           size_t count);

#endif
