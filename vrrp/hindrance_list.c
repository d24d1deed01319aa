#include "vrrp/hindrance_list.h"

#include <stdlib.h>
#include <string.h>

void hindrance_list_free(struct hindrance_list *list)
{
    free(list->items);
    *list = (struct hindrance_list){0};
}

static size_t index_of(const struct hindrance_list *list, const struct message_hindrance *word)
{
    size_t i = 0;
    while (i < list->count && (list->items[i].kind != word->kind ||
                               !uuid_equal(&list->items[i].group_id, &word->group_id)))
        i++;
    return i;
}

static bool add(struct hindrance_list *list, const struct message_hindrance *word)
{
    if (list->count == HINDRANCE_LIST_MAXIMUM)
        return false;
    if (!list->items)
        list->items = calloc(HINDRANCE_LIST_MAXIMUM, sizeof(*list->items));
    if (!list->items)
        return false;
    list->items[list->count++] = *word;
    return true;
}

bool hindrance_list_set(struct hindrance_list *list, const struct message_hindrance *word)
{
    struct message_hindrance clean = *word;
    size_t at = index_of(list, word);
    clean.text[sizeof(clean.text) - 1] = 0;
    if (word->kind == HINDRANCE_IS_NONE || word->kind >= HINDRANCE_COUNT)
        return false;
    if (!word->holds && at < list->count)
        list->items[at] = list->items[--list->count];
    else if (!word->holds)
        return false;
    else if (at == list->count)
        return add(list, &clean);
    else if (strcmp(list->items[at].text, clean.text) == 0)
        return false;
    else
        list->items[at] = clean;
    return true;
}

bool hindrance_concerns(const struct message_hindrance *word, const struct uuid *group_id)
{
    return uuid_is_zero(&word->group_id) || uuid_equal(&word->group_id, group_id);
}

const struct message_hindrance *
hindrance_list_find(const struct hindrance_list *list, const struct uuid *group_id, bool waits)
{
    const struct message_hindrance *worst = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct message_hindrance *word = &list->items[i];
        if (!hindrance_concerns(word, group_id))
            continue;
        if (!waits && hindrance_effect(word->kind) == HINDRANCE_WAITS)
            continue;
        if (!worst || word->kind < worst->kind)
            worst = word;
    }
    return worst;
}
