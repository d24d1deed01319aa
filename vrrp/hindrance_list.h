/* What other processes, and checks of this one, say against being active; pure. Each word is
 * about one group or all of them, and holds until it is taken back. */
#ifndef VRRP_HINDRANCE_LIST_H
#define VRRP_HINDRANCE_LIST_H

#include "lbnode/model/hindrance.h"
#include "lbnode/model/message.h"

enum {
    HINDRANCE_LIST_MAXIMUM = 1024, /* four kinds for each of 255 groups */
};

struct hindrance_list {
    struct message_hindrance *items;
    size_t count;
};

void hindrance_list_free(struct hindrance_list *list); /* leaves it empty */
/* Takes a word or takes it back. False when nothing changed, or the list is full. */
bool hindrance_list_set(struct hindrance_list *list, const struct message_hindrance *word);
/* Does WORD speak of the group? */
bool hindrance_concerns(const struct message_hindrance *word, const struct uuid *group_id);
/* The one that matters most for the group, or NULL: kinds are ordered by weight. With WAITS
 * false those that an active node ignores are left out. */
const struct message_hindrance *
hindrance_list_find(const struct hindrance_list *list, const struct uuid *group_id, bool waits);

#endif
