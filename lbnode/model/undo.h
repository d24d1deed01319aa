/* Taking changes back: which attributes of an object become again what they were before certain
 * writes, as far as nobody else has changed them since. Pure: the past is given.
 *
 * Attribute by attribute: who renamed a pool loses nothing when the change that described it is
 * taken back, though both are one facet. An attribute was changed by a write when its value
 * differs from that of the write before. */
#ifndef LBNODE_MODEL_UNDO_H
#define LBNODE_MODEL_UNDO_H

#include "lbnode/model/change_set.h"

struct undo_write {
    uint16_t facet;
    struct bytes value;
    bool undone;   /* what it did is to be taken back */
    bool foreign;  /* somebody else made it, and it is not to be lost without need */
    bool unsure;   /* between it and the next write something may be missing */
    bool resealed; /* it only sealed anew what was there: neither undone nor foreign */
};

struct undo_value {
    uint16_t facet;
    struct bytes value;
};

struct undo_object {
    struct uuid id, owner;
    uint8_t type;
    /* By age; of each facet the last one before anything undone, if it is known, and all that
     * followed. */
    const struct undo_write *writes;
    size_t write_count;
    const struct undo_value *current; /* in force now; none: nothing is known of it any more */
    size_t current_count;
};

enum undo_mode {
    UNDO_UNTOUCHED, /* leave what others changed later */
    UNDO_FORCED     /* take that back too */
};

enum undo_obstacle {
    UNDO_CHANGED_LATER, /* by the write `by` */
    UNDO_GONE,          /* what was before is no longer kept */
    UNDO_UNREADABLE,    /* ... is sealed with a key that is gone */
};

struct undo_left {
    enum undo_obstacle obstacle;
    struct uuid object_id;
    uint8_t type;
    uint16_t facet;
    const char *attribute; /* NULL: all of the facet; its life: whether it exists */
    size_t by;             /* index into the object's writes */
};

struct sensitive_keys; /* model/sensitive.h */

struct undo_plan {
    const struct sensitive_keys *keys; /* that open sealed values; NULL: not looked at */
    struct change_set changes;         /* all but deletions */
    struct uuid *deleted;              /* objects that were not there before */
    size_t deleted_count, deleted_capacity;
    struct undo_left *left; /* what does not go back */
    size_t left_count, left_capacity;
};

/* Adds what OBJECT needs to PLAN. False when a bound or memory is exceeded. */
bool undo_add_object(struct undo_plan *plan,
                     const struct undo_object *object,
                     enum undo_mode mode);
void undo_plan_free(struct undo_plan *plan);

#endif
