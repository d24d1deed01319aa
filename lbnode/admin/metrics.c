/* GET /metrics in Prometheus' text format, /healthz and /readyz. Names and help come from the
 * counter tables of the model. */
#include "lbnode/admin/metrics.h"

#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/admin/traffic.h"

#include <string.h>

void metrics_append_label(struct text *out, const char *name, const char *value)
{
    text_appendf(out, "%s=\"", name);
    for (const char *c = value; *c; c++) {
        if (*c == '\n')
            text_append_string(out, "\\n");
        else if (*c == '"' || *c == '\\')
            text_appendf(out, "\\%c", *c);
        else
            text_append(out, c, 1);
    }
    text_append_string(out, "\"");
}

void metrics_append_heading(struct text *out,
                            const char *name,
                            const char *kind,
                            const char *help)
{
    text_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* ---- the node, its peers and processes -----------------------------------------------------
 */

static void append_node(const struct node_state *state, struct text *out)
{
    metrics_append_heading(out, "lbnode_node_info", "gauge", "Name and version of this node");
    text_append_string(out, "lbnode_node_info{");
    metrics_append_label(out, "node", replication_node_name(state->replication));
    text_append_string(out, ",");
    metrics_append_label(out, "version", LBNODE_VERSION);
    text_append_string(out, "} 1\n");
    metrics_append_heading(out, "lbnode_node_start_time_seconds", "gauge",
                           "When the node started");
    text_appendf(out, "lbnode_node_start_time_seconds %llu\n",
                 (unsigned long long)(state->started_wall_ms / 1000));
    metrics_append_heading(out, "lbnode_configuration_generation", "gauge",
                           "Configurations built and running in the proxy");
    text_appendf(out, "lbnode_configuration_generation{state=\"built\"} %llu\n",
                 (unsigned long long)state->built_generation);
    text_appendf(out, "lbnode_configuration_generation{state=\"running\"} %llu\n",
                 (unsigned long long)state->running_generation);
    metrics_append_heading(out, "lbnode_process_restarts_total", "counter",
                           "Restarts of a process");
    for (size_t role = 0; role < PROCESS_ROLE_COUNT; role++)
        text_appendf(out, "lbnode_process_restarts_total{process=\"%s\"} %u\n",
                     process_role_name((enum process_role)role),
                     state->processes[role].restarts);
}

/* All workers added up. */
static void append_proxy(const struct node_state *state, struct text *out)
{
    static const struct {
        const char *name, *kind, *help;
        size_t offset;
    } metrics[] = {
#define PROXY_METRIC(name, kind, help)                                                         \
    {"lbnode_proxy_" #name, kind, help, offsetof(struct worker_counters, proxy.name)},
        PROXY_COUNTERS(PROXY_METRIC)
#undef PROXY_METRIC
    };
    for (size_t i = 0; state->counters && i < ARRAY_LENGTH(metrics); i++) {
        metrics_append_heading(out, metrics[i].name, metrics[i].kind, metrics[i].help);
        text_appendf(out, "%s %llu\n", metrics[i].name,
                     (unsigned long long)traffic_proxy_sum(state, metrics[i].offset));
    }
}

static void append_suspicions(const struct node_state *state, struct text *out)
{
    struct text help = {0};
    if (!state->counters)
        return;
    text_append_string(&help, "Times that traffic cast doubt on a member");
    for (unsigned kind = 0; kind < SUSPICION_KIND_COUNT; kind++)
        text_appendf(&help, "; %s: %s", suspicion_text((enum suspicion_kind)kind),
                     suspicion_help((enum suspicion_kind)kind));
    metrics_append_heading(out, "lbnode_suspicions_total", "counter", text_string(&help));
    text_free(&help);
    for (unsigned kind = 0; kind < SUSPICION_KIND_COUNT; kind++) {
        size_t offset =
            offsetof(struct worker_counters, proxy.suspicions) + kind * sizeof(uint64_t);
        text_appendf(out, "lbnode_suspicions_total{kind=\"%s\"} %llu\n",
                     suspicion_text((enum suspicion_kind)kind),
                     (unsigned long long)traffic_proxy_sum(state, offset));
    }
}

static void append_peer_up(void *context, const struct peer_view *peer)
{
    struct text *out = context;
    text_append_string(out, "lbnode_peer_up{");
    metrics_append_label(out, "node", peer->name);
    text_appendf(out, "} %d\n", peer->state == PEER_IS_ALIVE);
}

static void append_peer_behind(void *context, const struct peer_view *peer)
{
    struct text *out = context;
    text_append_string(out, "lbnode_peer_changes_behind{");
    metrics_append_label(out, "node", peer->name);
    text_appendf(out, "} %u\n", peer->changes_behind);
}

static void append_peers(const struct node_state *state, struct text *out)
{
    metrics_append_heading(out, "lbnode_peer_up", "gauge", "1: the peer answers");
    replication_visit_peers(state->replication, append_peer_up, out);
    metrics_append_heading(out, "lbnode_peer_changes_behind", "gauge",
                           "Own changes that the peer lacks");
    replication_visit_peers(state->replication, append_peer_behind, out);
}

static void
append_outcome(struct text *out, const char *name, const char *outcome, uint64_t count)
{
    text_append_string(out, name);
    metrics_append_label(out, "outcome", outcome);
    text_appendf(out, "} %llu\n", (unsigned long long)count);
}

static void append_datagram(void *context, const char *outcome, uint64_t count)
{
    append_outcome(context, "lbnode_gossip_datagrams_total{", outcome, count);
}

static void append_stream(void *context, const char *outcome, uint64_t count)
{
    append_outcome(context, "lbnode_gossip_connections_total{", outcome, count);
}

static void append_peer_session(void *context, const struct peer_view *peer)
{
    struct text *out = context;
    text_append_string(out, "lbnode_peer_session{");
    metrics_append_label(out, "node", peer->name);
    text_appendf(out, "} %d\n", peer->session_ms_ago != UINT64_MAX);
}

static void append_gossip(const struct node_state *state, struct text *out)
{
    metrics_append_heading(out, "lbnode_peer_session", "gauge",
                           "1: the peer has an encrypted session");
    replication_visit_peers(state->replication, append_peer_session, out);
    metrics_append_heading(out, "lbnode_gossip_datagrams_total", "counter",
                           "Datagrams to the gossip port by what became of them");
    replication_visit_datagrams(state->replication, append_datagram, out);
    metrics_append_heading(out, "lbnode_gossip_connections_total", "counter",
                           "Connections of others to the gossip port by what became of them");
    replication_visit_streams(state->replication, append_stream, out);
}

static void append_storage(const struct node_state *state, struct text *out)
{
    metrics_append_heading(out, "lbnode_storage_degraded", "gauge",
                           "1: the store takes no writes");
    text_appendf(out, "lbnode_storage_degraded %d\n",
                 replication_storage_problem(state->replication)[0] != 0);
}

static void append_vrrp_labels(const struct node_state *state,
                               const struct message_vrrp_status *status,
                               const char *name,
                               struct text *out)
{
    const struct effective *group = configuration_find(state->configuration, &status->group_id);
    text_appendf(out, "%s{", name);
    metrics_append_label(out, "group", group ? group->resource->name : "");
    text_appendf(out, ",family=\"%u\"}", (unsigned)status->family);
}

struct metric {
    const char *name, *kind, *help;
};

static uint64_t vrrp_value(const struct message_vrrp_status *status, size_t metric)
{
    const uint64_t values[] = {status->state == VRRP_ACTIVE, status->adverts_sent,
                               status->adverts_received,     status->adverts_dropped,
                               status->adverts_foreign,      status->became_active_count,
                               status->demoted_count};
    return values[metric];
}

static void append_vrrp(const struct node_state *state, struct text *out)
{
    static const struct metric metrics[] = {
        {"lbnode_vrrp_active", "gauge", "1: this node serves the group's addresses"},
        {"lbnode_vrrp_adverts_sent_total", "counter", "Adverts sent"},
        {"lbnode_vrrp_adverts_received_total", "counter", "Adverts received"},
        {"lbnode_vrrp_adverts_dropped_total", "counter", "Adverts that were refused"},
        {"lbnode_vrrp_adverts_foreign_total", "counter",
         "Adverts that nobody vouches for; they are among the dropped ones"},
        {"lbnode_vrrp_became_active_total", "counter", "Takeovers by this node"},
        {"lbnode_vrrp_demoted_total", "counter",
         "Times that gossip proved another node to be the better active one"},
    };
    for (size_t m = 0; m < ARRAY_LENGTH(metrics); m++) {
        metrics_append_heading(out, metrics[m].name, metrics[m].kind, metrics[m].help);
        for (size_t i = 0; i < state->vrrp_count; i++) {
            append_vrrp_labels(state, &state->vrrp[i], metrics[m].name, out);
            text_appendf(out, " %llu\n", (unsigned long long)vrrp_value(&state->vrrp[i], m));
        }
    }
}

static void append_events(const struct node_state *state, struct text *out)
{
    metrics_append_heading(out, "lbnode_events_total", "counter",
                           "Events by code since the start");
    for (unsigned code = 0; code < EVENT_CODE_COUNT; code++)
        text_appendf(
            out, "lbnode_events_total{code=\"%s\"} %llu\n",
            event_code_name((enum event_code)code),
            (unsigned long long)event_ring_count_of(state->events, (enum event_code)code));
}

void metrics_append(const struct node_state *state, struct text *out)
{
    static const enum resource_type types[] = {RESOURCE_LISTENER, RESOURCE_POOL,
                                               RESOURCE_MEMBER};
    append_node(state, out);
    append_proxy(state, out);
    append_suspicions(state, out);
    append_peers(state, out);
    append_gossip(state, out);
    append_storage(state, out);
    append_vrrp(state, out);
    metrics_append_health(state, out);
    append_events(state, out);
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        metrics_append_counters(state, types[i], out);
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        metrics_append_latencies(state, types[i], out);
}

/* ---- handlers ------------------------------------------------------------------------------
 */

void metrics_show(struct admin_request *request)
{
    struct text out = {.limit = ADMIN_ANSWER_LIMIT};
    metrics_append(request->state, &out);
    admin_answer_text(request, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static void answer_line(struct admin_request *request, int status, const char *line)
{
    struct text out = {0};
    text_append_string(&out, line);
    admin_answer_text(request, status, "text/plain; charset=utf-8", &out);
}

void health_show(struct admin_request *request)
{
    answer_line(request, 200, "OK\n");
}

void ready_show(struct admin_request *request)
{
    const struct node_state *state = request->state;
    bool ready =
        state->running_generation > 0 && state->running_generation >= state->built_generation;
    answer_line(request, ready ? 200 : 503,
                ready ? "OK\n" : "the proxy does not run the configuration yet\n");
}
