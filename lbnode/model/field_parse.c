#include "lbnode/base/parse_number.h"
#include "lbnode/base/text.h"
#include "lbnode/model/field_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    REASON_SIZE = 200
};

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_INTERNAL, "out of memory");
}

static bool
refuse(const struct field *field, const char *value, const char *reason, struct error *error)
{
    return error_invalid_field(error, field->name, value, reason);
}

static bool
parse_bool(const struct field *field, const char *text, bool *out, struct error *error)
{
    static const char *const words[][2] = {{"true", "false"}, {"yes", "no"}, {"on", "off"},
                                           {"t", "f"},        {"y", "n"},    {"1", "0"}};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        for (size_t is_false = 0; is_false < 2; is_false++) {
            if (strcasecmp(text, words[i][is_false]) == 0) {
                *out = !is_false;
                return true;
            }
        }
    }
    return refuse(field, text, "Value should be true or false", error);
}

static bool
parse_number(const struct field *field, const char *text, int64_t *out, struct error *error)
{
    char reason[REASON_SIZE];
    const char *digits = text[0] == '-' ? text + 1 : text;
    int64_t number;
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits))
        return refuse(field, text, "Value should be an integer", error);
    bool fits = parse_integer(text, INT64_MIN, INT64_MAX, &number);
    if (!fits)
        number = text[0] == '-' ? INT64_MIN : INT64_MAX;
    if (number >= field->minimum && number <= field->maximum) {
        *out = number;
        return true;
    }
    bool low = number < field->minimum;
    snprintf(reason, sizeof(reason), "Value should be %s or equal to %lld",
             low ? "greater" : "lower", (long long)(low ? field->minimum : field->maximum));
    return refuse(field, text, reason, error);
}

static bool
parse_choice(const struct field *field, const char *text, int64_t *out, struct error *error)
{
    char reason[REASON_SIZE] = "Value should be one of: ";
    size_t used = strlen(reason);
    for (size_t i = 0; field->choices[i]; i++) {
        if (strcmp(text, field->choices[i]) == 0) {
            *out = (int64_t)i;
            return true;
        }
        int size = snprintf(reason + used, sizeof(reason) - used, "%s%s", i ? ", " : "",
                            field->choices[i]);
        used += (size_t)size < sizeof(reason) - used ? (size_t)size : 0;
    }
    return refuse(field, text, reason, error);
}

static bool check_text(const struct field *field, const char *text, struct error *error)
{
    char reason[REASON_SIZE];
    if (!text_is_clean_utf8(text, strlen(text)))
        return refuse(field, text, "Value should be UTF-8 text without control characters",
                      error);
    int64_t length = (int64_t)text_utf8_length(text);
    if (length > field->maximum || length < field->minimum) {
        bool above = length > field->maximum;
        snprintf(reason, sizeof(reason), "Value should have a %s character requirement of %lld",
                 above ? "maximum" : "minimum",
                 (long long)(above ? field->maximum : field->minimum));
        return refuse(field, text, reason, error);
    }
    return true;
}

/* Any text, line ends too; no sentence repeats it. */
static bool parse_sealed(const struct field *field,
                         const char *text,
                         struct sealed_value *out,
                         struct error *error)
{
    size_t size = strlen(text);
    if ((int64_t)size < field->minimum || (int64_t)size > field->maximum)
        return error_set(error, ERROR_INVALID,
                         "Invalid input for field/attribute %s. It has %zu bytes; there should "
                         "be %lld to %lld",
                         field->name, size, (long long)field->minimum,
                         (long long)field->maximum);
    return sealed_value_set(out, (struct bytes){(const uint8_t *)text, size}, true) ||
           out_of_memory(error);
}

static bool parse_by_type(const struct field *field,
                          const char *text,
                          struct field_value *out,
                          struct error *error)
{
    switch (field->type) {
    case FIELD_BOOL: return parse_bool(field, text, &out->truth, error);
    case FIELD_INTEGER: return parse_number(field, text, &out->number, error);
    case FIELD_ENUM: return parse_choice(field, text, &out->number, error);
    case FIELD_TEXT:
        if (!check_text(field, text, error))
            return false;
        out->text = strdup(text);
        return out->text ? true : out_of_memory(error);
    case FIELD_ID:
        return uuid_parse(text, &out->id) ||
               refuse(field, text, "Value should be UUID format", error);
    case FIELD_ADDRESS:
        return ip_address_parse(text, &out->address) ||
               refuse(field, text, "Value should be IPv4 or IPv6 format", error);
    case FIELD_TEXT_LIST:
    case FIELD_TEXT_MAP: break;
    case FIELD_SEALED: return parse_sealed(field, text, &out->sealed, error);
    }
    return refuse(field, text, "Value should be a list", error);
}

bool field_parse_text(const struct field *field,
                      const char *text,
                      struct field_value *out,
                      struct error *error)
{
    struct field_value value = {0};
    if (!parse_by_type(field, text, &value, error) ||
        (field->check && !field->check(field, text, error))) {
        field_value_free(&value);
        return false;
    }
    *out = value;
    return true;
}

/* One text for one meaning, so that equal configurations have equal bytes. */
static bool canonical_item(
    const struct field *field, const char *text, char *out, size_t size, struct error *error)
{
    char address[IP_ADDRESS_TEXT_SIZE];
    struct ip_address vip;
    struct ip_prefix prefix;
    struct ip_endpoint endpoint;
    if (field->item == ITEM_VIP || field->item == ITEM_ADDRESS) {
        if (!ip_address_parse(text, &vip))
            return refuse(field, text, "Value should be IPv4 or IPv6 format", error);
        ip_address_format(&vip, out);
    } else if (field->item == ITEM_PREFIX) {
        if (!ip_prefix_parse(text, &prefix))
            return refuse(field, text, "Value should be IPv4 or IPv6 CIDR format", error);
        ip_address_format(&prefix.address, address);
        snprintf(out, size, "%s/%u", address, prefix.length);
    } else if (field->item == ITEM_ENDPOINT) {
        if (!ip_endpoint_parse(text, 0, &endpoint))
            return refuse(field, text, "Value should be ADDRESS:PORT", error);
        ip_endpoint_format(&endpoint, out);
    } else {
        snprintf(out, size, "%s", text);
    }
    return true;
}

bool field_add_item(const struct field *field,
                    const char *text,
                    struct text_list *list,
                    struct error *error)
{
    char canonical[4 * 2 * TEXT_ITEM_MAXIMUM + 2]; /* key=value */
    if (strlen(text) >= sizeof(canonical))
        return refuse(field, text, "Value is too long", error);
    if (!check_text(field, text, error) ||
        !canonical_item(field, text, canonical, sizeof(canonical), error) ||
        (field->check && !field->check(field, canonical, error)))
        return false;
    return text_list_add(list, canonical, strlen(canonical)) || out_of_memory(error);
}

bool field_check_list(const struct field *field,
                      const struct text_list *list,
                      struct error *error)
{
    size_t size = 0;
    if (field->most_items && list->count > field->most_items)
        return error_set(error, ERROR_INVALID,
                         "Invalid input for field/attribute %s. It has %zu items; there should "
                         "be %zu at most",
                         field->name, list->count, field->most_items);
    for (size_t i = 0; i < list->count; i++)
        size += strlen(list->items[i]) + 4; /* tag and length of each */
    return size <= FIELD_LIST_MAXIMUM_SIZE ||
           error_set(error, ERROR_INVALID,
                     "Invalid input for field/attribute %s. It has %zu items; all together "
                     "should not be longer than %d bytes",
                     field->name, list->count, FIELD_LIST_MAXIMUM_SIZE);
}
