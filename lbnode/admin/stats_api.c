/* All that this node's proxy counted about one listener, pool or member, for the command line
 * and scripts; Octavia's own five numbers are in status_view.c. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_routes.h"
#include "lbnode/admin/resource_api.h"
#include "lbnode/admin/traffic.h"

static void set_milliseconds(struct json_value *object, const char *key, uint64_t duration_us)
{
    json_value_set(object, key, json_value_real((double)duration_us / 1000));
}

/* Percentiles are upper bounds of buckets; one in the last bucket has none. */
static void
set_percentile(struct json_value *object, const char *key, const struct latency_sum *sum)
{
    uint32_t bound_us =
        latency_percentile_us(sum, (unsigned)(key[1] - '0') * 10 + (unsigned)(key[2] - '0'));
    if (bound_us == UINT32_MAX)
        json_value_set(object, key, json_value_null());
    else
        set_milliseconds(object, key, bound_us);
}

static struct json_value *latency_to_json(const struct latency_sum *sum)
{
    struct json_value *object = json_value_object();
    json_value_set_number(object, "count", (int64_t)sum->count);
    set_milliseconds(object, "mean", sum->count ? sum->sum_us / sum->count : 0);
    set_percentile(object, "p50", sum);
    set_percentile(object, "p90", sum);
    set_percentile(object, "p99", sum);
    return object;
}

static struct json_value *terminations_to_json(const struct traffic_place *place)
{
    struct json_value *object = json_value_object();
    for (unsigned i = 0; i < TERMINATION_COUNT; i++) {
        uint64_t count =
            traffic_sum(place, offsetof(struct listener_counters, terminations) + i * 8);
        if (count > 0)
            json_value_set_number(object, termination_text((enum termination)i),
                                  (int64_t)count);
    }
    return object;
}

static struct json_value *place_to_json(const struct traffic_place *place)
{
    const struct traffic_kind *kind = place->kind;
    struct json_value *stats = json_value_object(), *latencies = json_value_object();
    for (size_t i = 0; i < kind->metric_count; i++)
        json_value_set_number(stats, kind->metrics[i].name,
                              (int64_t)traffic_sum(place, kind->metrics[i].offset));
    if (kind->type == RESOURCE_LISTENER)
        json_value_set(stats, "terminations", terminations_to_json(place));
    for (size_t i = 0; i < kind->histogram_count; i++) {
        struct latency_sum sum;
        traffic_latency(place, kind->histograms[i].offset, &sum);
        json_value_set(latencies, kind->histograms[i].name, latency_to_json(&sum));
    }
    json_value_set(stats, "latency_ms", latencies);
    return stats;
}

void traffic_stats(struct admin_request *request)
{
    struct error error = {0};
    enum resource_type type = request->route->type;
    bool is_member = type == RESOURCE_MEMBER;
    const struct effective *object =
        resource_api_find(request, type, request->parameters[is_member ? 1 : 0], &error);
    struct traffic_place place;
    if (!object) {
        admin_answer_error(request, &error);
        return;
    }
    struct json_value *root = json_value_object();
    bool found =
        traffic_find(request->state, traffic_kind_of(type), &object->resource->id, &place);
    json_value_set(root, "stats", found ? place_to_json(&place) : json_value_object());
    admin_answer_json(request, 200, root);
}
