#include "replication/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *memory_new(size_t size)
{
    void *data = calloc(1, size ? size : 1);
    if (!data)
        abort();
    return data;
}

void *memory_resize(void *old, size_t size)
{
    void *data = realloc(old, size ? size : 1);
    if (!data)
        abort();
    return data;
}

uint8_t *memory_copy(const void *data, size_t size)
{
    uint8_t *copy = memory_new(size);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

char *memory_text(const void *data, size_t size)
{
    char *copy = memory_new(size + 1);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

void memory_trim(void)
{
    malloc_trim(0);
}

void *memory_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 8;
    return memory_resize(items, *capacity * size);
}
