/* What monitors think of members and pools, in Prometheus' text format. */
#include "lbnode/admin/health_view.h"
#include "lbnode/admin/metrics.h"
#include "lbnode/admin/status_view.h"
#include "lbnode/base/monotime.h"

static void append_identity(struct text *out,
                            const char *kind,
                            const struct resource *resource,
                            const char *owner_kind,
                            const struct resource *owner)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&resource->id, id);
    text_append_string(out, "{");
    metrics_append_label(out, "id", id);
    text_append_string(out, ",");
    metrics_append_label(out, kind, resource->name);
    if (owner) {
        text_append_string(out, ",");
        metrics_append_label(out, owner_kind, owner->name);
    }
    text_append_string(out, "}");
}

static const struct resource *owner_of(const struct node_state *state,
                                       const struct resource *resource)
{
    const struct effective *owner = configuration_find(state->configuration, &resource->owner);
    return owner ? owner->resource : NULL;
}

/* ---- members ------------------------------------------------------------------------------
 */

enum member_metric {
    MEMBER_UP,
    MEMBER_SINCE,
    MEMBER_PROBES,
    MEMBER_FAILURES,
    MEMBER_ROUND_TRIP,
    MEMBER_METRIC_COUNT
};

static const struct {
    const char *name, *kind, *help;
} member_metrics[MEMBER_METRIC_COUNT] = {
    [MEMBER_UP] = {"lbnode_member_up", "gauge",
                   "1: this node takes the member for ONLINE, 0: for ERROR; absent while there "
                   "is no verdict"},
    [MEMBER_SINCE] = {"lbnode_member_verdict_age_seconds", "gauge",
                      "How long this node's verdict has been the same"},
    [MEMBER_PROBES] = {"lbnode_member_probes_total", "counter",
                       "Probes of the member that this node made"},
    [MEMBER_FAILURES] = {"lbnode_member_probe_failures_total", "counter",
                         "Those of them that failed"},
    [MEMBER_ROUND_TRIP] = {"lbnode_member_probe_seconds", "gauge",
                           "How long the last probe took"},
};

/* False: there is no such value of it now. */
static bool read_value(const struct verdict_slot *slot, enum member_metric metric, double *out)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    uint64_t since_ms = atomic_load_explicit(&slot->since_wall_ms, memory_order_relaxed);
    uint64_t now_ms = walltime_now_ms();
    enum verdict_state verdict = verdict_word_state(word);
    uint32_t probes = atomic_load_explicit(&slot->probes, memory_order_relaxed);
    switch (metric) {
    case MEMBER_UP: *out = verdict == VERDICT_ONLINE; return verdict != VERDICT_UNKNOWN;
    case MEMBER_SINCE:
        *out = now_ms > since_ms ? (double)(now_ms - since_ms) / 1000 : 0;
        return verdict != VERDICT_UNKNOWN && since_ms > 0;
    case MEMBER_PROBES: *out = probes; return true;
    case MEMBER_FAILURES:
        *out = atomic_load_explicit(&slot->failures, memory_order_relaxed);
        return true;
    default:
        *out = atomic_load_explicit(&slot->round_trip_us, memory_order_relaxed) / 1e6;
        return probes > 0;
    }
}

static void
append_members(const struct node_state *state, enum member_metric metric, struct text *out)
{
    const struct effective *object;
    const struct verdict_slot *slot;
    double value;
    const char *name = member_metrics[metric].name;
    metrics_append_heading(out, name, member_metrics[metric].kind, member_metrics[metric].help);
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_MEMBER, i));
         i++) {
        slot = health_slot_of(state, &object->resource->id);
        if (!slot || !read_value(slot, metric, &value))
            continue;
        text_append_string(out, name);
        append_identity(out, "member", object->resource, "pool",
                        owner_of(state, object->resource));
        text_appendf(out, " %.10g\n", value);
    }
}

/* ---- pools --------------------------------------------------------------------------------
 */

static void
append_pool(const struct node_state *state, const struct effective *pool, struct text *out)
{
    const struct effective *member;
    unsigned counts[OPERATING_NO_MONITOR + 1] = {0};
    char id[UUID_TEXT_SIZE];
    for (size_t i = 0; (member = configuration_child(state->configuration, &pool->resource->id,
                                                     RESOURCE_MEMBER, i));
         i++)
        counts[status_now(state, member->resource)]++;
    uuid_format(&pool->resource->id, id);
    for (unsigned status = 0; status <= OPERATING_NO_MONITOR; status++) {
        if (status == OPERATING_DEGRADED) /* no member is */
            continue;
        text_append_string(out, "lbnode_pool_members{");
        metrics_append_label(out, "id", id);
        text_append_string(out, ",");
        metrics_append_label(out, "pool", pool->resource->name);
        text_appendf(out, ",status=\"%s\"} %u\n",
                     operating_status_name((enum operating_status)status), counts[status]);
    }
}

void metrics_append_health(const struct node_state *state, struct text *out)
{
    const struct effective *pool;
    for (size_t metric = 0; metric < MEMBER_METRIC_COUNT; metric++)
        append_members(state, (enum member_metric)metric, out);
    metrics_append_heading(out, "lbnode_pool_members", "gauge",
                           "Members of the pool by operating_status, the same on all nodes");
    for (size_t i = 0; (pool = configuration_at(state->configuration, RESOURCE_POOL, i)); i++)
        append_pool(state, pool, out);
}
