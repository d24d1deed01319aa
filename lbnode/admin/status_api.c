/* GET /v1/status: everything an operator wants at a glance, and one word about it. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/eligibility_view.h"
#include "lbnode/admin/keys_view.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/admin/probation.h"
#include "lbnode/admin/problems.h"
#include "lbnode/admin/status_view.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/release.h"
#include "lbnode/model/hindrance.h"

static void set_id(struct json_value *object, const char *key, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    json_value_set_text(object, key, text);
}

static void set_time(struct json_value *object, const char *key, uint64_t wall_ms)
{
    char text[WALLTIME_TEXT_SIZE];
    walltime_format(wall_ms, text);
    json_value_set_text(object, key, text);
}

static struct json_value *this_node(const struct node_state *state)
{
    struct json_value *node = json_value_object();
    const struct replication *replication = state->replication;
    uint64_t now_ms = walltime_now_ms();
    uint64_t uptime_ms = now_ms > state->started_wall_ms ? now_ms - state->started_wall_ms : 0;
    set_id(node, "id", replication_node_id(replication));
    json_value_set_text(node, "name", replication_node_name(replication));
    json_value_set_text(node, "version", LBNODE_VERSION);
    json_value_set_number(node, "protocol", release_protocol());
    json_value_set_bool(node, "initialised", replication_is_initialised(replication));
    set_time(node, "started_at", state->started_wall_ms);
    json_value_set_number(node, "uptime_s", (int64_t)(uptime_ms / 1000));
    json_value_set_number(node, "uptime_ms", (int64_t)uptime_ms);
    json_value_set_bool(node, "manages_addresses", state->manages_addresses);
    json_value_set_number(node, "generation", (int64_t)state->built_generation);
    json_value_set_number(node, "running_generation", (int64_t)state->running_generation);
    json_value_set_text(node, "storage_problem", replication_storage_problem(replication));
    return node;
}

static void count_conflict(void *context, const struct conflict_view *conflict)
{
    (*(int64_t *)context)++;
}

static struct json_value *cluster(const struct node_state *state)
{
    struct json_value *object = json_value_object();
    uint8_t hash[32];
    char hex[2 * sizeof(hash) + 1];
    int64_t conflicts = 0;
    if (!replication_is_initialised(state->replication)) {
        json_value_free(object);
        return json_value_null();
    }
    set_id(object, "id", replication_cluster_id(state->replication));
    json_value_set_text(object, "name", replication_cluster_name(state->replication));
    replication_state_hash(state->replication, hash);
    bytes_to_hex((struct bytes){hash, sizeof(hash)}, hex);
    json_value_set_text(object, "state_hash", hex);
    replication_visit_conflicts(state->replication, count_conflict, &conflicts);
    json_value_set_number(object, "conflicts", conflicts);
    json_value_set(object, "keys", keys_view_list(state));
    return object;
}

/* ---- VRRP ----------------------------------------------------------------------------------
 */

static const char *name_of(const struct node_state *state, const struct uuid *id)
{
    const struct effective *object = configuration_find(state->configuration, id);
    return object ? object->resource->name : NULL;
}

/* Another VRRP router may be active, which has no name. */
static const char *active_node(const struct node_state *state,
                               const struct message_vrrp_status *status)
{
    struct uuid owner;
    if (status->state != VRRP_ACTIVE && !status->active_address.family)
        return NULL;
    return eligibility_find_owner(state, status, &owner) ? name_of(state, &owner) : NULL;
}

static void
append_address(struct json_value *list, const struct ip_address *address, uint8_t family)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    if (address->family != family)
        return;
    ip_address_format(address, text);
    json_value_append(list, json_value_string(text));
}

static struct json_value *group_addresses(const struct node_state *state,
                                          const struct message_vrrp_status *status)
{
    const struct effective *object;
    struct json_value *list = json_value_array();
    for (size_t i = 0;
         (object = configuration_at(state->configuration, RESOURCE_LOAD_BALANCER, i)); i++) {
        const struct load_balancer *balancer = (const struct load_balancer *)object->resource;
        const struct vrrp_group *group = configuration_group_of(state->configuration, balancer);
        if (!object->effective || !group || !uuid_equal(&group->resource.id, &status->group_id))
            continue;
        append_address(list, &balancer->vip_address, status->family);
        for (size_t a = 0; a < balancer->additional_vips.count; a++) {
            struct ip_address address;
            if (ip_address_parse(balancer->additional_vips.items[a], &address))
                append_address(list, &address, status->family);
        }
    }
    return list;
}

static struct json_value *vrrp_entry(const struct node_state *state,
                                     const struct message_vrrp_status *status)
{
    struct json_value *entry = json_value_object();
    char address[IP_ADDRESS_TEXT_SIZE];
    json_value_set_text(entry, "group", name_of(state, &status->group_id));
    set_id(entry, "group_id", &status->group_id);
    json_value_set_text(entry, "family", status->family == 4 ? "IPv4" : "IPv6");
    json_value_set_number(entry, "vrid", status->vrid);
    json_value_set_text(entry, "state", vrrp_state_name((enum vrrp_state)status->state));
    json_value_set_number(entry, "priority", status->priority);
    ip_address_format(&status->active_address, address);
    json_value_set_text(entry, "active_address",
                        status->active_address.family ? address : NULL);
    json_value_set_text(entry, "active_node", active_node(state, status));
    set_time(entry, "since", status->since_wall_ms);
    json_value_set(entry, "dead_time_ms", json_value_real(status->dead_time_us / 1000.0));
    json_value_set_text(entry, "dead_time_reason", status->dead_time_reason);
    json_value_set(entry, "addresses", group_addresses(state, status));
    json_value_set_text(entry, "interface", status->interface);
    json_value_set_text(entry, "reason", status->reason);
    json_value_set_text(entry, "hindrance",
                        status->hindrance ? hindrance_name(status->hindrance) : NULL);
    json_value_set(entry, "nodes", eligibility_view(state, status));
    return entry;
}

static struct json_value *vrrp_list(const struct node_state *state)
{
    struct json_value *list = json_value_array();
    for (size_t i = 0; i < state->vrrp_count; i++)
        json_value_append(list, vrrp_entry(state, &state->vrrp[i]));
    return list;
}

/* ---- the rest ------------------------------------------------------------------------------
 */

static struct json_value *load_balancers(const struct node_state *state)
{
    const struct status_detail detail = {.own_fields = true};
    const struct effective *object;
    struct json_value *list = json_value_array();
    for (size_t i = 0;
         (object = configuration_at(state->configuration, RESOURCE_LOAD_BALANCER, i)); i++)
        json_value_append(list, status_tree(state, object, &detail));
    return list;
}

static struct json_value *processes(const struct node_state *state)
{
    struct json_value *list = json_value_array();
    for (size_t role = 0; role < PROCESS_ROLE_COUNT; role++) {
        const struct message_process *process = &state->processes[role];
        struct json_value *entry = json_value_object();
        json_value_set_text(entry, "role", process_role_name((enum process_role)role));
        json_value_set_number(entry, "pid", process->pid);
        json_value_set_number(entry, "restarts", process->restarts);
        json_value_append(list, entry);
    }
    return list;
}

void status_show(struct admin_request *request)
{
    const struct node_state *state = request->state;
    struct json_value *root = json_value_object();
    struct problem_list problems = {.sentences = json_value_array()};
    problems_find(state, &problems);
    json_value_set(root, "node", this_node(state));
    json_value_set(root, "cluster", cluster(state));
    json_value_set(root, "nodes", node_view_list(state, false));
    json_value_set(root, "versions", node_view_versions(state));
    json_value_set(root, "vrrp", vrrp_list(state));
    json_value_set(root, "loadbalancers", load_balancers(state));
    json_value_set(root, "confirmations", confirmations_json(state));
    json_value_set(root, "processes", processes(state));
    json_value_set_text(root, "health", health_name(problems.health));
    json_value_set(root, "problems", problems.sentences);
    admin_answer_json(request, 200, root);
}
