/* The projection kept up to date: raw facets in, effective configuration out, at a cost that
 * follows the change. It keeps the decoded objects and judges again only those that a change
 * touches: the object itself, what it owns, what claims the same, what refers to it. Whatever
 * the history, the result equals that of a projection from nothing. Pure: no clock, no file. */
#ifndef LBNODE_MODEL_PROJECTION_H
#define LBNODE_MODEL_PROJECTION_H

#include "lbnode/model/configuration.h"

struct projection;

struct projection *projection_new(void);
/* A facet of an object that changed. Between two calls of projection_apply all facets of such
 * an object are given, the unchanged ones too, in any order and mixed with others'. False when
 * out of memory. */
bool projection_add(struct projection *projection, const struct raw_facet *facet);
/* Takes over what was added. False when out of memory: free the projection and start anew.
 * Pointers to objects of the configuration are valid until the next call. */
bool projection_apply(struct projection *projection);
const struct configuration *projection_configuration(const struct projection *projection);
/* Bit per resource type of which an object came, went or changed since the last call. */
uint32_t projection_take_changed(struct projection *projection);
void projection_free(struct projection *projection); /* NULL-safe */

/* ---- objects that crash a process -----------------------------------------------------------
 */

enum withhold_level {
    WITHHOLD_NOTHING,
    WITHHOLD_RULES,  /* name and creation are read, no rule is applied */
    WITHHOLD_VALUES, /* nothing is read at all */
};

/* From the next projection_add on the object ID is not effective (REASON_WITHHELD), and what
 * belongs to it is not either. */
bool projection_withhold(struct projection *projection,
                         const struct uuid *id,
                         enum withhold_level level);
void projection_release(struct projection *projection, const struct uuid *id);

#endif
