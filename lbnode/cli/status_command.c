#include "lbnode/cli/command.h"

#include <stdlib.h>
#include <string.h>

/* What the overview is made of: sections of aligned lines. */

static void print_table(const char *title, struct table *table)
{
    struct text out = {0};
    printf("\n%s\n", title);
    table_write(table, 2, &out);
    fputs(text_string(&out), stdout);
    text_free(&out);
    table_free(table);
}

static void print_headline(const struct json_value *status)
{
    const struct json_value *cluster = json_value_get(status, "cluster");
    const char *node = value_text_or(json_value_get(status, "node"), "name", "this node");
    if (json_value_is_null(cluster))
        printf("%s, in no cluster yet: %s\n", node, value_text_or(status, "health", "unknown"));
    else
        printf("%s in cluster %s: %s\n", node, value_text_or(cluster, "name", "-"),
               value_text_or(status, "health", "unknown"));
}

/* "0.4 s ago": how long ago in the largest unit that still says something. */
static void add_ago(struct table *table, const struct json_value *node)
{
    const struct json_value *heard = json_value_get(node, "last_heard_ms");
    int64_t ms = json_value_number(heard);
    if (value_is_true(node, "self"))
        table_add(table, "this node");
    else if (json_value_is_null(heard))
        table_add(table, "never heard");
    else if (ms < 10000)
        table_addf(table, "heard %.1f s ago", (double)ms / 1000);
    else if (ms < 600000)
        table_addf(table, "heard %lld s ago", (long long)(ms / 1000));
    else
        table_addf(table, "heard %lld min ago", (long long)(ms / 60000));
}

static void add_sync(struct table *table, const struct json_value *node)
{
    int64_t behind = json_value_number(json_value_get(node, "changes_behind"));
    if (value_is_true(node, "in_sync"))
        table_add(table, "in sync");
    else if (behind > 0)
        table_addf(table, "%lld changes behind", (long long)behind);
    else
        table_add(table, "not in sync");
}

/* "session 35 s, key 1a2b" */
static void add_session(struct table *table, const struct json_value *node)
{
    const struct json_value *since = json_value_get(node, "session_ms");
    if (!json_value_is_null(since))
        table_addf(table, "session %lld s, key %s",
                   (long long)(json_value_number(since) / 1000),
                   value_text_or(node, "key", "-"));
    else if (json_value_number(json_value_get(node, "spoken_protocol")) == 1)
        table_add(table, "signed packets");
    else
        table_add(table, "");
}

static void print_nodes(const struct json_value *nodes, const char *versions)
{
    struct table table;
    table_init(&table, 7);
    for (size_t i = 0; i < json_value_count(nodes); i++) {
        const struct json_value *node = json_value_at(nodes, i);
        const char *membership = value_text_or(node, "status", "ACTIVE");
        bool active = strcasecmp(membership, "active") == 0;
        table_add(&table, value_text_or(node, "name", "-"));
        table_addf(&table, "%s%s%s", active ? value_text_or(node, "state", "-") : membership,
                   value_is_true(node, "drain") ? ", drained" : "",
                   value_text_or(node, "storage_problem", "")[0] ? ", store takes no writes"
                                                                 : "");
        add_sync(&table, node);
        add_ago(&table, node);
        table_add(&table, value_text_or(node, "address", "-"));
        table_addf(&table, "%s, protocol %lld",
                   value_text_or(node, "version", "earlier version"),
                   (long long)json_value_number(json_value_get(node, "protocol")));
        add_session(&table, node);
    }
    if (json_value_count(nodes) > 0)
        print_table("nodes", &table);
    if (versions)
        printf("  %s\n", versions);
}

/* A backup's dead time is of interest, and why it is not as short as it could be. */
static void add_state_here(struct table *table, const struct json_value *group)
{
    const char *state = value_text_or(group, "state", "-");
    const char *reason = value_text_or(group, "reason", "");
    const char *dead_time_reason = value_text_or(group, "dead_time_reason", "");
    if (strcmp(state, "backup") == 0 && dead_time_reason[0])
        table_addf(table, "here: %s, dead time %.0f ms (%s)", state,
                   json_value_fraction(json_value_get(group, "dead_time_ms")),
                   dead_time_reason);
    else
        table_addf(table, "here: %s%s%s", state, reason[0] ? ", " : "", reason);
}

/* A node in fault does not listen: what it heard last, itself perhaps, is old. */
static const char *active_of(const struct json_value *group)
{
    if (strcmp(value_text_or(group, "state", "-"), "fault") == 0)
        return "not known here";
    return value_text_or(group, "active_node",
                         value_text_or(group, "active_address", "nobody"));
}

static void print_vrrp(const struct json_value *groups)
{
    struct table table;
    table_init(&table, 5);
    for (size_t i = 0; i < json_value_count(groups); i++) {
        const struct json_value *group = json_value_at(groups, i);
        if (json_value_count(json_value_get(group, "addresses")) == 0)
            continue; /* nothing moves with it */
        char *addresses = value_text(group, "addresses");
        table_addf(&table, "%s %s", value_text_or(group, "group", "-"),
                   value_text_or(group, "family", ""));
        table_addf(&table, "vrid %lld",
                   (long long)json_value_number(json_value_get(group, "vrid")));
        table_addf(&table, "active: %s", active_of(group));
        add_state_here(&table, group);
        table_add(&table, addresses);
        free(addresses);
    }
    if (table.cell_count > 0)
        print_table("addresses", &table);
}

/* Nodes that could not take a group over, or should not have it, and what to do. */
static void add_ineligible(struct table *table, const struct json_value *group)
{
    const struct json_value *nodes = json_value_get(group, "nodes");
    for (size_t i = 0; i < json_value_count(nodes); i++) {
        const struct json_value *node = json_value_at(nodes, i);
        const char *remedy = value_text_or(node, "remedy", "");
        if (value_is_true(node, "eligible"))
            continue;
        table_add(table, value_text_or(node, "name", "-"));
        table_addf(table, "%s %s", value_text_or(group, "group", "-"),
                   value_text_or(group, "family", ""));
        table_add(table, value_text_or(node, "reason", "-"));
        table_addf(table, "%s%s", remedy[0] ? "there: " : "", remedy);
    }
}

static void print_ineligible(const struct json_value *groups)
{
    struct table table;
    table_init(&table, 4);
    for (size_t i = 0; i < json_value_count(groups); i++) {
        const struct json_value *group = json_value_at(groups, i);
        if (json_value_count(json_value_get(group, "addresses")) > 0)
            add_ineligible(&table, group);
    }
    if (table.cell_count > 0)
        print_table("not eligible to be active", &table);
    else
        table_free(&table);
}

/* Changes that go unless somebody says that they may stay. */
static void print_confirmations(const struct json_value *list)
{
    struct table table;
    table_init(&table, 2);
    for (size_t i = 0; i < json_value_count(list); i++) {
        const struct json_value *entry = json_value_at(list, i);
        int64_t left_s = json_value_number(json_value_get(entry, "left_s"));
        if (left_s > 0)
            table_addf(&table, "undone in %lld s", (long long)left_s);
        else
            table_add(&table, "undone now");
        table_addf(&table, "keep it: %s", value_text_or(entry, "confirm", "-"));
    }
    if (json_value_count(list) > 0)
        print_table("changes that wait for a confirmation", &table);
}

/* ---- load balancers as a tree ------------------------------------------------------------ */

static void add_line(struct table *table,
                     size_t depth,
                     const char *kind,
                     const struct json_value *object,
                     const char *detail)
{
    const char *name = value_text_or(object, "name", value_text_or(object, "id", "-"));
    table_addf(table, "%*s%s %s", (int)(2 * depth), "", kind, name);
    table_add(table, value_text_or(object, "operating_status", "-"));
    table_addf(table, "%s%s%s", detail,
               value_text_or(object, "reason", "")[0] && detail[0] ? ", " : "",
               value_text_or(object, "reason", ""));
}

static void add_member(struct table *table, const struct json_value *member)
{
    char detail[160];
    const char *address = value_text_or(member, "address", "-");
    const struct json_value *weight = json_value_get(member, "weight");
    int used = snprintf(detail, sizeof(detail), strchr(address, ':') ? "[%s]:%lld" : "%s:%lld",
                        address,
                        (long long)json_value_number(json_value_get(member, "protocol_port")));
    if (!json_value_is_null(weight) && used > 0 && (size_t)used < sizeof(detail))
        snprintf(detail + used, sizeof(detail) - (size_t)used, " weight %lld%s",
                 (long long)json_value_number(weight),
                 value_is_true(member, "backup") ? " backup" : "");
    add_line(table, 3, "member", member, detail);
}

static void add_pools(struct table *table, const struct json_value *pools)
{
    for (size_t i = 0; i < json_value_count(pools); i++) {
        const struct json_value *pool = json_value_at(pools, i);
        const struct json_value *monitor = json_value_get(pool, "health_monitor");
        const struct json_value *members = json_value_get(pool, "members");
        char detail[120];
        snprintf(detail, sizeof(detail), "%s%s%s%s", value_text_or(pool, "lb_algorithm", ""),
                 value_text_or(pool, "lb_algorithm", "")[0] ? ", " : "",
                 monitor ? "monitored by " : "no monitor",
                 monitor ? value_text_or(monitor, "type", "-") : "");
        add_line(table, 2, "pool", pool, detail);
        for (size_t m = 0; m < json_value_count(members); m++)
            add_member(table, json_value_at(members, m));
    }
}

static void add_load_balancer(struct table *table, const struct json_value *load_balancer)
{
    const struct json_value *listeners = json_value_get(load_balancer, "listeners");
    add_line(table, 0, "loadbalancer", load_balancer,
             value_text_or(load_balancer, "vip_address", ""));
    for (size_t i = 0; i < json_value_count(listeners); i++) {
        const struct json_value *listener = json_value_at(listeners, i);
        char detail[80];
        const struct json_value *port = json_value_get(listener, "protocol_port");
        snprintf(detail, sizeof(detail), "%s %lld", value_text_or(listener, "protocol", "port"),
                 (long long)json_value_number(port));
        add_line(table, 1, "listener", listener, json_value_is_null(port) ? "" : detail);
        add_pools(table, json_value_get(listener, "pools"));
    }
    /* Pools that no listener uses. */
    add_pools(table, json_value_get(load_balancer, "pools"));
}

static void print_load_balancers(const struct json_value *list)
{
    struct table table;
    table_init(&table, 3);
    for (size_t i = 0; i < json_value_count(list); i++)
        add_load_balancer(&table, json_value_at(list, i));
    if (json_value_count(list) > 0)
        print_table("load balancers", &table);
    else
        printf("\nno load balancer yet; for instance:\n"
               "  lbnode loadbalancer create --name web --vip-address 10.77.0.100\n");
}

static void print_problems(const struct json_value *problems)
{
    struct table table;
    table_init(&table, 1);
    for (size_t i = 0; i < json_value_count(problems); i++)
        table_add(&table, json_value_text(json_value_at(problems, i)));
    if (json_value_count(problems) > 0)
        print_table("problems", &table);
}

/* Exit codes of --check. */
enum {
    CHECK_DEGRADED = 10,
    CHECK_ERROR = 11
};

static int check_code(const struct json_value *status)
{
    const char *health = value_text_or(status, "health", "error");
    if (strcmp(health, "healthy") == 0)
        return 0;
    return strcmp(health, "degraded") == 0 ? CHECK_DEGRADED : CHECK_ERROR;
}

bool run_status_show(struct context *context, struct error *error)
{
    struct response response;
    bool good = client_request(&context->client, "GET", "/v1/status", NULL, &response, error);
    const struct json_value *status = response.json;
    if (good && context->format == OUTPUT_NAME) {
        printf("%s\n", value_text_or(status, "health", "unknown"));
    } else if (good && context->format != OUTPUT_TABLE) {
        output_document(context->format, status);
    } else if (good) {
        print_headline(status);
        print_problems(json_value_get(status, "problems"));
        print_confirmations(json_value_get(status, "confirmations"));
        print_nodes(json_value_get(status, "nodes"), json_value_get_text(status, "versions"));
        print_vrrp(json_value_get(status, "vrrp"));
        print_ineligible(json_value_get(status, "vrrp"));
        print_load_balancers(json_value_get(status, "loadbalancers"));
    }
    if (good && arguments_has(&context->arguments, "check"))
        context->exit_code = check_code(status);
    response_free(&response);
    return good;
}
