/* Version discovery, and the small fixed answers that OpenStack clients ask for. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_routes.h"
#include "lbnode/model/field_table.h"

#include <stdio.h>

enum {
    HIGHEST_MINOR = 16
};

/* Clients follow the href literally, so it names us as the client did. */
static struct json_value *version_document(const struct admin_request *request, int minor)
{
    char id[16], href[ADMIN_HOST_SIZE + 16];
    struct json_value *version = json_value_object(), *links = json_value_array();
    struct json_value *link = json_value_object();
    snprintf(id, sizeof(id), "v2.%d", minor);
    snprintf(href, sizeof(href), "http://%s/v2", *request->host ? request->host : "localhost");
    json_value_set_text(version, "id", id);
    json_value_set_text(version, "status", minor == HIGHEST_MINOR ? "CURRENT" : "SUPPORTED");
    json_value_set_text(version, "updated", "2026-01-01T00:00:00Z");
    json_value_set_text(link, "href", href);
    json_value_set_text(link, "rel", "self");
    json_value_append(links, link);
    json_value_set(version, "links", links);
    return version;
}

void discovery_versions(struct admin_request *request)
{
    struct json_value *versions = json_value_array();
    for (int minor = 0; minor <= HIGHEST_MINOR; minor++)
        json_value_append(versions, version_document(request, minor));
    admin_answer_wrapped(request, 200, "versions", versions);
}

void discovery_version(struct admin_request *request)
{
    admin_answer_wrapped(request, 200, "version", version_document(request, HIGHEST_MINOR));
}

void discovery_providers(struct admin_request *request)
{
    struct json_value *list = json_value_array(), *provider = json_value_object();
    json_value_set_text(provider, "name", "lbnode");
    json_value_set_text(provider, "description", "The lbnode driver.");
    json_value_append(list, provider);
    admin_answer_wrapped(request, 200, "providers", list);
}

void discovery_flavors(struct admin_request *request)
{
    struct json_value *root = json_value_object();
    json_value_set(root, "flavors", json_value_array());
    json_value_set(root, "flavors_links", json_value_array());
    admin_answer_json(request, 200, root);
}

void discovery_quota(struct admin_request *request)
{
    static const char *const names[] = {
        "loadbalancer",  "load_balancer",  "listener", "member", "pool",
        "healthmonitor", "health_monitor", "l7policy", "l7rule",
    };
    struct json_value *quota = json_value_object();
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        json_value_set_number(quota, names[i], -1);
    admin_answer_wrapped(request, 200, "quota", quota);
}

void schema_show(struct admin_request *request)
{
    const struct admin_route *route;
    struct json_value *root = field_table_describe(), *paths = json_value_array();
    for (size_t i = 0; (route = admin_route_at(i)); i++) {
        struct json_value *path = json_value_object();
        json_value_set_text(path, "method", route->method);
        json_value_set_text(path, "path", route->pattern);
        json_value_set_text(path, "help", route->help);
        json_value_append(paths, path);
    }
    json_value_set(root, "paths", paths);
    admin_answer_json(request, 200, root);
}
