/* The effective configuration: what the replicated state means. Made by the pure projection
 * (projection.h; rules P1-P11 of replication.md 4), which alone changes it. The same raw state
 * gives the same configuration on every node, whatever way it came about. */
#ifndef LBNODE_MODEL_CONFIGURATION_H
#define LBNODE_MODEL_CONFIGURATION_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/error.h"
#include "lbnode/base/json_value.h"
#include "lbnode/model/resource.h"

struct change_set;
struct configuration;

/* The winning entry of one facet (replication.md 3.3), as replication stores it. */
struct raw_facet {
    struct uuid object_id, owner;
    uint8_t type;
    uint16_t facet;
    struct bytes value;   /* valid during the call */
    uint64_t hlc, stream; /* stamp of the winner: hlc >> 16 is wall ms */
    uint64_t seq;
    unsigned entry_count;  /* > 1: an open conflict */
    uint64_t entries_hash; /* over the dots of all entries */
};

/* What FACET adds to the revision of its object, which is the sum over all its facets: it tells
 * whether anything of the object was written in between. */
uint64_t raw_facet_revision(const struct raw_facet *facet);

enum ineffective_reason {
    REASON_NONE,
    REASON_CONFLICT, /* P4: another object has the same claim */
    REASON_ORPHAN,   /* P2: owner deleted or missing */
    REASON_DANGLING, /* P6: refers to something deleted */
    REASON_INVALID,  /* P3, P7: a value this version refuses */
    REASON_WITHHELD, /* crashed the process that took it over */
};

const char *ineffective_reason_name(enum ineffective_reason reason);

struct effective {
    struct resource *resource;
    bool effective; /* false: provisioning_status ERROR with REASON */
    enum ineffective_reason reason;
    char *reason_text;                           /* a sentence, or NULL */
    uint64_t claim_hlc, claim_stream, claim_seq; /* of its creation facet */
    unsigned open_conflicts;                     /* facets with more than one entry */
    uint64_t revision;                           /* sum of raw_facet_revision */
};

/* ---- building -------------------------------------------------------------------------------
 */

/* All at once; for changes see projection.h. */
struct configuration_builder *configuration_builder_new(void);
/* Facets of one object may come in any order and mixed with others. */
bool configuration_builder_add(struct configuration_builder *builder,
                               const struct raw_facet *facet);
/* Applies the rules; consumes the builder. NULL when out of memory. */
struct configuration *configuration_builder_finish(struct configuration_builder *builder);
void configuration_free(struct configuration *configuration); /* NULL-safe */

/* ---- reading --------------------------------------------------------------------------------
 */

/* Deleted objects are not found. */
const struct effective *configuration_find(const struct configuration *configuration,
                                           const struct uuid *id);
/* Objects of TYPE in order of creation stamp, then id: index 0.. until NULL. */
const struct effective *configuration_at(const struct configuration *configuration,
                                         enum resource_type type,
                                         size_t index);
/* Objects of TYPE owned by OWNER in the same order. */
const struct effective *configuration_child(const struct configuration *configuration,
                                            const struct uuid *owner,
                                            enum resource_type type,
                                            size_t index);
/* By id text or name. OWNER may be NULL. NULL with ERROR: not found, or several have the name.
 */
const struct effective *configuration_lookup(const struct configuration *configuration,
                                             enum resource_type type,
                                             const struct uuid *owner,
                                             const char *name_or_id,
                                             struct error *error);
/* The vrrp group a load balancer moves with (its own or `default`); NULL if it is gone. */
const struct vrrp_group *configuration_group_of(const struct configuration *configuration,
                                                const struct load_balancer *load_balancer);
const struct health_monitor *configuration_monitor_of(const struct configuration *configuration,
                                                      const struct uuid *pool_id);

/* ---- changing: all checks of a local write (replication.md 4, octavia-api.md 1.2) -----------
 */

/* May RESOURCE be created (claims, references, compatibility of protocols, one monitor a pool)?
 */
bool configuration_check_create(const struct configuration *configuration,
                                const struct resource *resource,
                                struct error *error);
bool configuration_check_update(const struct configuration *configuration,
                                const struct resource *before,
                                const struct resource *after,
                                struct error *error);
/* Can a pool of POOL_PROTOCOL serve a listener of LISTENER_PROTOCOL (octavia-api.md 9.1)? */
bool protocols_are_compatible(int64_t listener_protocol, int64_t pool_protocol);
const char *protocol_name(int64_t protocol); /* "HTTP" */
/* The VRRP group `default`, which every cluster has. */
bool configuration_is_permanent(const struct resource *resource);
/* Appends the deletion of RESOURCE, and of everything below it when CASCADE; else refuses if a
 * load balancer has children. A pool takes its members and monitor along and is detached from
 * listeners. */
bool configuration_plan_delete(const struct configuration *configuration,
                               const struct resource *resource,
                               bool cascade,
                               struct change_set *out_changes,
                               struct error *error);

/* ---- documents: lbnode export, lbnode apply -------------------------------------------------
 */

/* A document for people: {"loadbalancers": [{name, ..., "listeners": [...], "pools": [{...,
 * "members": [...], "healthmonitor": {...}}]}], "vrrp_groups": [...], "secrets": [...]};
 * references by name, values equal to the default left out, and payloads of secrets. */
struct json_value *configuration_export(const struct configuration *configuration);

struct sensitive_keys; /* model/sensitive.h */

enum document_action {
    DOCUMENT_CREATE,
    DOCUMENT_UPDATE,
    DOCUMENT_DELETE
};

struct document_step {
    enum document_action action;
    enum resource_type type;
    struct uuid id;
    char *path;   /* "loadbalancer web / pool workers / member w1" */
    char *detail; /* "weight 1 -> 5", or NULL */
};

struct document_plan {
    struct change_set *changes; /* one atomic change set */
    struct document_step *steps;
    size_t step_count;
};

/* What must change so that the objects named in DOCUMENT are as it says; objects are matched by
 * name (or id) within their owner. Without PRUNE nothing is deleted that it does not name. All
 * or nothing: any error (path of the attribute in the text) -> false. KEYS (NULL: none) seal
 * the payloads of secrets; one that the document leaves out stays as it is. */
bool configuration_plan_document(const struct configuration *configuration,
                                 const struct json_value *document,
                                 bool prune,
                                 const struct sensitive_keys *keys,
                                 struct document_plan *out_plan,
                                 struct error *error);
void document_plan_free(struct document_plan *plan);

#endif
