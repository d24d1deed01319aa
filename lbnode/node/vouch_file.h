/* The nodes that gossip once vouched for, over restarts: the file `vouched` of the state
 * directory, a line for each node, "ID ADDRESS...". Two nodes that start at once, with gossip
 * late or broken, know each other's adverts by it. */
#ifndef LBNODE_NODE_VOUCH_FILE_H
#define LBNODE_NODE_VOUCH_FILE_H

#include "lbnode/model/message.h"

enum {
    VOUCH_FILE_NODES = 64
};

struct vouch_list {
    struct message_vrrp_vouched nodes[VOUCH_FILE_NODES];
    size_t count;
};

/* TEXT is changed. False, and LIST empty, when it is not what vouch_file_write writes. */
bool vouch_file_parse(char *text, struct vouch_list *list);
/* A file that is missing or damaged gives an empty list. */
void vouch_file_read(const char *state_dir, struct vouch_list *list);
/* May wait for the disk. 0 or -errno. */
int vouch_file_write(const char *state_dir, const struct vouch_list *list);

#endif
