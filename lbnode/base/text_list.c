#include "lbnode/base/text_list.h"

#include <stdlib.h>
#include <string.h>

bool text_list_add(struct text_list *list, const char *text, size_t size)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items)
        return false;
    list->items = items;
    char *copy = malloc(size + 1);
    if (!copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    list->items[list->count++] = copy;
    return true;
}

bool text_list_copy(const struct text_list *from, struct text_list *out)
{
    struct text_list copy = {0};
    for (size_t i = 0; i < from->count; i++) {
        if (!text_list_add(&copy, from->items[i], strlen(from->items[i]))) {
            text_list_free(&copy);
            return false;
        }
    }
    *out = copy;
    return true;
}

bool text_list_equal(const struct text_list *a, const struct text_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    }
    return true;
}

bool text_list_contains(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void text_list_sort(struct text_list *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), compare_items);
}

const char *text_list_value(const struct text_list *map, const char *key)
{
    size_t size = strlen(key);
    for (size_t i = 0; i < map->count; i++) {
        if (strncmp(map->items[i], key, size) == 0 && map->items[i][size] == '=')
            return map->items[i] + size + 1;
    }
    return NULL;
}

void text_list_free(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    list->items = NULL;
    list->count = 0;
}
