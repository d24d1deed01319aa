/* The chunked transfer coding (RFC 9112 7.1): a pure, strict, incremental decoder. */
#ifndef LBNODE_HTTP_HTTP_CHUNKED_H
#define LBNODE_HTTP_HTTP_CHUNKED_H

#include "lbnode/base/bytes.h"

enum http_chunk_result {
    HTTP_CHUNK_NEED_MORE, /* all input used */
    HTTP_CHUNK_DATA,      /* OUT_DATA is a piece of the body; call again with the rest */
    HTTP_CHUNK_DONE,      /* the body and its trailers ended; the rest is not ours */
    HTTP_CHUNK_BAD,
};

enum {
    HTTP_MAXIMUM_CHUNK_EXTENSION = 256,  /* bytes per chunk */
    HTTP_MAXIMUM_EXTENSIONS = 16 << 10,  /* bytes per message */
    HTTP_MAXIMUM_TRAILER_SIZE = 8 << 10, /* bytes */
    HTTP_MAXIMUM_TRAILERS = 32,          /* fields */
};

struct http_chunked {
    uint64_t remaining;
    uint32_t extension_size, trailer_size; /* of the message */
    uint16_t chunk_extension;              /* of this chunk */
    uint8_t stage, digits, trailer_count;
};

void http_chunked_init(struct http_chunked *chunked);
/* Consumes OUT_USED bytes of INPUT. Trailer fields are checked, bounded and dropped. */
enum http_chunk_result http_chunked_decode(struct http_chunked *chunked,
                                           struct bytes input,
                                           size_t *out_used,
                                           struct bytes *out_data);
/* The bytes of the body that come next, up to the end of the chunk at hand; 0 between chunks.
 */
uint64_t http_chunked_data_left(const struct http_chunked *chunked);
/* SIZE of them, at most, were taken without being decoded. */
void http_chunked_pass(struct http_chunked *chunked, uint64_t size);

#endif
