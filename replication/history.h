/* Part of replication.h. The past of the replicated state, as far as the log still has it:
 * which changes there were, what each wrote, and what stood there before.
 * replication_history_prepare comes before any of the other functions; they answer for what it
 * found. What retention has removed is told as gone, never guessed. */
#ifndef REPLICATION_HISTORY_H
#define REPLICATION_HISTORY_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/error.h"
#include "lbnode/base/uuid.h"

struct replication;

enum {
    HISTORY_NAME_SIZE = 65
};

/* Order of changes: by clock, then stream and seq. */
struct change_stamp {
    uint64_t hlc, stream, seq;
};

struct past_change {
    struct uuid change_id, node_id; /* node_id: where it was made */
    struct change_stamp stamp;
    uint64_t wall_ms;
    char author[HISTORY_NAME_SIZE], via[HISTORY_NAME_SIZE];
    bool about_nodes; /* a node came, went or changed */
    size_t op_count;
};

/* One operation of a change. Bytes are valid during the call. */
struct past_op {
    struct uuid object_id, owner;
    uint8_t type;
    uint16_t facet;
    struct bytes value;
    enum past_before {
        BEFORE_NOTHING, /* the facet was not there: the object is new */
        BEFORE_KNOWN,
        BEFORE_GONE /* there was something that is no longer kept */
    } has_before;
    struct bytes before;
    /* After it: `value`; or, when it was overruled, what a change had said that did not know of
     * this one, nor this one of it, and that the merge rules prefer. */
    bool overruled;
    struct bytes in_force;
};

struct past_visitor {
    /* False ends the walk; else the operations of the change follow. */
    bool (*change)(void *context, const struct past_change *change);
    void (*op)(void *context, const struct past_op *op);
    void *context;
};

/* Looks through what the log has since the last time, some records at a turn of the loop. DONE
 * is called later in any case. */
void replication_history_prepare(struct replication *replication,
                                 void (*done)(void *context, const struct error *error),
                                 void *context);

/* Changes from the newest on that were made at SINCE_MS or later; those that wrote to OBJECT_ID
 * (then only such operations), or all (NULL). False with ERROR when the store cannot be read.
 */
bool replication_history_visit(struct replication *replication,
                               const struct uuid *object_id,
                               uint64_t since_ms,
                               const struct past_visitor *visitor,
                               struct error *error);

/* One change with all its operations. ERROR_NOT_FOUND: nobody made it, or nothing of it is kept
 * any more; the sentence says which as far as that is known. */
bool replication_history_show(struct replication *replication,
                              const struct uuid *change_id,
                              const struct past_visitor *visitor,
                              struct error *error);

/* Objects that were written to after STAMP. */
bool replication_history_objects(struct replication *replication,
                                 const struct change_stamp *stamp,
                                 void (*visit)(void *context, const struct uuid *object_id),
                                 void *context,
                                 struct error *error);

/* The writes of an object, oldest first: of each facet the one in force before STAMP, if one is
 * kept, and all from STAMP on, each as a change with one operation (without `before`). */
bool replication_history_writes(struct replication *replication,
                                const struct uuid *object_id,
                                const struct change_stamp *stamp,
                                const struct past_visitor *visitor,
                                struct error *error);

/* Every write that came after this clock is kept; of older ones some may be gone. 0: nothing is
 * gone. */
uint64_t replication_history_horizon(struct replication *replication);

/* ---- audit ----------------------------------------------------------------------------------
 */

struct audit_stream {
    uint64_t stream;
    struct uuid node_id;
    uint64_t last;                     /* as many changes it had */
    uint64_t verified, purged;         /* purged: retention removed them */
    uint64_t missing, bad;             /* bad: signature or chain of hashes */
    uint64_t first_missing, first_bad; /* 0: none */
};

struct audit_report {
    struct audit_stream *streams;
    size_t count;
};

typedef void audit_done(void *context,
                        const struct audit_report *report, /* NULL: see error */
                        const struct error *error);

/* Checks every signature and chain of hashes in the log, some records at a turn of the loop.
 * DONE is called later in any case. */
void replication_audit(struct replication *replication, audit_done *done, void *context);

#endif
