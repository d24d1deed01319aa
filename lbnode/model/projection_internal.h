/* What the files of the projection share.
 *   projection_object.c  facets of one object -> decoded object, and what is wrong in itself
 *   projection_rules.c   what an object is worth among the others; who must be judged again
 *   projection.c         changes in, configuration out */
#ifndef LBNODE_MODEL_PROJECTION_INTERNAL_H
#define LBNODE_MODEL_PROJECTION_INTERNAL_H

#include "lbnode/model/configuration_internal.h"
#include "lbnode/model/projection.h"

struct stamp {
    uint64_t hlc, stream, seq;
};

/* An object as its facets come in. */
struct draft {
    struct resource *resource;
    struct draft *next; /* the same id with another type or owner: only a forger writes it */
    struct stamp life, creation;
    bool alive, has_creation;
    unsigned open_conflicts;
    uint64_t latest_hlc, revision;
    unsigned invalid_facet; /* the lowest one that was refused, NO_FACET for none */
    char *invalid_text;
    enum withhold_level withheld;
};

/* An address that a load balancer uses. */
struct address_claim {
    struct uuid key;
    struct object *object;
    struct address_claim *next; /* the same address; no order */
};

struct projection {
    struct configuration *configuration;
    struct uuid_map addresses; /* struct address_claim, first of its chain */
    struct uuid_map drafts;    /* struct draft, first of its chain */
    size_t draft_count;
    struct uuid_map withheld; /* level, kept in the pointer itself */
    struct object **queue;    /* to be judged; NULL where one was removed */
    size_t queue_count, queue_capacity;
    uint32_t changed_types;
    bool failed; /* out of memory */
};

/* ---- projection_object.c ---- */

struct draft *draft_new(const struct raw_facet *facet, enum withhold_level withheld);
void draft_free(struct draft *draft);
bool draft_is_of(const struct draft *draft, const struct raw_facet *facet);
void draft_read(struct draft *draft, const struct raw_facet *facet);
/* The draft of a chain that counts, P1: alive, and first in order of type and creation. NULL if
 * none. */
struct draft *draft_choose(struct draft *first);
/* Moves the resource of DRAFT into OBJECT with everything but the judgement. */
void draft_move(struct draft *draft, struct object *object);

/* ---- projection_rules.c ---- */

void projection_mark(struct projection *projection, struct object *object);
void projection_mark_references(struct projection *projection, const struct uuid *id);
/* Gives up what OBJECT claims; whom that concerns is marked. */
void projection_release_claims(struct projection *projection, struct object *object);
/* Judges everything that is marked. */
void projection_judge(struct projection *projection);

#endif
