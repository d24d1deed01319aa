/* Facets in people's words. */
#ifndef LBNODE_ADMIN_FACET_TEXT_H
#define LBNODE_ADMIN_FACET_TEXT_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/json_value.h"
#include "lbnode/model/field_table.h"

enum {
    FACET_NAME_SIZE = 32,
    FACET_NAMES_SIZE = 160
};

/* CLASS may be NULL everywhere: a newer version knows it. */

/* "meta", "lb_algorithm": one word that names the facet. */
void facet_name(const struct resource_class *class, uint16_t facet, char out[FACET_NAME_SIZE]);
/* The facet with that name; false if CLASS has none. */
bool facet_by_name(const struct resource_class *class, const char *name, uint16_t *out);
/* "name, description, tags". */
void facet_attribute_names(const struct resource_class *class,
                           uint16_t facet,
                           char out[FACET_NAMES_SIZE]);
struct json_value *facet_attributes(const struct resource_class *class, uint16_t facet);
/* The attributes that the facet's bytes stand for. */
struct json_value *
facet_values(const struct resource_class *class, uint16_t facet, struct bytes value);

#endif
