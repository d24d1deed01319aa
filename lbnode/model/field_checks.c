#include "lbnode/base/parse_number.h"
#include "lbnode/model/field_rows.h"

#include <ctype.h>
#include <string.h>

static bool
refuse(const struct field *field, const char *value, const char *reason, struct error *error)
{
    return error_invalid_field(error, field->name, value, reason);
}

static bool is_one_of(const char *value, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(value, *words) == 0)
            return true;
    }
    return false;
}

static bool is_multicast_or_broadcast(const struct ip_address *address)
{
    if (address->family == 4)
        return address->bytes[0] >= 224 &&
               (address->bytes[0] < 240 || address->bytes[0] == 255);
    return address->bytes[0] == 0xff;
}

static bool is_unspecified(const struct ip_address *address)
{
    static const uint8_t zero[16];
    return memcmp(address->bytes, zero, sizeof(zero)) == 0;
}

/* ::ffff:10.0.0.1 is 10.0.0.1 to the kernel; with two texts, one server could be claimed twice.
 */
static bool is_mapped(const struct ip_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return address->family == 6 && memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

/* Link-local ones too: a group has an interface. */
bool check_router(const struct field *field, const char *value, struct error *error)
{
    struct ip_address address;
    return (ip_address_parse(value, &address) && !is_multicast_or_broadcast(&address) &&
            !is_mapped(&address) && !is_unspecified(&address)) ||
           refuse(field, value, "Value should be the address of a VRRP router", error);
}

/* What both a VIP and a server may be. */
static bool check_unicast(const struct field *field,
                          const char *value,
                          struct ip_address *out,
                          struct error *error)
{
    *out = (struct ip_address){0};
    if (!ip_address_parse(value, out) || is_multicast_or_broadcast(out))
        return refuse(field, value, "Value should be a unicast address", error);
    if (is_mapped(out))
        return refuse(field, value, "Value should be written as an IPv4 address", error);
    if (out->family == 6 && ip_address_is_link_local(out))
        return refuse(field, value,
                      "Value should not be a link-local address, which needs an interface",
                      error);
    return true;
}

bool check_vip(const struct field *field, const char *value, struct error *error)
{
    struct ip_address address;
    if (!check_unicast(field, value, &address, error))
        return false;
    return !is_unspecified(&address) ||
           refuse(field, value, "Value should be the address that clients connect to", error);
}

bool check_monitor_address(const struct field *field, const char *value, struct error *error)
{
    struct ip_address address;
    if (!check_unicast(field, value, &address, error))
        return false;
    return !is_unspecified(&address) ||
           refuse(field, value, "Value should be the address of a server", error);
}

bool check_member_address(const struct field *field, const char *value, struct error *error)
{
    /* Clouds keep this one for their metadata service; Octavia refuses it too. */
    if (strcmp(value, "169.254.169.254") == 0)
        return refuse(field, value, "Value should not be a reserved address", error);
    return check_monitor_address(field, value, error);
}

bool check_provider(const struct field *field, const char *value, struct error *error)
{
    static const char *const names[] = {"lbnode", "octavia", "amphora", NULL};
    (void)field;
    return is_one_of(value, names) ||
           error_set(error, ERROR_INVALID, "Provider '%.64s' is not enabled.", value);
}

bool check_insert_header(const struct field *field, const char *value, struct error *error)
{
    static const char *const names[] = {"X-Forwarded-For", "X-Forwarded-Port",
                                        "X-Forwarded-Proto", NULL};
    for (size_t i = 0; names[i]; i++) {
        size_t size = strlen(names[i]);
        if (strncmp(value, names[i], size) != 0 || value[size] != '=')
            continue;
        const char *setting = value + size + 1;
        return strcmp(setting, "true") == 0 || strcmp(setting, "false") == 0 ||
               refuse(field, value, "Value should be true or false", error);
    }
    return error_set(error, ERROR_INVALID,
                     "%.*s is not a valid option for insert_headers; valid are %s, %s and %s",
                     (int)strcspn(value, "="), value, names[0], names[1], names[2]);
}

/* NNN, NNN,NNN... or NNN-NNN. */
bool check_expected_codes(const struct field *field, const char *value, struct error *error)
{
    int codes[2] = {0, 0};
    int count = 0;
    char separator = '\0';
    const char *at = value;
    for (;;) {
        if (!isdigit((unsigned char)at[0]) || !isdigit((unsigned char)at[1]) ||
            !isdigit((unsigned char)at[2]) || at[0] < '1' || at[0] > '5')
            break;
        codes[count > 0] = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
        count++;
        at += 3;
        bool ordered = separator != '-' || codes[0] <= codes[1];
        if (*at == '\0' && ordered)
            return true;
        bool range = *at == '-' && count == 1;
        bool list = *at == ',' && separator != '-';
        if (!range && !list)
            break;
        separator = *at++;
        while (list && *at == ' ')
            at++;
    }
    return refuse(field, value,
                  "Value should be a status (200), a list (200,202) or a range "
                  "(200-204)",
                  error);
}

bool check_http_method(const struct field *field, const char *value, struct error *error)
{
    static const char *const methods[] = {"GET",   "HEAD",  "POST",    "PUT", "DELETE",
                                          "TRACE", "PATCH", "OPTIONS", NULL};
    return is_one_of(value, methods) ||
           refuse(field, value,
                  "Value should be one of: GET, HEAD, POST, PUT, DELETE, TRACE, PATCH, OPTIONS",
                  error);
}

bool check_http_version(const struct field *field, const char *value, struct error *error)
{
    return strcmp(value, "1.0") == 0 || strcmp(value, "1.1") == 0 ||
           refuse(field, value, "Value should be one of: 1.0, 1.1", error);
}

/* It becomes a field of an answer. */
bool check_media_type(const struct field *field, const char *value, struct error *error)
{
    const char *slash = strchr(value, '/');
    bool good = slash && slash != value && slash[1];
    for (const char *at = value; good && *at; at++)
        good = *at >= ' ' && *at < 0x7f;
    return good ||
           refuse(field, value, "Value should be a media type such as text/plain", error);
}

bool check_url_path(const struct field *field, const char *value, struct error *error)
{
    bool good = value[0] == '/';
    for (const char *c = value; *c; c++)
        good &= *c > ' ' && *c < 0x7f && *c != '#';
    return good || refuse(field, value, "Value must be a valid URL Path string", error);
}

bool check_domain_name(const struct field *field, const char *value, struct error *error)
{
    size_t label = 0;
    bool good = true;
    for (const char *c = value; *c && good; c++) {
        bool end = c[1] == '\0' || c[1] == '.';
        if (*c == '.') {
            good = label > 0;
            label = 0;
        } else {
            bool dash = *c == '-';
            good = (isalnum((unsigned char)*c) || *c == '_' || dash) &&
                   !(dash && (label == 0 || end)) && ++label <= 63;
        }
    }
    return good || refuse(field, value, "Value should be a host name", error);
}

bool check_interface(const struct field *field, const char *value, struct error *error)
{
    bool good = strcmp(value, ".") != 0 && strcmp(value, "..") != 0;
    for (const char *c = value; *c; c++)
        good &= *c > ' ' && *c < 0x7f && *c != '/' && *c != ':';
    return good || refuse(field, value, "Value should be the name of an interface", error);
}

bool check_preference(const struct field *field, const char *value, struct error *error)
{
    int64_t priority;
    const char *separator = strchr(value, '=');
    return (separator && parse_integer(separator + 1, 1, 254, &priority)) ||
           refuse(field, value, "Value should be NODE=PRIORITY with a priority from 1 to 254",
                  error);
}
