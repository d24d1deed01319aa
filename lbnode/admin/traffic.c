#include "lbnode/admin/traffic.h"

#include "lbnode/base/bytes.h"

#define LISTENER_METRIC(name, kind, help)                                                      \
    {#name, kind, help, offsetof(struct listener_counters, name)},
#define POOL_METRIC(name, kind, help) {#name, kind, help, offsetof(struct pool_counters, name)},
#define MEMBER_METRIC(name, kind, help)                                                        \
    {#name, kind, help, offsetof(struct member_counters, name)},
#define LISTENER_LATENCY(name, help)                                                           \
    {#name, "histogram", help, offsetof(struct listener_latencies, name)},
#define POOL_LATENCY(name, help)                                                               \
    {#name, "histogram", help, offsetof(struct pool_latencies, name)},
#define MEMBER_LATENCY(name, help)                                                             \
    {#name, "histogram", help, offsetof(struct member_latencies, name)},

static const struct traffic_metric listener_metrics[] = {LISTENER_COUNTERS(LISTENER_METRIC)};
static const struct traffic_metric pool_metrics[] = {POOL_COUNTERS(POOL_METRIC)};
static const struct traffic_metric member_metrics[] = {MEMBER_COUNTERS(MEMBER_METRIC)};
static const struct traffic_metric listener_histograms[] = {
    LISTENER_LATENCIES(LISTENER_LATENCY)};
static const struct traffic_metric pool_histograms[] = {POOL_LATENCIES(POOL_LATENCY)};
static const struct traffic_metric member_histograms[] = {MEMBER_LATENCIES(MEMBER_LATENCY)};

#define KIND(type_, noun_, owner_, limit_)                                                     \
    {                                                                                          \
        .type = type_, .noun = #noun_, .owner_noun = owner_, .slot_limit = limit_,             \
        .counters = offsetof(struct worker_counters, noun_##s),                                \
        .counters_stride = sizeof(struct noun_##_counters),                                    \
        .latencies = offsetof(struct worker_counters, noun_##_latencies),                      \
        .latencies_stride = sizeof(struct noun_##_latencies), .metrics = noun_##_metrics,      \
        .metric_count = ARRAY_LENGTH(noun_##_metrics), .histograms = noun_##_histograms,       \
        .histogram_count = ARRAY_LENGTH(noun_##_histograms),                                   \
    }

const struct traffic_kind *traffic_kind_of(enum resource_type type)
{
    static const struct traffic_kind kinds[] = {
        KIND(RESOURCE_LISTENER, listener, "loadbalancer", LISTENER_SLOTS),
        KIND(RESOURCE_POOL, pool, "loadbalancer", POOL_SLOTS),
        KIND(RESOURCE_MEMBER, member, "pool", MEMBER_SLOTS),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (kinds[i].type == type)
            return &kinds[i];
    }
    return NULL;
}

bool traffic_find(const struct node_state *state,
                  const struct traffic_kind *kind,
                  const struct uuid *id,
                  struct traffic_place *out)
{
    *out = (struct traffic_place){.state = state, .kind = kind};
    return state->slots && state->counters &&
           slot_map_find(state->slots, id, &out->slot, &out->incarnation) &&
           out->slot < kind->slot_limit;
}

static uint64_t read_cell(const void *base, size_t offset)
{
    return atomic_load_explicit(
        (const _Atomic uint64_t *)(const void *)((const char *)base + offset),
        memory_order_relaxed);
}

/* The cells of WORKER; NULL when they are about something else. The incarnation comes first in
 * all of them. */
static const char *counters_of(const struct traffic_place *place, uint32_t worker)
{
    const struct traffic_kind *kind = place->kind;
    const char *cells = (const char *)&place->state->counters->workers[worker] +
                        kind->counters + place->slot * kind->counters_stride;
    uint32_t incarnation = atomic_load_explicit((const _Atomic uint32_t *)(const void *)cells,
                                                memory_order_relaxed);
    return incarnation == place->incarnation ? cells : NULL;
}

static uint32_t worker_limit(const struct node_state *state)
{
    return state->worker_count < WORKERS_MAXIMUM ? state->worker_count : WORKERS_MAXIMUM;
}

uint64_t traffic_proxy_sum(const struct node_state *state, size_t offset)
{
    uint64_t sum = 0;
    for (uint32_t worker = 0; worker < worker_limit(state); worker++)
        sum += read_cell(&state->counters->workers[worker], offset);
    return sum;
}

uint64_t traffic_sum(const struct traffic_place *place, size_t offset)
{
    uint64_t sum = 0;
    for (uint32_t worker = 0; worker < worker_limit(place->state); worker++) {
        const char *cells = counters_of(place, worker);
        if (cells)
            sum += read_cell(cells, offset);
    }
    return sum;
}

void traffic_latency(const struct traffic_place *place, size_t offset, struct latency_sum *out)
{
    const struct traffic_kind *kind = place->kind;
    *out = (struct latency_sum){0};
    for (uint32_t worker = 0; worker < worker_limit(place->state); worker++) {
        if (!counters_of(place, worker))
            continue;
        const char *histogram = (const char *)&place->state->counters->workers[worker] +
                                kind->latencies + place->slot * kind->latencies_stride + offset;
        out->sum_us += read_cell(histogram, offsetof(struct latency_histogram, sum_us));
        for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
            uint64_t count = read_cell(histogram, offsetof(struct latency_histogram, buckets) +
                                                      i * sizeof(uint64_t));
            out->buckets[i] += count;
            out->count += count;
        }
    }
}

uint32_t latency_percentile_us(const struct latency_sum *sum, unsigned percent)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += sum->buckets[i];
        if (seen > 0 && seen * 100 >= sum->count * percent)
            return latency_bound_us(i);
    }
    return 0;
}
