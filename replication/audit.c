/* The signed chains of the log, checked one record after the other while the node runs. Keys
 * are those of the streams, which were checked when each stream began; `lbnode db verify`
 * derives them anew, with the whole state, on a node that is stopped. */
#include "replication/core_internal.h"
#include "replication/history.h"
#include "replication/history_internal.h"

#include "replication/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLICE_ROWS = 32 /* about 40 us each */
};

struct audit {
    struct audit *next;
    struct replication *replication;
    struct loop_timer timer;
    struct audit_report report;
    size_t at;    /* stream */
    uint64_t seq; /* the last one that was looked at */
    uint8_t hash[HASH_SIZE];
    audit_done *done;
    void *context;
};

static void audit_free(struct audit *audit)
{
    loop_timer_stop(&audit->timer);
    free(audit->report.streams);
    free(audit);
}

void audits_free(struct audit *audits)
{
    while (audits) {
        struct audit *next = audits->next;
        audit_free(audits);
        audits = next;
    }
}

static void finish(struct audit *audit, const struct error *error)
{
    struct audit **at = &audit->replication->history->audits;
    while (*at != audit)
        at = &(*at)->next;
    *at = audit->next;
    audit->done(audit->context, error->kind == ERROR_NONE ? &audit->report : NULL, error);
    audit_free(audit);
}

static void note(uint64_t *count, uint64_t *first, uint64_t seq, uint64_t more)
{
    if (more > 0 && *count == 0)
        *first = seq;
    *count += more;
}

/* Numbers from FIRST on before UPTO are not in the log. */
static void
note_gap(struct audit_stream *stream, uint64_t truncated, uint64_t first, uint64_t upto)
{
    uint64_t purged =
        first > truncated ? 0 : (upto - 1 < truncated ? upto : truncated + 1) - first;
    if (upto <= first)
        return;
    stream->purged += purged;
    note(&stream->missing, &stream->first_missing, first + purged, upto - first - purged);
}

static void check(struct audit *audit, const struct stream *known, const struct record *record)
{
    struct audit_stream *stream = &audit->report.streams[audit->at];
    const struct uuid *cluster_id = &core_genesis(audit->replication->core)->cluster_id;
    bool follows = record->seq != audit->seq + 1 || audit->seq == 0 ||
                   memcmp(record->previous_hash, audit->hash, HASH_SIZE) == 0;
    bool good = follows && record_verify(record, cluster_id, known->public_key);
    note_gap(stream, known->truncated, audit->seq + 1, record->seq);
    stream->verified += good;
    note(&stream->bad, &stream->first_bad, record->seq, !good);
    record_hash(record->whole, audit->hash);
    audit->seq = record->seq;
}

/* True when the stream is done. */
static bool
check_slice(struct audit *audit, const struct stream *known, const struct log_slice *slice)
{
    struct audit_stream *stream = &audit->report.streams[audit->at];
    bool ended = slice->ended;
    for (size_t i = 0; i < slice->count && audit->seq < stream->last; i++) {
        struct record record;
        if (!record_parse(slice->records[i], &record)) {
            note(&stream->bad, &stream->first_bad, audit->seq + 1, 1);
            continue;
        }
        if (record.stream != stream->stream || record.seq > stream->last) {
            ended = true;
            break;
        }
        check(audit, known, &record);
    }
    if (ended)
        note_gap(stream, known->truncated, audit->seq + 1, stream->last + 1);
    return ended || audit->seq >= stream->last;
}

static void on_slice(struct loop_timer *timer)
{
    struct audit *audit = CONTAINER_OF(timer, struct audit, timer);
    struct replication *replication = audit->replication;
    struct error error = {0};
    struct log_slice slice;
    if (audit->at == audit->report.count) {
        finish(audit, &error);
        return;
    }
    const struct audit_stream *stream = &audit->report.streams[audit->at];
    const struct stream *known = core_stream(replication->core, stream->stream);
    int result = log_slice_read(
        replication->store, (struct dot){stream->stream, audit->seq + 1}, SLICE_ROWS, &slice);
    replication->damaged |= result == -EBADMSG;
    if (!known)
        error_set(&error, ERROR_UNAVAILABLE,
                  "the log was replaced while it was looked through; try again");
    else if (result)
        error_set(&error, ERROR_REFUSED, "the store cannot be read: %s", strerror(-result));
    else if (check_slice(audit, known, &slice)) {
        audit->at++;
        audit->seq = 0;
    }
    log_slice_free(&slice);
    if (error.kind != ERROR_NONE)
        finish(audit, &error);
    else
        loop_timer_start(replication->loop, timer, 0, on_slice);
}

void replication_audit(struct replication *replication, audit_done *done, void *context)
{
    struct history *history = history_of(replication);
    struct audit *audit = memory_new(sizeof(*audit));
    const struct vv *durable = core_durable(replication->core);
    *audit = (struct audit){
        .next = history->audits, .replication = replication, .done = done, .context = context};
    audit->report.streams = memory_new((durable->count + 1) * sizeof(struct audit_stream));
    for (size_t i = 0; i < durable->count; i++) {
        const struct stream *known = core_stream(replication->core, durable->entries[i].stream);
        if (!known)
            continue;
        audit->report.streams[audit->report.count++] = (struct audit_stream){
            .stream = known->id, .node_id = known->node_id, .last = durable->entries[i].seq};
    }
    history->audits = audit;
    loop_timer_start(replication->loop, &audit->timer, 0, on_slice);
}
