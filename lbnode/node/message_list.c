#include "lbnode/node/message_list.h"

#include <stdlib.h>
#include <string.h>

bool message_list_add(struct message_list *list, const struct message *message)
{
    if (list->count == MESSAGE_LIST_MAXIMUM)
        return false;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        union message_buffer *items = realloc(list->items, capacity * sizeof(*items));
        if (!items)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    memcpy(&list->items[list->count++], message, message->size);
    return true;
}

bool message_list_equal(const struct message_list *a, const struct message_list *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = a->items[i].header.size == b->items[i].header.size &&
                memcmp(&a->items[i], &b->items[i], a->items[i].header.size) == 0;
    return equal;
}

void message_list_free(struct message_list *list)
{
    free(list->items);
    *list = (struct message_list){0};
}
