/* A connected socket with edge-triggered readiness: the events only set flags, the state
 * machine that owns the stream reads and writes when it wants to. */
#ifndef PROXY_STREAM_H
#define PROXY_STREAM_H

#include "lbnode/loop/loop.h"
#include "proxy/buffer.h"
#include "proxy/pipe_pool.h"

#include <sys/types.h>

enum {
    STREAM_UNREAD_NEWS = 2,       /* events in a row for a stream that nobody reads */
    STREAM_UNSENT_BULK = 4 << 20, /* bytes of bulk that may wait in the kernel to be sent */
    STREAM_BULK = 256 << 10,      /* from here on bytes that wait at once are bulk */
};

struct stream {
    struct loop_io io;
    void (*on_event)(struct stream *stream);
    int fd;            /* -1: closed */
    bool readable;     /* there may be something to read */
    bool writable;     /* there may be room to write */
    bool closing;      /* the peer's FIN or an error is on its way: read to the end */
    bool ended;        /* read to the end, or failed */
    bool write_failed; /* what is written is lost */
    /* While the owner does not read, news of more input are of no use: after a few of them the
     * kernel is asked to hold them back until there is nothing left to read. */
    bool hushed;
    bool has_bulk_room; /* more may wait in the kernel to be sent than at first */
    uint8_t unread_news;
};

/* Takes FD over when it returns 0; else -errno. */
int stream_open(struct loop *loop,
                struct stream *stream,
                int fd,
                void (*on_event)(struct stream *stream));
void stream_close(struct stream *stream); /* idempotent */
/* Closes with RST: the peer must not take what it has for the whole. */
void stream_abort(struct stream *stream);
/* Nothing to read and no end in sight, as an idle connection has to be. Asks the kernel only
 * when `readable` is set, which a read that filled its room leaves so. */
bool stream_is_quiet(struct stream *stream);
/* The peer has closed, and there is nothing left to read. Asks the kernel only when the end is
 * on its way. */
bool stream_is_gone(const struct stream *stream);
/* The peer goes on taking what waits in the kernel for it: some of it was sent during the last
 * WITHIN_MS, and nothing had to be sent again since. */
bool stream_is_taken_from(const struct stream *stream, uint64_t within_ms);
/* One read into the room of BUFFER: bytes, or 0 when there is nothing now or no more (ended).
 */
size_t stream_read(struct stream *stream, struct buffer *buffer);
/* The same with LIMIT bytes at most. */
size_t stream_read_some(struct stream *stream, struct buffer *buffer, size_t limit);
/* One write of BUFFER from its start: bytes consumed, 0 when there is no room now or it failed.
 * MORE_FOLLOWS: once all of it is written, the caller writes more, closes or shuts down without
 * delay, so the last bytes wait for that and go with it, in one packet. */
size_t stream_write(struct stream *stream, struct buffer *buffer, bool more_follows);
/* As stream_write, but what was written stays in BUFFER behind *SENT. */
size_t stream_write_kept(struct stream *stream, const struct buffer *buffer, uint32_t *sent);
/* What the peer sent is acknowledged now, and for the time being without waiting for an answer
 * to send the acknowledgement with: for sockets that begin with TCP_QUICKACK off. */
void stream_acknowledge_at_once(struct stream *stream);
/* The kernel asks a peer that is silent for a minute whether it is still there, and ends the
 * stream when it does not answer: for what may be idle for an hour. */
void stream_probe_when_idle(struct stream *stream);
/* As stream_read and stream_write, but into an empty PIPE, LIMIT bytes at most, and out of it.
 */
size_t stream_fill_pipe(struct stream *stream, struct pipe *pipe, size_t limit);
size_t stream_drain_pipe(struct stream *stream, struct pipe *pipe);

#endif
