#include "lbnode/model/field_value.h"

#include <string.h>

enum {
    UDP_CONNECT_DELAY_MINIMUM = 3 /* s */
};

static bool check_monitor(const struct health_monitor *monitor, struct error *error)
{
    if (monitor->timeout > monitor->delay)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: timeout (%lld s) must not be greater than delay "
                         "(%lld s)",
                         (long long)monitor->timeout, (long long)monitor->delay);
    if (monitor->type == MONITOR_UDP_CONNECT && monitor->delay < UDP_CONNECT_DELAY_MINIMUM)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: The request delay value %lld should be larger "
                         "than %d for UDP-CONNECT health monitor type.",
                         (long long)monitor->delay, UDP_CONNECT_DELAY_MINIMUM - 1);
    if (monitor->domain_name[0] && strcmp(monitor->http_version, "1.1") != 0)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: domain_name '%s' needs http_version 1.1",
                         monitor->domain_name);
    return true;
}

/* What belongs to HTTP probes is left at its default by all others. */
static bool check_http_only(const struct resource *resource, struct error *error)
{
    const struct health_monitor *monitor = (const struct health_monitor *)resource;
    const struct resource_class *class = resource_class_of(resource->type);
    if (health_monitor_is_http(monitor))
        return true;
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        const char *usual = field->default_text ? field->default_text : "";
        if ((field->flags & FIELD_HTTP_ONLY) && strcmp(field_text(field, resource), usual) != 0)
            return error_set(error, ERROR_INVALID,
                             "%s is not a valid option for health monitors of type %s",
                             field->name, field_find(class, "type")->choices[monitor->type]);
    }
    return true;
}

static bool check_vips(const struct load_balancer *load_balancer, struct error *error)
{
    char main_vip[IP_ADDRESS_TEXT_SIZE];
    const struct text_list *others = &load_balancer->additional_vips;
    ip_address_format(&load_balancer->vip_address, main_vip);
    for (size_t i = 0; i < others->count; i++) {
        bool twice = strcmp(others->items[i], main_vip) == 0;
        for (size_t j = 0; j < i; j++)
            twice |= strcmp(others->items[i], others->items[j]) == 0;
        if (twice)
            return error_invalid_field(error, "additional_vips", others->items[i],
                                       "The address stands twice");
    }
    return true;
}

static bool check_listener(const struct listener *listener, struct error *error)
{
    if (listener->protocol == PROTOCOL_TCP && listener->insert_headers.count > 0)
        return error_set(error, ERROR_INVALID,
                         "insert_headers is not a valid option for listeners of protocol TCP");
    return true;
}

bool resource_check(const struct resource *resource, struct error *error)
{
    switch (resource->type) {
    case RESOURCE_LOAD_BALANCER:
        return check_vips((const struct load_balancer *)resource, error);
    case RESOURCE_LISTENER: return check_listener((const struct listener *)resource, error);
    case RESOURCE_HEALTH_MONITOR:
        return check_http_only(resource, error) &&
               check_monitor((const struct health_monitor *)resource, error);
    default: return true;
    }
}

bool resource_check_owner(const struct resource *resource, struct error *error)
{
    const struct resource_class *class = resource_class_of(resource->type);
    for (size_t i = 0; i < class->field_count; i++) {
        if ((class->fields[i].flags & FIELD_OWNER) && uuid_is_zero(&resource->owner))
            return error_invalid_field(error, class->fields[i].name, "None",
                                       "Mandatory field missing.");
    }
    return true;
}
