/* Snapshots and the store: sending one over the stream to a peer, as fast as it takes it, and
 * collecting what this node has above one that it takes itself. */
#include "replication/backup_parts.h"
#include "replication/join.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"
#include "replication/snapshot_read.h"
#include "replication/transport.h"

#include "lbnode/base/random.h"

#include <errno.h>
#include <stdlib.h>

enum {
    QUEUE_HIGH = 256 << 10,    /* bytes that may wait for the stream */
    BYTES_PER_TURN = 64 << 10, /* the loop has other work */
};

struct snapshot_sending {
    struct uuid peer;
    uint64_t transfer, number;
    struct snapshot_reader *reader; /* NULL: it waits for the end of a commit */
};

/* ---- sending ---------------------------------------------------------------------------- */

static void end(struct replication *replication)
{
    struct snapshot_sending *sending = replication->sending;
    if (!sending)
        return;
    if (sending->reader)
        core_hold_log(replication->core, false);
    snapshot_reader_free(sending->reader);
    free(sending);
    replication->sending = NULL;
}

void snapshot_send_cancel(struct replication *replication)
{
    backup_reading_end(replication);
    join_servers_end_sending(replication);
    end(replication);
}

void snapshot_send_stop(struct replication *replication,
                        const struct uuid *peer,
                        uint64_t transfer)
{
    const struct snapshot_sending *sending = replication->sending;
    if (sending && uuid_equal(&sending->peer, peer) &&
        (transfer == 0 || transfer == sending->transfer))
        end(replication);
}

static void refuse(struct replication *replication, const struct uuid *peer, uint64_t number)
{
    struct wire_writer body = {0};
    pull_end(false, number, &body);
    transport_send(replication->transport, peer, FRAME_PULL_END, wire_written(&body), true);
    wire_writer_free(&body);
}

void snapshot_send_start(struct replication *replication,
                         const struct uuid *peer,
                         uint64_t number)
{
    if (replication->sending && !uuid_equal(&replication->sending->peer, peer)) {
        refuse(replication, peer, number); /* it asks again, perhaps another node */
        return;
    }
    end(replication);
    struct snapshot_sending *sending = memory_new(sizeof(*sending));
    sending->peer = *peer;
    sending->number = number;
    while (sending->transfer == 0)
        sending->transfer = random_u64();
    replication->sending = sending;
}

static bool open_reader(struct replication *replication, struct snapshot_sending *sending)
{
    if (!sending->reader && !replication->committing) {
        sending->reader =
            snapshot_reader_new(replication->core, replication->store, sending->transfer);
        if (sending->reader)
            core_hold_log(replication->core, true);
    }
    return sending->reader;
}

void snapshot_send_continue(struct replication *replication, const struct uuid *peer)
{
    struct snapshot_sending *sending = replication->sending;
    size_t sent = 0;
    int result = 1;
    if (!sending || !replication->transport || (peer && !uuid_equal(peer, &sending->peer)) ||
        !open_reader(replication, sending))
        return;
    while (result > 0 && sent < BYTES_PER_TURN &&
           transport_queued(replication->transport, &sending->peer) < QUEUE_HIGH) {
        struct wire_writer body = {0};
        uint32_t type;
        result = snapshot_reader_next(sending->reader, &type, &body);
        if (result > 0)
            transport_send(replication->transport, &sending->peer, type, wire_written(&body),
                           true);
        sent += body.size;
        wire_writer_free(&body);
    }
    if (sent > 0)
        transport_flush(replication->transport);
    replication->damaged |= result == -EBADMSG || result == -ENOENT;
    if (result <= 0)
        end(replication);
}

/* ---- collecting ------------------------------------------------------------------------- */

static void give_back(void *context, struct bytes record)
{
    replication_step_once(context, &(struct core_event){.kind = CORE_KEPT, .body = record});
}

struct covered {
    struct replication *replication;
    struct vv vector;
};

static void take_one(void *context, struct bytes bytes)
{
    struct covered *covered = context;
    struct record record;
    if (record_parse(bytes, &record))
        vv_raise(&covered->vector, record.stream, record.seq);
    give_back(covered->replication, bytes);
}

void snapshot_collect(struct replication *replication, struct bytes vector)
{
    struct covered covered = {.replication = replication};
    snapshot_send_cancel(replication); /* what it reads is about to be replaced */
    bool more = vv_parse(vector, 1, &covered.vector);
    int result = more ? 0 : -EINVAL;
    while (more && !result) {
        struct wire_writer have = {0};
        vv_put(&have, 1, &covered.vector);
        result = pull_answer(replication->store, wire_written(&have),
                             core_durable(replication->core), take_one, &covered, &more);
        wire_writer_free(&have);
    }
    vv_free(&covered.vector);
    replication->damaged |= result == -EBADMSG || result == -ENOENT;
    replication_step_once(replication,
                          &(struct core_event){.kind = CORE_KEPT_END, .result = result});
}
