#include "lbnode/cli/list_table.h"

#include "lbnode/cli/lookup.h"

#include <stdlib.h>
#include <string.h>

/* A column of a list. One that refers to another resource shows its name: KEY then holds an id,
 * or a list of {"id"}. */
struct column {
    const char *title, *key;
    enum resource_type refers_to;
};

#define COLUMN(name)                                                                           \
    {                                                                                          \
        name, name, RESOURCE_NONE                                                              \
    }
#define REFERENCE(title, key, type)                                                            \
    {                                                                                          \
        title, key, type                                                                       \
    }

static const struct {
    enum resource_type type;
    struct column columns[11];
} lists[] = {
    {RESOURCE_LOAD_BALANCER,
     {COLUMN("name"), COLUMN("vip_address"), COLUMN("provisioning_status"),
      COLUMN("operating_status"), COLUMN("id")}},
    {RESOURCE_LISTENER,
     {COLUMN("name"), REFERENCE("loadbalancer", "loadbalancers", RESOURCE_LOAD_BALANCER),
      COLUMN("protocol"), COLUMN("protocol_port"),
      REFERENCE("default_pool", "default_pool_id", RESOURCE_POOL), COLUMN("operating_status"),
      COLUMN("id")}},
    {RESOURCE_POOL,
     {COLUMN("name"), REFERENCE("loadbalancer", "loadbalancers", RESOURCE_LOAD_BALANCER),
      COLUMN("protocol"), COLUMN("lb_algorithm"), COLUMN("operating_status"), COLUMN("id")}},
    {RESOURCE_MEMBER,
     {COLUMN("name"), COLUMN("address"), COLUMN("protocol_port"), COLUMN("weight"),
      COLUMN("backup"), COLUMN("operating_status"), COLUMN("health"), COLUMN("id")}},
    {RESOURCE_HEALTH_MONITOR,
     {COLUMN("name"), REFERENCE("pool", "pools", RESOURCE_POOL), COLUMN("type"),
      COLUMN("delay"), COLUMN("timeout"), COLUMN("max_retries"), COLUMN("operating_status"),
      COLUMN("id")}},
    {RESOURCE_VRRP_GROUP,
     {COLUMN("name"), COLUMN("vrid"), COLUMN("interface"), COLUMN("advert_interval_ms"),
      COLUMN("preempt"), COLUMN("preference"), COLUMN("id")}},
    {RESOURCE_SECRET,
     {COLUMN("name"), COLUMN("secret_type"), COLUMN("content_types"), COLUMN("updated"),
      COLUMN("id")}},
    {RESOURCE_NODE,
     {COLUMN("name"), COLUMN("state"), COLUMN("drain"), COLUMN("in_sync"), COLUMN("address"),
      COLUMN("status"), COLUMN("version"), COLUMN("protocol"), COLUMN("storage_problem"),
      COLUMN("id")}},
};

static const struct column *columns_of(enum resource_type type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        if (lists[i].type == type)
            return lists[i].columns;
    }
    return NULL;
}

/* ---- names of other objects -------------------------------------------------------------- */

/* The objects of the class that a column refers to; NULL when they cannot be had: the ids are
 * shown then. */
static struct json_value *fetch_names(const struct client *client, enum resource_type type)
{
    char path[TARGET_SIZE];
    struct response response;
    struct json_value *list = NULL;
    const struct resource_class *class = resource_class_of(type);
    if (!class)
        return NULL;
    lookup_path(class, NULL, path);
    if (client_request(client, "GET", path, NULL, &response, NULL))
        list = json_value_copy(json_value_get(response.json, class->plural));
    response_free(&response);
    return list;
}

static const char *name_of(const struct json_value *objects, const char *id)
{
    for (size_t i = 0; i < json_value_count(objects); i++) {
        const struct json_value *object = json_value_at(objects, i);
        const char *other = json_value_get_text(object, "id");
        const char *name = json_value_get_text(object, "name");
        if (other && name && name[0] && strcmp(other, id) == 0)
            return name;
    }
    return id;
}

static void add_reference(struct table *table,
                          const struct json_value *value,
                          const struct json_value *names)
{
    struct text text = {0};
    if (json_value_text(value))
        text_append_string(&text, name_of(names, json_value_text(value)));
    for (size_t i = 0; i < json_value_count(value); i++) {
        const char *id = json_value_get_text(json_value_at(value, i), "id");
        text_appendf(&text, "%s%s", i > 0 ? ", " : "", id ? name_of(names, id) : "-");
    }
    table_add(table, text.length > 0 ? text.data : "-");
    text_free(&text);
}

/* ---- the table --------------------------------------------------------------------------- */

static void add_row(struct table *table,
                    const struct column *columns,
                    const struct json_value *object,
                    struct json_value *const *names)
{
    for (size_t c = 0; c < table->columns; c++) {
        const struct json_value *value = json_value_get(object, columns[c].key);
        if (columns[c].refers_to != RESOURCE_NONE) {
            add_reference(table, value, names[c]);
            continue;
        }
        char *cell = value_text(object, columns[c].key);
        table_add(table, cell && cell[0] ? cell : "-");
        free(cell);
    }
}

void list_table_print(const struct client *client,
                      enum resource_type type,
                      const struct json_value *list)
{
    struct table table;
    struct text out = {0};
    struct json_value *names[TABLE_COLUMNS_MAXIMUM] = {NULL};
    const struct column *columns = columns_of(type);
    size_t count = 0;
    while (columns && columns[count].title)
        count++;
    table_init(&table, count);
    for (size_t c = 0; c < count; c++) {
        table_add(&table, columns[c].title);
        if (json_value_count(list) > 0)
            names[c] = fetch_names(client, columns[c].refers_to);
    }
    for (size_t i = 0; i < json_value_count(list); i++)
        add_row(&table, columns, json_value_at(list, i), names);
    table_write(&table, 0, &out);
    fputs(text_string(&out), stdout);
    for (size_t c = 0; c < count; c++)
        json_value_free(names[c]);
    text_free(&out);
    table_free(&table);
}
