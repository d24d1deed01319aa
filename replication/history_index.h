/* Where in the log the writes of each object stand: what questions about the past need, and the
 * log, which is ordered by stream, cannot answer by itself. In memory alone, made from the log
 * when the first such question comes, and extended by what came since with each further one.
 *
 * Writes are ordered by stamp (clock, stream, seq, operation). A record's clock is above that
 * of everything it builds on, so the last write of a facet up to some moment is what was in
 * force then, unless it was overruled (docs/architecture.md, "History"). */
#ifndef REPLICATION_HISTORY_INDEX_H
#define REPLICATION_HISTORY_INDEX_H

#include "lbnode/base/uuid_map.h"
#include "replication/record.h"

enum {
    HISTORY_WRITES_MAXIMUM = 4 << 20 /* 32 bytes each */
};

struct history_write {
    uint64_t hlc;
    struct dot dot;
    uint32_t op_index;
    uint16_t facet;
    uint8_t type;
};

struct history_object {
    struct uuid id;
    struct history_write *writes; /* ascending by stamp */
    size_t count, capacity;
};

/* What records of one stream knew of another: from record `seq` on up to `known`. */
struct history_step {
    uint64_t seq, known;
};

struct history_context {
    uint64_t stream, other;
    struct history_step *steps; /* ascending in both */
    size_t count, capacity;
};

struct history_index {
    struct uuid_map objects;
    struct history_context *contexts;
    size_t context_count, context_capacity;
    struct history_write *changes; /* one of each record, ascending by stamp */
    size_t change_count, change_capacity;
    size_t write_count;
    struct vv read; /* how far each stream has been looked at */
};

/* False: the index is full. A record is to be added once, those of a stream in their order. */
bool history_index_add(struct history_index *index, const struct record *record);
const struct history_object *history_index_object(const struct history_index *index,
                                                  const struct uuid *id);
/* -1, 0, 1 as A was before, is, or came after B. */
int history_write_compare(const struct history_write *a, const struct history_write *b);
/* The first of the COUNT writes that is not before STAMP; COUNT: there is none. */
size_t history_index_find(const struct history_write *writes,
                          size_t count,
                          const struct history_write *stamp);
/* Did the author of record LATER have EARLIER, or is that a predecessor of it? As far as the
 * records between them are in the index. */
bool history_index_knew(const struct history_index *index,
                        struct dot later,
                        struct dot earlier);
void history_index_free(struct history_index *index);

#endif
