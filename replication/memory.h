/* Allocation for a state that is useless in part: running out of memory ends the process, the
 * supervisor starts it again, and the store has everything that was acknowledged. */
#ifndef REPLICATION_MEMORY_H
#define REPLICATION_MEMORY_H

#include "lbnode/base/bytes.h"

void *memory_new(size_t size); /* zeroed */
void *memory_resize(void *old, size_t size);
uint8_t *memory_copy(const void *data, size_t size);
char *memory_text(const void *data, size_t size); /* terminated copy */

/* Gives back to the system what a large and short-lived structure has left between others. */
void memory_trim(void);

/* Makes room for one more element in ITEMS (element size SIZE). */
void *memory_grow(void *items, size_t count, size_t *capacity, size_t size);

#endif
