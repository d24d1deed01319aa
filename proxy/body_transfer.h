/* Moves a message body from one buffer to another and changes its framing on the way: chunks
 * are decoded and framed anew, so that no quirk of a sender reaches the next hop. Pure. */
#ifndef PROXY_BODY_TRANSFER_H
#define PROXY_BODY_TRANSFER_H

#include "lbnode/http/http_chunked.h"
#include "lbnode/http/http_head.h"
#include "proxy/buffer.h"

enum body_result {
    BODY_MORE, /* give more input or more room */
    BODY_DONE, /* the last byte is in OUT */
    BODY_BAD,  /* malformed chunks */
};

enum {
    BODY_LEAST_ROOM = 64 /* below this nothing is moved */
};

struct body_transfer {
    enum http_framing framing; /* of the input */
    bool chunk_output;
    bool chunk_is_open; /* its end is still to be written, before what comes next */
    bool done;
    uint64_t left; /* HTTP_BODY_LENGTH */
    struct http_chunked chunked;
};

void body_transfer_init(struct body_transfer *body,
                        enum http_framing framing,
                        uint64_t length,
                        bool chunk_output);
enum body_result
body_transfer_move(struct body_transfer *body, struct buffer *in, struct buffer *out);
/* How many bytes of input may go on as they come, without a look at them; SIZE_MAX: all. */
size_t body_transfer_passable(const struct body_transfer *body);
/* SIZE of them, at most, go on behind OUT, which needs BODY_LEAST_ROOM and gets what has to be
 * before them: BODY_DONE if they are the last. */
enum body_result
body_transfer_pass(struct body_transfer *body, size_t size, struct buffer *out);
/* The input's sender closed: BODY_DONE if that is a proper end. OUT needs BODY_LEAST_ROOM. */
enum body_result body_transfer_end(struct body_transfer *body, struct buffer *out);

#endif
