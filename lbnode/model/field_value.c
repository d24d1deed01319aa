#include "lbnode/model/field_value.h"

#include <stdlib.h>
#include <string.h>

static void *slot(const struct field *field, struct resource *resource)
{
    return (char *)resource + field->offset;
}

static const void *const_slot(const struct field *field, const struct resource *resource)
{
    return (const char *)resource + field->offset;
}

bool field_truth(const struct field *field, const struct resource *resource)
{
    return *(const bool *)const_slot(field, resource);
}

int64_t field_number(const struct field *field, const struct resource *resource)
{
    return *(const int64_t *)const_slot(field, resource);
}

const char *field_text(const struct field *field, const struct resource *resource)
{
    return *(char *const *)const_slot(field, resource);
}

const struct uuid *field_id(const struct field *field, const struct resource *resource)
{
    return const_slot(field, resource);
}

const struct ip_address *field_address(const struct field *field,
                                       const struct resource *resource)
{
    return const_slot(field, resource);
}

const struct text_list *field_list(const struct field *field, const struct resource *resource)
{
    return const_slot(field, resource);
}

const struct sealed_value *field_sealed(const struct field *field,
                                        const struct resource *resource)
{
    return const_slot(field, resource);
}

void field_value_free(struct field_value *value)
{
    free(value->text);
    sealed_value_free(&value->sealed);
    text_list_free(&value->list);
    memset(value, 0, sizeof(*value));
}

void field_value_store(const struct field *field,
                       struct resource *resource,
                       struct field_value *value)
{
    field_clear(field, resource);
    switch (field->type) {
    case FIELD_BOOL: *(bool *)slot(field, resource) = value->truth; break;
    case FIELD_ENUM:
    case FIELD_INTEGER: *(int64_t *)slot(field, resource) = value->number; break;
    case FIELD_TEXT:
        *(char **)slot(field, resource) = value->text;
        value->text = NULL;
        break;
    case FIELD_ID: *(struct uuid *)slot(field, resource) = value->id; break;
    case FIELD_ADDRESS: *(struct ip_address *)slot(field, resource) = value->address; break;
    case FIELD_TEXT_LIST:
    case FIELD_TEXT_MAP:
        *(struct text_list *)slot(field, resource) = value->list;
        value->list = (struct text_list){0};
        break;
    case FIELD_SEALED:
        *(struct sealed_value *)slot(field, resource) = value->sealed;
        value->sealed = (struct sealed_value){0};
        break;
    }
    field_value_free(value);
}

bool field_set_default(const struct field *field, struct resource *resource)
{
    struct field_value value = {0};
    bool good = true;
    if (field->default_text)
        good = field_parse_text(field, field->default_text, &value, NULL);
    else if (field->type == FIELD_TEXT)
        good = (value.text = strdup("")) != NULL;
    if (good)
        field_value_store(field, resource, &value);
    return good;
}

bool field_copy(const struct field *field, const struct resource *from, struct resource *to)
{
    struct field_value value = {0};
    bool good = true;
    switch (field->type) {
    case FIELD_BOOL: value.truth = field_truth(field, from); break;
    case FIELD_ENUM:
    case FIELD_INTEGER: value.number = field_number(field, from); break;
    case FIELD_TEXT: good = (value.text = strdup(field_text(field, from))) != NULL; break;
    case FIELD_ID: value.id = *field_id(field, from); break;
    case FIELD_ADDRESS: value.address = *field_address(field, from); break;
    case FIELD_TEXT_LIST:
    case FIELD_TEXT_MAP: good = text_list_copy(field_list(field, from), &value.list); break;
    case FIELD_SEALED:
        good = sealed_value_copy(field_sealed(field, from), &value.sealed);
        break;
    }
    if (good)
        field_value_store(field, to, &value);
    return good;
}

void field_clear(const struct field *field, struct resource *resource)
{
    if (field->type == FIELD_TEXT) {
        char **text = slot(field, resource);
        free(*text);
        *text = NULL;
    } else if (field->type == FIELD_TEXT_LIST || field->type == FIELD_TEXT_MAP) {
        text_list_free(slot(field, resource));
    } else if (field->type == FIELD_SEALED) {
        sealed_value_free(slot(field, resource));
    }
}

bool field_is_unset(const struct field *field, const struct resource *resource)
{
    switch (field->type) {
    case FIELD_BOOL:
    case FIELD_ENUM: return false;
    case FIELD_INTEGER:
        return (field->flags & FIELD_NULLABLE) && field_number(field, resource) == 0;
    case FIELD_TEXT: return field_text(field, resource)[0] == '\0';
    case FIELD_ID: return uuid_is_zero(field_id(field, resource));
    case FIELD_ADDRESS: return field_address(field, resource)->family == 0;
    case FIELD_TEXT_LIST:
    case FIELD_TEXT_MAP: return field_list(field, resource)->count == 0;
    case FIELD_SEALED: return !field_sealed(field, resource)->data;
    }
    return true;
}
