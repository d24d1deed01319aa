/* Base64 with padding (RFC 4648, section 4). */
#ifndef LBNODE_BASE_BASE64_H
#define LBNODE_BASE_BASE64_H

#include "lbnode/base/bytes.h"

#define BASE64_SIZE(size) (((size) + 2) / 3 * 4) /* characters for so many bytes */

/* Writes BASE64_SIZE(in.size) characters and a terminator. */
void base64_encode(struct bytes in, char *out);
/* Strict: padded, without blanks or line ends, unused bits zero. OUT, which may be where TEXT
 * is, needs TEXT.size / 4 * 3 bytes. False leaves OUT unspecified. */
bool base64_decode(struct bytes text, uint8_t *out, size_t *out_size);

#endif
