/* 16-byte identifiers in RFC 4122 text form, lower case. */
#ifndef LBNODE_BASE_UUID_H
#define LBNODE_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

enum {
    UUID_TEXT_SIZE = 37
};

struct uuid {
    uint8_t bytes[16];
};

struct uuid uuid_random(void); /* version 4 */
/* Same NAMESPACE and NAME, same id on every node (version 8 layout, not reversible). */
struct uuid uuid_derived(const struct uuid *name_space, const char *name);
bool uuid_parse(const char *text, struct uuid *out);
void uuid_format(const struct uuid *id, char out[UUID_TEXT_SIZE]);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_zero(const struct uuid *id);
int uuid_compare(const struct uuid *a, const struct uuid *b);

#endif
