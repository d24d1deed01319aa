/* Reads the counter board for one listener, pool or member: this node's workers added up. What
 * there is to read comes from the model's tables; metrics and statistics walk them here. */
#ifndef LBNODE_ADMIN_TRAFFIC_H
#define LBNODE_ADMIN_TRAFFIC_H

#include "lbnode/admin/node_state.h"

struct traffic_metric {
    const char *name; /* without lbnode_listener_ and the like */
    const char *kind; /* "counter" or "gauge" */
    const char *help;
    size_t offset; /* in the counters, or in the latencies, of a slot */
};

/* What the board has about one type of resource. */
struct traffic_kind {
    enum resource_type type;
    const char *noun, *owner_noun;
    uint32_t slot_limit;
    size_t counters, counters_stride; /* in struct worker_counters */
    size_t latencies, latencies_stride;
    const struct traffic_metric *metrics;
    size_t metric_count;
    const struct traffic_metric *histograms;
    size_t histogram_count;
};

/* NULL when the board has nothing about TYPE. */
const struct traffic_kind *traffic_kind_of(enum resource_type type);

struct traffic_place {
    const struct node_state *state;
    const struct traffic_kind *kind;
    uint32_t slot, incarnation;
};

/* False when the object has no place on the board: it is not in the running configuration. */
bool traffic_find(const struct node_state *state,
                  const struct traffic_kind *kind,
                  const struct uuid *id,
                  struct traffic_place *out);
/* Of a counter or gauge. */
uint64_t traffic_sum(const struct traffic_place *place, size_t offset);

/* Of a cell of struct worker_counters that is about the proxy as a whole. */
uint64_t traffic_proxy_sum(const struct node_state *state, size_t offset);

struct latency_sum {
    uint64_t count, sum_us;
    uint64_t buckets[LATENCY_BUCKETS];
};

void traffic_latency(const struct traffic_place *place, size_t offset, struct latency_sum *out);
/* The upper bound (us) of the bucket that PERCENT of the durations are in or below; 0 when
 * there are none, UINT32_MAX when only the last bucket will do. */
uint32_t latency_percentile_us(const struct latency_sum *sum, unsigned percent);

#endif
