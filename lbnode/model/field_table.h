/* The heart of the model: each attribute of each resource described once. From these rows come
 * JSON in and out, validation messages, CLI options, help and completion, YAML, canonical facet
 * bytes, diff and the reference page. To add an attribute: one row in <resource>_fields.c and
 * one member in resource.h. */
#ifndef LBNODE_MODEL_FIELD_TABLE_H
#define LBNODE_MODEL_FIELD_TABLE_H

#include "lbnode/base/error.h"
#include "lbnode/base/json_value.h"
#include "lbnode/model/change_set.h"
#include "lbnode/model/resource.h"

#include <stddef.h>

enum field_type {
    FIELD_BOOL,
    FIELD_INTEGER,
    FIELD_TEXT,
    FIELD_ENUM,      /* int64_t index into `choices`; text in JSON */
    FIELD_ID,        /* struct uuid; `refers_to` names the type */
    FIELD_ADDRESS,   /* struct ip_address */
    FIELD_TEXT_LIST, /* JSON array of strings */
    FIELD_TEXT_MAP,  /* struct text_list of key=value; JSON object */
    FIELD_SEALED, /* struct sealed_value; text in JSON that comes in, never in what goes out */
};

enum field_flag {
    FIELD_REQUIRED = 1,    /* must be given at creation */
    FIELD_CREATE_ONLY = 2, /* an update that names it is refused as an unknown attribute */
    FIELD_NULLABLE = 4,    /* "not set" reads and writes as null; else null means the default */
    FIELD_INTERNAL = 8,    /* in records, but no API attribute and no option */
    FIELD_OWNER = 16, /* names the owner (loadbalancer_id, pool_id); stored as resource.owner */
    FIELD_POSITIONAL = 32, /* the CLI takes it as the positional argument of create */
    FIELD_PICKED = 128,    /* required, but the API picks a value when a creation has none */
    FIELD_HTTP_ONLY = 64,  /* healthmonitor: null and refused unless type is HTTP(S) */
};

/* What the text of a field, or each item of its list, stands for beyond mere text. */
enum field_item {
    ITEM_TEXT,
    ITEM_DECIMAL,  /* TEXT: a number with a fraction in JSON */
    ITEM_VIP,      /* TEXT_LIST: {"subnet_id", "ip_address", "port_id"} or the address alone */
    ITEM_ADDRESS,  /* TEXT_LIST: an address */
    ITEM_PREFIX,   /* TEXT_LIST: CIDR, kept with its host bits cleared */
    ITEM_ENDPOINT, /* TEXT_LIST: ADDRESS:PORT */
};

enum {
    TEXT_ITEM_MAXIMUM = 255,            /* characters of any text, at most */
    FIELD_LIST_MAXIMUM_SIZE = 48 << 10, /* bytes of all items of a list or map */
    SEALED_MAXIMUM_SIZE = 32 << 10      /* bytes of a sensitive value, plain */
};

struct field {
    const char
        *name; /* Octavia's attribute name, snake_case; the option is --name-with-dashes */
    enum field_type type;
    size_t offset;  /* in the resource struct */
    uint16_t facet; /* replication.md 3.1 */
    uint16_t tag;   /* field number inside the facet's bytes, ascending */
    unsigned flags;
    enum field_item item;
    int64_t minimum, maximum;     /* INTEGER: range; TEXT and each item: length in characters;
                                     SEALED: in bytes */
    size_t most_items;            /* TEXT_LIST: so many at most; 0: as fit */
    const char *default_text;     /* as it would stand in JSON without quotes; NULL: not set */
    const char *const *choices;   /* ENUM: NULL-terminated */
    enum resource_type refers_to; /* ID */
    const char *unit;             /* "ms", "s" or NULL */
    const char *help;             /* one line for --help and the reference */
    /* Further check of a parsed value, of each item of a list, of each key=value of a map; NULL
     * when the type and range say it all. */
    bool (*check)(const struct field *field, const char *value, struct error *error);
};

struct resource_class {
    enum resource_type type;
    const char *noun;       /* "loadbalancer": CLI noun and JSON root tag */
    const char *short_noun; /* "lb" or NULL */
    const char *plural;     /* "loadbalancers": JSON list tag */
    const char *path;       /* "/lbaas/loadbalancers"; member: "/lbaas/pools/%/members" */
    const char *title;      /* "Load Balancer": in Octavia's sentences */
    size_t size;            /* of the struct */
    const struct field *fields;
    size_t field_count;
    enum resource_type owner_type; /* RESOURCE_NONE for roots */
    bool is_internal; /* no part of the configuration: not in the walk, no noun, no API */
    bool is_bare;     /* its JSON stands without a root tag, as in Barbican's API */
};

/* Fields every resource has (name, description, tags, admin_state_up, project_id) are rows of
 * each class too, so that one loop sees everything. */
const struct resource_class *resource_class_of(enum resource_type type); /* NULL if unknown */
const struct resource_class *
resource_class_by_noun(const char *noun); /* long, short or plural */
/* All classes but internal ones, in order of creation (owners first); NULL at the end of the
 * walk. */
const struct resource_class *resource_class_at(size_t index);
const struct field *field_find(const struct resource_class *class, const char *name);
/* The whole table for programs: {"resources": [{"noun", "plural", "path", "attributes": [{name,
 * type, required, create_only, nullable, minimum, maximum, default, choices, unit, help}]}]}.
 */
struct json_value *field_table_describe(void);

/* ---- one value <-> text and JSON ------------------------------------------------------------
 */

/* Stands for a sensitive value wherever it would be shown. */
#define FIELD_MASK "********"

/* As it stands in JSON ("null" handling included). */
struct json_value *field_to_json(const struct field *field, const struct resource *resource);
/* Strict, with Octavia's coercions (integers and booleans as strings); false sets ERROR and
 * leaves the resource unchanged. JSON null resets to the default; for a mandatory attribute it
 * is refused. */
bool field_from_json(const struct field *field,
                     struct resource *resource,
                     const struct json_value *value,
                     struct error *error);

/* ---- whole resources ------------------------------------------------------------------------
 */

/* A new resource of CLASS from the attributes in OBJECT (the inside of the root tag): unknown
 * key, missing mandatory field, bad value -> NULL and ERROR. The id is fresh. The owner alone
 * may be missing: a caller that knows it from elsewhere (the URL, a document) sets it, others
 * call resource_check_owner. "tenant_id" stands for "project_id". */
struct resource *resource_from_json(const struct resource_class *class,
                                    const struct json_value *object,
                                    struct error *error);
/* Applies OBJECT to RESOURCE as an update: absent = leave, null = default, create-only =
 * refused. */
bool resource_update_from_json(struct resource *resource,
                               const struct json_value *object,
                               struct error *error);
/* "Mandatory field missing" when RESOURCE needs an owner and has none. */
bool resource_check_owner(const struct resource *resource, struct error *error);
/* Rules inside one resource that are wider than one field (monitor timeout <= delay, HTTP-only
 * attributes, families that must agree). Called by the two above. */
bool resource_check(const struct resource *resource, struct error *error);
/* All public attributes in table order, without ids (also the owner's), statuses, stubs (admin
 * adds those) and sensitive values. */
struct json_value *resource_to_json(const struct resource *resource);

/* ---- canonical bytes of facets (replication.md 5.1 codec) -----------------------------------
 */

/* Appends ops that create RESOURCE: life and every facet of its class. The owner travels in
 * the ops themselves, not in the bytes of a facet. */
bool change_set_add_create(struct change_set *set, const struct resource *resource);
/* Appends ops for the facets in which AFTER differs from BEFORE (same id). Returns the number
 * of changed facets, or -1 when a bound is exceeded. */
int change_set_add_update(struct change_set *set,
                          const struct resource *before,
                          const struct resource *after);
/* Appends ops for the facets of the attributes that OBJECT names, changed or not: writing a
 * facet again closes its conflict (replication.md 3.3). Returns their number, or -1 when a
 * bound is exceeded. */
int change_set_add_named(struct change_set *set,
                         const struct resource *resource,
                         const struct json_value *object);
/* Appends the op that writes one facet of RESOURCE. */
bool change_set_add_facet(struct change_set *set,
                          const struct resource *resource,
                          uint16_t facet);
bool change_set_add_delete(struct change_set *set, const struct resource *resource);
/* Reads the bytes of one facet into RESOURCE, whose attributes of that facet are replaced as a
 * whole (what the bytes do not have gets its default); id and owner are the caller's. Unknown
 * tags are skipped (a newer node wrote them); a malformed or out-of-range value -> false and
 * ERROR, the resource unchanged. */
bool resource_read_facet(struct resource *resource,
                         uint16_t facet,
                         struct bytes value,
                         struct error *error);

#endif
