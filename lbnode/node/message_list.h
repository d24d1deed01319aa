/* An owned sequence of messages with a stated bound. */
#ifndef LBNODE_NODE_MESSAGE_LIST_H
#define LBNODE_NODE_MESSAGE_LIST_H

#include "lbnode/model/message.h"

struct message_list {
    union message_buffer *items;
    size_t count, capacity;
};

enum {
    MESSAGE_LIST_MAXIMUM = 8192
};

/* Copies MESSAGE. False beyond the bound or without memory; the list is unchanged then. */
bool message_list_add(struct message_list *list, const struct message *message);
bool message_list_equal(const struct message_list *a, const struct message_list *b);
void message_list_free(struct message_list *list);

#endif
