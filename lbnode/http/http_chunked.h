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

struct http_chunked {
    uint64_t remaining;
    uint32_t extension_size, trailer_size;
    uint8_t stage, digits;
};

void http_chunked_init(struct http_chunked *chunked);
/* Consumes OUT_USED bytes of INPUT. Trailer fields are checked, bounded and dropped. */
enum http_chunk_result http_chunked_decode(struct http_chunked *chunked,
                                           struct bytes input,
                                           size_t *out_used,
                                           struct bytes *out_data);

#endif
