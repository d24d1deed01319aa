/* The counter board in Prometheus' text format. Histograms of what had no traffic yet are left
 * out, and of members there are only sum and count: thousands of them would make a page that
 * nobody can read in time. */
#include "lbnode/admin/metrics.h"
#include "lbnode/admin/traffic.h"

enum {
    MEMBER_LATENCY_LIMIT = 16 << 20 /* bytes of the page, above which members' are left out */
};

/* One sample's name and labels, up to the closing brace. */
static void append_name(const struct traffic_place *place,
                        const struct traffic_metric *metric,
                        const char *suffix,
                        const struct resource *resource,
                        struct text *out)
{
    const struct effective *owner =
        configuration_find(place->state->configuration, &resource->owner);
    char id[UUID_TEXT_SIZE];
    uuid_format(&resource->id, id);
    text_appendf(out, "lbnode_%s_%s%s{", place->kind->noun, metric->name, suffix);
    metrics_append_label(out, "id", id);
    text_append_string(out, ",");
    metrics_append_label(out, place->kind->noun, resource->name);
    if (owner) {
        text_append_string(out, ",");
        metrics_append_label(out, place->kind->owner_noun, owner->resource->name);
    }
}

static void append_counter(const struct traffic_place *place,
                           const struct traffic_metric *metric,
                           const struct resource *resource,
                           struct text *out)
{
    append_name(place, metric, "", resource, out);
    text_appendf(out, "} %llu\n", (unsigned long long)traffic_sum(place, metric->offset));
}

static void append_terminations(const struct traffic_place *place,
                                const struct traffic_metric *metric,
                                const struct resource *resource,
                                struct text *out)
{
    for (unsigned i = 0; i < TERMINATION_COUNT; i++) {
        uint64_t count = traffic_sum(place, metric->offset + i * sizeof(uint64_t));
        append_name(place, metric, "", resource, out);
        text_appendf(out, ",reason=\"%s\"} %llu\n", termination_text((enum termination)i),
                     (unsigned long long)count);
    }
}

static void append_sum(const struct traffic_place *place,
                       const struct traffic_metric *metric,
                       const struct resource *resource,
                       const struct latency_sum *sum,
                       struct text *out)
{
    append_name(place, metric, "_seconds_sum", resource, out);
    text_appendf(out, "} %llu.%06llu\n", (unsigned long long)(sum->sum_us / 1000000),
                 (unsigned long long)(sum->sum_us % 1000000));
    append_name(place, metric, "_seconds_count", resource, out);
    text_appendf(out, "} %llu\n", (unsigned long long)sum->count);
}

static void append_histogram(const struct traffic_place *place,
                             const struct traffic_metric *metric,
                             const struct resource *resource,
                             struct text *out)
{
    struct latency_sum sum;
    uint64_t below = 0;
    traffic_latency(place, metric->offset, &sum);
    if (sum.count == 0)
        return;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        below += sum.buckets[i];
        append_name(place, metric, "_seconds_bucket", resource, out);
        text_appendf(out, ",le=\"%s\"} %llu\n", latency_bound_text(i),
                     (unsigned long long)below);
    }
    append_sum(place, metric, resource, &sum, out);
}

static void append_summary(const struct traffic_place *place,
                           const struct traffic_metric *metric,
                           const struct resource *resource,
                           struct text *out)
{
    struct latency_sum sum;
    traffic_latency(place, metric->offset, &sum);
    if (sum.count > 0 && out->length < MEMBER_LATENCY_LIMIT)
        append_sum(place, metric, resource, &sum, out);
}

/* METRIC of all objects of KIND. */
static void append_all(const struct node_state *state,
                       const struct traffic_kind *kind,
                       const struct traffic_metric *metric,
                       void (*append)(const struct traffic_place *,
                                      const struct traffic_metric *,
                                      const struct resource *,
                                      struct text *),
                       struct text *out)
{
    const struct effective *object;
    struct traffic_place place;
    for (size_t i = 0; (object = configuration_at(state->configuration, kind->type, i)); i++) {
        if (traffic_find(state, kind, &object->resource->id, &place))
            append(&place, metric, object->resource, out);
    }
}

static void heading(const struct traffic_kind *kind,
                    const struct traffic_metric *metric,
                    const char *suffix,
                    const char *metric_kind,
                    struct text *out)
{
    text_appendf(out, "# HELP lbnode_%s_%s%s %s\n# TYPE lbnode_%s_%s%s %s\n", kind->noun,
                 metric->name, suffix, metric->help, kind->noun, metric->name, suffix,
                 metric_kind);
}

void metrics_append_counters(const struct node_state *state,
                             enum resource_type type,
                             struct text *out)
{
    const struct traffic_kind *kind = traffic_kind_of(type);
    for (size_t i = 0; i < kind->metric_count; i++) {
        heading(kind, &kind->metrics[i], "", kind->metrics[i].kind, out);
        append_all(state, kind, &kind->metrics[i], append_counter, out);
    }
    if (type != RESOURCE_LISTENER)
        return;
    static const struct traffic_metric terminations = {
        "terminations", "counter", "Requests (HTTP) or connections (TCP) by how they ended",
        offsetof(struct listener_counters, terminations)};
    heading(kind, &terminations, "", terminations.kind, out);
    append_all(state, kind, &terminations, append_terminations, out);
}

void metrics_append_latencies(const struct node_state *state,
                              enum resource_type type,
                              struct text *out)
{
    const struct traffic_kind *kind = traffic_kind_of(type);
    bool is_member = type == RESOURCE_MEMBER;
    for (size_t i = 0; i < kind->histogram_count; i++) {
        heading(kind, &kind->histograms[i], "_seconds", is_member ? "summary" : "histogram",
                out);
        append_all(state, kind, &kind->histograms[i],
                   is_member ? append_summary : append_histogram, out);
    }
}
