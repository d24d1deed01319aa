/* A document that the planner accepts leaves no object without effect, and the export of what
 * it leaves is the same again: nothing to do there, and everything made anew on an empty node.
 */
#include "lbnode/model/configuration.h"
#include "lbnode/model/field_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base_document[] =
    "{\"vrrp_groups\": [{\"name\": \"default\", \"vrid\": 51}], \"loadbalancers\": [{\"name\": "
    "\"web\", \"vip_address\": \"10.77.0.100\", \"pools\": [{\"name\": \"workers\", "
    "\"protocol\": \"HTTP\", \"lb_algorithm\": \"ROUND_ROBIN\", \"members\": [{\"name\": "
    "\"w1\", \"address\": \"10.77.0.21\", \"protocol_port\": 80}], \"healthmonitor\": "
    "{\"type\": \"HTTP\", \"delay\": 5, \"timeout\": 3, \"max_retries\": 3}}], \"listeners\": "
    "[{\"name\": \"http\", \"protocol\": \"HTTP\", \"protocol_port\": 80, \"default_pool\": "
    "\"workers\"}]}]}";

static void
add_all(struct configuration_builder *builder, const struct change_set *changes, uint64_t seq)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct change_op *op = &changes->ops[i];
        struct raw_facet facet = {
            .object_id = op->object_id,
            .owner = op->owner,
            .type = op->type,
            .facet = op->facet,
            .value = {op->value, op->value_size},
            .hlc = seq << 16,
            .stream = 1,
            .seq = seq,
            .entry_count = 1,
        };
        if (!configuration_builder_add(builder, &facet))
            abort();
    }
}

static struct configuration *project(const struct change_set *first,
                                     const struct change_set *second)
{
    struct configuration_builder *builder = configuration_builder_new();
    add_all(builder, first, 1);
    if (second)
        add_all(builder, second, 2);
    return configuration_builder_finish(builder);
}

static void require_effect(const struct configuration *configuration)
{
    const struct resource_class *class;
    const struct effective *at;
    for (size_t k = 0; (class = resource_class_at(k)); k++) {
        for (size_t i = 0; (at = configuration_at(configuration, class->type, i)); i++) {
            if (!at->effective || at->reason != REASON_NONE)
                abort();
        }
    }
}

static void require_round_trip(const struct configuration *configuration)
{
    struct document_plan plan;
    struct change_set nothing = {0};
    struct configuration *empty = project(&nothing, NULL);
    struct json_value *exported = configuration_export(configuration);
    if (!configuration_plan_document(configuration, exported, true, NULL, &plan, NULL) ||
        plan.step_count != 0)
        abort();
    document_plan_free(&plan);
    if (!configuration_plan_document(empty, exported, false, NULL, &plan, NULL))
        abort();
    struct configuration *copy = project(plan.changes, NULL);
    struct json_value *again = configuration_export(copy);
    char *left = json_value_print(exported, 0), *right = json_value_print(again, 0);
    if (strcmp(left, right) != 0)
        abort();
    free(left);
    free(right);
    json_value_free(again);
    json_value_free(exported);
    configuration_free(copy);
    configuration_free(empty);
    document_plan_free(&plan);
}

static void plan_on(const struct configuration *base,
                    const struct change_set *base_changes,
                    const struct json_value *document,
                    bool prune)
{
    struct document_plan plan;
    struct error error = {0};
    if (!configuration_plan_document(base, document, prune, NULL, &plan, &error)) {
        if (error.kind == ERROR_NONE || error.text[0] == '\0')
            abort();
        return;
    }
    struct configuration *after = project(base_changes, plan.changes);
    require_effect(after);
    require_round_trip(after);
    configuration_free(after);
    document_plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct document_plan base_plan;
    struct json_value *document = json_value_parse((const char *)data, size, NULL);
    if (!document)
        return 0;
    struct change_set nothing = {0};
    struct configuration *empty = project(&nothing, NULL);
    struct json_value *text = json_value_parse(base_document, strlen(base_document), NULL);
    if (!configuration_plan_document(empty, text, false, NULL, &base_plan, NULL))
        abort();
    struct configuration *base = project(base_plan.changes, NULL);
    plan_on(base, base_plan.changes, document, false);
    plan_on(base, base_plan.changes, document, true);
    configuration_free(base);
    configuration_free(empty);
    document_plan_free(&base_plan);
    json_value_free(text);
    json_value_free(document);
    return 0;
}
