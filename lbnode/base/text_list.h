/* An owned list of strings. A map is kept as a list of "key=value" in key order. */
#ifndef LBNODE_BASE_TEXT_LIST_H
#define LBNODE_BASE_TEXT_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct text_list {
    size_t count;
    char **items;
};

/* False when out of memory; the list is unchanged then. Copies SIZE bytes of TEXT. */
bool text_list_add(struct text_list *list, const char *text, size_t size);
bool text_list_copy(const struct text_list *from, struct text_list *out);
bool text_list_equal(const struct text_list *a, const struct text_list *b);
bool text_list_contains(const struct text_list *list, const char *text);
void text_list_sort(struct text_list *list);
/* Value of KEY in a map list, NULL when absent. */
const char *text_list_value(const struct text_list *map, const char *key);
void text_list_free(struct text_list *list);

#endif
