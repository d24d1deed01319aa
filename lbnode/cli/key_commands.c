/* The cluster as a whole: its name, and its secret keys. */
#include "lbnode/cli/command.h"
#include "lbnode/cli/resource_commands.h"

#include <string.h>

/* "3 d": in the largest unit that still says something. */
static void add_age(struct table *table, const struct json_value *key)
{
    int64_t s = json_value_number(json_value_get(key, "age_s"));
    if (s < 600)
        table_addf(table, "%lld s", (long long)s);
    else if (s < 2 * 3600)
        table_addf(table, "%lld min", (long long)(s / 60));
    else if (s < 2 * 86400)
        table_addf(table, "%lld h", (long long)(s / 3600));
    else
        table_addf(table, "%lld d", (long long)(s / 86400));
}

static void add_state(struct table *table, const struct json_value *key)
{
    const char *state = cli_text_of(key, "state");
    const char *waits_for = json_value_get_text(key, "waits_for");
    if (strcmp(state, "COMING") == 0)
        table_addf(table, "waiting for %s", waits_for ? waits_for : "a moment");
    else if (strcmp(state, "GOING") == 0)
        table_add(table, "about to go");
    else
        table_add(table, "in use");
}

static void print_keys(const struct json_value *keys)
{
    static const char *const titles[] = {"key", "purpose", "age", "state", "known to"};
    struct text text = {0};
    struct table table;
    table_init(&table, ARRAY_LENGTH(titles));
    for (size_t i = 0; i < ARRAY_LENGTH(titles); i++)
        table_add(&table, titles[i]);
    for (size_t i = 0; i < json_value_count(keys); i++) {
        const struct json_value *key = json_value_at(keys, i);
        table_add(&table, cli_text_of(key, "id"));
        table_add(&table, cli_text_of(key, "purpose"));
        add_age(&table, key);
        add_state(&table, key);
        table_add(&table, cli_text_of(key, "known_to"));
    }
    table_write(&table, 0, &text);
    printf("%s", json_value_count(keys) > 0 ? text_string(&text) : "no keys\n");
    text_free(&text);
    table_free(&table);
}

bool run_cluster_show(struct context *context, struct error *error)
{
    struct response response;
    bool good = client_request(&context->client, "GET", "/v1/cluster", NULL, &response, error);
    const struct json_value *cluster = json_value_get(response.json, "cluster");
    if (good && context->format == OUTPUT_NAME) {
        printf("%s\n", cli_text_of(cluster, "name"));
    } else if (good && context->format != OUTPUT_TABLE) {
        output_document(context->format, cluster);
    } else if (good && !json_value_truth(json_value_get(cluster, "initialised"))) {
        printf("this node is in no cluster yet\n");
    } else if (good) {
        printf("cluster %s, id %s\n\n", cli_text_of(cluster, "name"),
               cli_text_of(cluster, "id"));
        print_keys(json_value_get(cluster, "keys"));
    }
    response_free(&response);
    return good;
}

/* The option's word, and what the API calls it. */
static bool
read_purpose(const struct context *context, struct json_value *body, struct error *error)
{
    const char *given = arguments_value(&context->arguments, "purpose");
    if (!given)
        return true;
    if (strcmp(given, "secret") != 0 && strcmp(given, "data") != 0)
        return error_set(error, ERROR_USAGE, "--purpose %s should be secret or data", given);
    json_value_set_text(body, "purpose",
                        strcmp(given, "data") == 0 ? "DATA_KEY" : "CLUSTER_SECRET");
    return true;
}

bool run_keys_rotate(struct context *context, struct error *error)
{
    struct response response;
    struct json_value *body = json_value_object();
    if (!read_purpose(context, body, error)) {
        json_value_free(body);
        return false;
    }
    bool good = cli_post(context, "/v1/keys", "keys", body, &response, error);
    const struct json_value *keys = json_value_get(response.json, "keys");
    if (good && (context->format == OUTPUT_JSON || context->format == OUTPUT_YAML))
        output_document(context->format, keys);
    else if (good)
        print_keys(keys);
    if (good)
        cli_print_note(context, &response);
    response_free(&response);
    return good;
}
