#include "lbnode/cli/health_text.h"

#include "lbnode/base/bytes.h"
#include "lbnode/cli/history_bar.h"

#include <string.h>

void health_age_write(const struct json_value *age_ms, struct text *out)
{
    static const struct {
        long long below_ms, unit_ms;
        const char *unit;
    } ranges[] = {{120000, 1000, "s"},
                  {7200000, 60000, "min"},
                  {172800000, 3600000, "h"},
                  {INT64_MAX, 86400000, "days"}};
    long long ms = json_value_number(age_ms);
    if (json_value_is_null(age_ms)) {
        text_append_string(out, "never");
        return;
    }
    if (ms < 10000) {
        text_appendf(out, "%.1f s ago", (double)ms / 1000);
        return;
    }
    size_t i = 0;
    while (ms >= ranges[i].below_ms)
        i++;
    text_appendf(out, "%lld %s ago", ms / ranges[i].unit_ms, ranges[i].unit);
}

static void add_age(struct table *table, const char *before, const struct json_value *age_ms)
{
    struct text text = {0};
    text_append_string(&text, before);
    health_age_write(age_ms, &text);
    table_add(table, text_string(&text));
    text_free(&text);
}

static void add_since(struct table *table, const struct json_value *node)
{
    const char *since = json_value_get_text(node, "since");
    char before[64];
    snprintf(before, sizeof(before), "%.32s, ", since ? since : "");
    if (since)
        add_age(table, before, json_value_get(node, "since_ms_ago"));
    else
        table_add(table, "-");
}

static void add_number(struct table *table, const struct json_value *node, const char *key)
{
    const struct json_value *value = json_value_get(node, key);
    if (json_value_is_null(value))
        table_add(table, "-");
    else
        table_addf(table, "%lld", (long long)json_value_number(value));
}

void health_took_add(struct table *table, const struct json_value *node)
{
    const struct json_value *took = json_value_get(node, "round_trip_ms");
    double ms = json_value_fraction(took);
    if (json_value_is_null(took))
        table_add(table, "-");
    else if (ms < 1 && !value_is_true(node, "self")) /* nodes tell each other whole ones */
        table_add(table, "< 1 ms");
    else if (ms < 0.05)
        table_add(table, "< 0.1 ms");
    else
        table_addf(table, "%.1f ms", ms);
}

static const char *words_of(const struct json_value *node)
{
    if (!value_is_true(node, "alive"))
        return "this node does not answer";
    if (!json_value_get_text(node, "state"))
        return value_text_or(node, "reason",
                             value_is_true(node, "self") ? "no verdict yet"
                                                         : "nothing known of its view yet");
    return value_text_or(node, "reason",
                         value_is_true(node, "imported") ? "told by another node" : "");
}

static void add_node(struct table *table, const struct json_value *node)
{
    table_addf(table, "%s%s", value_text_or(node, "node", "-"),
               value_is_true(node, "decides") ? " *" : "");
    table_add(table, value_text_or(node, "state", "-"));
    add_since(table, node);
    add_age(table, "", json_value_get(node, "probed_ms_ago"));
    health_took_add(table, node);
    add_number(table, node, "last_status");
    table_add(table, words_of(node));
}

static void print_table(const struct json_value *nodes)
{
    static const char *const titles[] = {"node", "state",  "since", "last probe",
                                         "took", "status", "why"};
    struct table table;
    struct text out = {0};
    table_init(&table, ARRAY_LENGTH(titles));
    for (size_t i = 0; i < ARRAY_LENGTH(titles); i++)
        table_add(&table, titles[i]);
    for (size_t i = 0; i < json_value_count(nodes); i++)
        add_node(&table, json_value_at(nodes, i));
    table_write(&table, 2, &out);
    fputs(text_string(&out), stdout);
    text_free(&out);
    table_free(&table);
}

static void print_bar(const struct json_value *node)
{
    const char *history = json_value_get_text(node, "history");
    bool unicode = history_bar_may_be_unicode();
    struct text bar = {0};
    if (!history || !history[0])
        return;
    history_bar_write(history, unicode, &bar);
    printf("\n  %s\n  the last %zu result%s of %s, the oldest left: %s; %lld of %lld probes "
           "failed, %lld suspicions by traffic\n",
           text_string(&bar), strlen(history), strlen(history) == 1 ? "" : "s",
           value_text_or(node, "node", "this node"), history_bar_legend(unicode),
           (long long)json_value_number(json_value_get(node, "failures")),
           (long long)json_value_number(json_value_get(node, "probes")),
           (long long)json_value_number(json_value_get(node, "suspicions")));
    text_free(&bar);
}

void health_print(const struct json_value *health)
{
    const struct json_value *nodes = json_value_get(health, "nodes");
    if (!value_is_true(health, "probed")) {
        printf(
            "\nhealth: not probed; the pool has no monitor, or it or the member is disabled\n");
        return;
    }
    printf("\nhealth\n");
    print_table(nodes);
    if (json_value_count(nodes) > 1)
        printf(
            "  * its verdict is the member's status on all nodes; others tell theirs when it\n"
            "    changes, and have probed since\n");
    for (size_t i = 0; i < json_value_count(nodes); i++)
        print_bar(json_value_at(nodes, i));
}

void health_line_write(const struct json_value *health, struct text *out)
{
    const struct json_value *nodes = json_value_get(health, "nodes");
    const char *differences = json_value_get_text(health, "differences");
    if (differences) {
        text_append_string(out, differences);
        return;
    }
    for (size_t i = 0; i < json_value_count(nodes); i++) {
        const struct json_value *node = json_value_at(nodes, i);
        const char *state = value_text_or(node, "state", "");
        if (!value_is_true(node, "decides") || strcmp(state, "ONLINE") == 0)
            continue;
        if (!state[0]) { /* why it cannot be judged, if it is not just waited for */
            text_append_string(out, value_text_or(node, "reason", ""));
            continue;
        }
        text_appendf(out, "%s, ", value_text_or(node, "reason", "told by another node"));
        health_age_write(json_value_get(node, "since_ms_ago"), out);
    }
}
