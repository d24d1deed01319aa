/* Base32 (RFC 4648, without padding) for what people carry from one machine to another: join
 * tokens and the recovery code. A checksum catches typing errors. */
#ifndef REPLICATION_BASE32_H
#define REPLICATION_BASE32_H

#include "lbnode/base/bytes.h"

enum {
    BASE32_CHECKSUM_SIZE = 4
};

/* Text of IN and its checksum, in groups of GROUP characters joined by '-' (0: no groups).
 * False when OUT is too small. */
bool base32_encode(struct bytes in, unsigned group, char *out, size_t out_size);
/* Strict inverse; case and dashes do not matter. Returns the size without the checksum, or 0
 * when it is malformed, too long, or the checksum is wrong. */
size_t base32_decode(const char *text, uint8_t *out, size_t out_size);

#endif
