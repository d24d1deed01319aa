/* Planning a document: shared by document.c, which walks it, and document_item.c, which knows
 * one object of it. */
#ifndef LBNODE_MODEL_DOCUMENT_INTERNAL_H
#define LBNODE_MODEL_DOCUMENT_INTERNAL_H

#include "lbnode/base/text.h"
#include "lbnode/model/configuration_internal.h"
#include "lbnode/model/field_table.h"

enum {
    DOCUMENT_PATH_SIZE = 384
};

struct planner {
    struct configuration *scratch; /* as it would be after the steps so far */
    struct document_plan *plan;
    size_t step_capacity;
    struct uuid_map named; /* objects that the document names and that exist already */
    struct uuid_map done;  /* objects that an item has been planned for */
    struct error *error;
    const struct sensitive_keys *keys;
    bool prune;
};

/* An object of the document and where it stands. */
struct document_item {
    const struct resource_class *class;
    struct uuid owner; /* zero for roots */
    const struct json_value *value;
    char path[DOCUMENT_PATH_SIZE]; /* "loadbalancer web / pool workers" */
};

/* Keys of items that hold other items: they are no attributes. */
bool document_key_is_nested(const struct resource_class *class, const char *key);
/* A reference stands in documents as a name under the attribute's name without "_id"; FIELD_ID
 * attributes that refer to a type. Writes the short key to OUT; false for other fields. */
bool document_reference_key(const struct field *field, char *out, size_t out_size);
/* Do A and B have the same value in FIELD? */
bool document_field_equal(const struct field *field,
                          const struct resource *a,
                          const struct resource *b);

/* Sets ITEM up for VALUE, number INDEX of a list, below PARENT (NULL: at the top). False when
 * VALUE is not an object. */
bool document_item_open(struct planner *planner,
                        const struct document_item *parent,
                        const struct resource_class *class,
                        const struct uuid *owner,
                        const struct json_value *value,
                        size_t index,
                        struct document_item *out);
/* The object of the scratch configuration that ITEM means, by id, name or claim; NULL in OUT
 * when it is to be created. */
bool document_item_match(struct planner *planner,
                         const struct document_item *item,
                         const struct resource **out);
/* Plans the creation or update of ITEM and applies it to the scratch configuration. */
bool document_item_plan(struct planner *planner,
                        const struct document_item *item,
                        struct uuid *out_id);
/* Appends a step; PATH is copied, DETAIL taken over. */
bool planner_add_step(struct planner *planner,
                      enum document_action action,
                      const struct resource *resource,
                      const char *path,
                      char *detail);
/* "workers", or what else tells an object from its siblings. */
void document_label(const struct resource *resource, char *out, size_t out_size);
/* Puts "PATH: " before the text of the error. Returns false. */
bool planner_refuse(struct planner *planner, const char *path);
bool planner_out_of_memory(struct planner *planner);

#endif
