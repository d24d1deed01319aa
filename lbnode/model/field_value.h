/* The value of one field in its resource: where it lies, its default, copy, parse. Private to
 * lbnode/model. */
#ifndef LBNODE_MODEL_FIELD_VALUE_H
#define LBNODE_MODEL_FIELD_VALUE_H

#include "lbnode/model/field_table.h"

/* A value of any field type, outside of a resource; which member counts is the field's type. */
struct field_value {
    bool truth;
    int64_t number;
    char *text;
    struct uuid id;
    struct ip_address address;
    struct text_list list; /* of a map: in key order */
    struct sealed_value sealed;
};

void field_value_free(struct field_value *value);
/* Moves VALUE into RESOURCE; VALUE is empty afterwards. */
void field_value_store(const struct field *field,
                       struct resource *resource,
                       struct field_value *value);

/* Parses the text form of anything but a list or map. */
bool field_parse_text(const struct field *field,
                      const char *text,
                      struct field_value *out,
                      struct error *error);
/* Checks TEXT as an item of a list or as key=value of a map and adds it, in canonical form. */
bool field_add_item(const struct field *field,
                    const char *text,
                    struct text_list *list,
                    struct error *error);
/* The size of LIST within its bound? */
bool field_check_list(const struct field *field,
                      const struct text_list *list,
                      struct error *error);

bool field_set_default(const struct field *field, struct resource *resource);
bool field_copy(const struct field *field, const struct resource *from, struct resource *to);
void field_clear(const struct field *field, struct resource *resource); /* frees its memory */
/* Nothing there: zero id, no address, empty text or list, zero of a nullable number. */
bool field_is_unset(const struct field *field, const struct resource *resource);

bool field_truth(const struct field *field, const struct resource *resource);
int64_t field_number(const struct field *field, const struct resource *resource);
const char *field_text(const struct field *field, const struct resource *resource);
const struct uuid *field_id(const struct field *field, const struct resource *resource);
const struct ip_address *field_address(const struct field *field,
                                       const struct resource *resource);
const struct sealed_value *field_sealed(const struct field *field,
                                        const struct resource *resource);
const struct text_list *field_list(const struct field *field, const struct resource *resource);

/* Swaps the contents of two resources of the same type. */
void resource_exchange(struct resource *a, struct resource *b);

#endif
