/* What the tables of the resource families share: the rows that every resource has, and the
 * names of the class descriptions. Private to lbnode/model. Within a facet the rows stand in
 * ascending order of their tags. */
#ifndef LBNODE_MODEL_FIELD_ROWS_H
#define LBNODE_MODEL_FIELD_ROWS_H

#include "lbnode/model/field_table.h"

enum {
    PORT_MAXIMUM = 65535
};

/* For the projects of multi-tenant clients; lbnode itself knows one project only. */
#define DEFAULT_PROJECT "lbnode"

#define FIELD_AT(structure, member) .offset = offsetof(struct structure, member)

/* clang-format off */
#define COMMON_ROWS(project_flags)                                                             \
    {.name = "name", .type = FIELD_TEXT, FIELD_AT(resource, name), .facet = FACET_META,        \
     .tag = 1, .maximum = TEXT_ITEM_MAXIMUM, .default_text = "",                                    \
     .help = "name; commands accept it wherever they accept the id"},                          \
    {.name = "description", .type = FIELD_TEXT, FIELD_AT(resource, description),               \
     .facet = FACET_META, .tag = 2, .maximum = TEXT_ITEM_MAXIMUM, .default_text = "",               \
     .help = "a remark for people"},                                                           \
    {.name = "tags", .type = FIELD_TEXT_LIST, FIELD_AT(resource, tags), .facet = FACET_META,   \
     .tag = 3, .maximum = TEXT_ITEM_MAXIMUM, .help = "labels for people and programs"},             \
    {.name = "admin_state_up", .type = FIELD_BOOL, FIELD_AT(resource, admin_state_up),         \
     .facet = FACET_ADMIN, .tag = 1, .default_text = "true",                                   \
     .help = "false takes it out of service"},                                                 \
    {.name = "project_id", .type = FIELD_TEXT, FIELD_AT(resource, project_id),                 \
     .facet = FACET_CREATION, .tag = 1, .flags = FIELD_CREATE_ONLY | (project_flags),          \
     .maximum = 36, .default_text = DEFAULT_PROJECT,                                           \
     .help = "project that owns it; kept for OpenStack clients"}
/* clang-format on */

extern const struct resource_class load_balancer_class, listener_class, pool_class,
    member_class, health_monitor_class, vrrp_group_class, node_class, key_grant_class,
    secret_class;

/* Further checks, one value at a time (field_checks.c). */
bool check_vip(const struct field *field, const char *value, struct error *error);
bool check_member_address(const struct field *field, const char *value, struct error *error);
bool check_monitor_address(const struct field *field, const char *value, struct error *error);
bool check_provider(const struct field *field, const char *value, struct error *error);
bool check_insert_header(const struct field *field, const char *value, struct error *error);
bool check_expected_codes(const struct field *field, const char *value, struct error *error);
bool check_http_method(const struct field *field, const char *value, struct error *error);
bool check_http_version(const struct field *field, const char *value, struct error *error);
bool check_url_path(const struct field *field, const char *value, struct error *error);
bool check_media_type(const struct field *field, const char *value, struct error *error);
bool check_domain_name(const struct field *field, const char *value, struct error *error);
bool check_interface(const struct field *field, const char *value, struct error *error);
bool check_router(const struct field *field, const char *value, struct error *error);
bool check_preference(const struct field *field, const char *value, struct error *error);

#endif
