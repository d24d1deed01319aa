#include "lbnode/admin/problems.h"

#include "lbnode/admin/secrets_api.h"
#include "lbnode/admin/status_view.h"
#include "lbnode/admin/traffic.h"
#include "lbnode/admin/vrid_choice.h"
#include "lbnode/model/hindrance.h"
#include "lbnode/model/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    MAXIMUM_PROBLEMS = 100
};

const char *health_name(enum health health)
{
    static const char *const names[] = {
        [HEALTH_HEALTHY] = "healthy", [HEALTH_DEGRADED] = "degraded", [HEALTH_ERROR] = "error"};
    return names[health];
}

static void __attribute__((format(printf, 3, 4)))
add(struct problem_list *problems, enum health health, const char *format, ...)
{
    char text[512];
    va_list args;
    if (health > problems->health)
        problems->health = health;
    if (json_value_count(problems->sentences) >= MAXIMUM_PROBLEMS)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_value_append(problems->sentences, json_value_string(text));
}

static void find_in_processes(const struct node_state *state, struct problem_list *problems)
{
    static const enum process_role roles[] = {PROCESS_HEALTH, PROCESS_PROXY};
    const char *storage = replication_storage_problem(state->replication);
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        if (state->processes[roles[i]].header.type != MESSAGE_NONE &&
            state->processes[roles[i]].pid == 0)
            add(problems, roles[i] == PROCESS_PROXY ? HEALTH_ERROR : HEALTH_DEGRADED,
                "the %s process does not run", process_role_name(roles[i]));
    }
    if (*storage)
        add(problems, HEALTH_DEGRADED, "the store refuses changes: %s", storage);
    struct bootstrap_view bootstrap;
    if (replication_bootstrap(state->replication, &bootstrap))
        add(problems, HEALTH_DEGRADED,
            "this node was away for long and takes the state from %.64s: %llu of about %llu "
            "changes",
            bootstrap.name, (unsigned long long)bootstrap.taken,
            (unsigned long long)bootstrap.announced);
    if (state->running_generation < state->built_generation)
        add(problems, HEALTH_DEGRADED, "the proxy runs configuration %llu, the newest is %llu",
            (unsigned long long)state->running_generation,
            (unsigned long long)state->built_generation);
}

/* What it shows is old, and what is changed here reaches nobody. */
static void find_in_membership(const struct node_state *state, struct problem_list *problems)
{
    if (replication_was_removed(state->replication))
        add(problems, HEALTH_ERROR,
            "this node was removed from cluster %.64s: nobody listens to it any more, it takes "
            "no changes and no addresses. To come back as a new node: stop it, move its state "
            "directory away, start it, lbnode token create on another node, lbnode join TOKEN "
            "here. When no node is left that was not removed: stop this one, lbnode cluster "
            "recover with the recovery code of the cluster",
            replication_cluster_name(state->replication));
}

static void find_unaware(void *context, const char *name)
{
    add(context, HEALTH_DEGRADED,
        "node %.64s does not know the new key of this node yet: start it, or remove it", name);
}

static void find_leaving(const struct node_state *state, struct problem_list *problems)
{
    const struct effective *object;
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        if (node->leaving && node->status == NODE_ACTIVE &&
            !replication_was_removed(state->replication))
            add(problems, HEALTH_DEGRADED,
                "node %.64s is being removed: lbnode node remove %.64s goes on with it, lbnode "
                "node undrain %.64s keeps it",
                node->resource.name, node->resource.name, node->resource.name);
    }
}

static void find_in_evidence(void *context, const struct evidence *evidence)
{
    static const enum health healths[] = {
        [EVIDENCE_LINK_DOWN] = HEALTH_DEGRADED,  [EVIDENCE_ONE_WAY] = HEALTH_DEGRADED,
        [EVIDENCE_TRANSMIT_DEAD] = HEALTH_ERROR, [EVIDENCE_DUAL_ACTIVE] = HEALTH_ERROR,
        [EVIDENCE_NO_ACTIVE] = HEALTH_ERROR,     [EVIDENCE_ISOLATED] = HEALTH_DEGRADED,
        [EVIDENCE_CLONED] = HEALTH_ERROR,
    };
    add(context, healths[evidence->kind], "%s", evidence->text);
}

static void find_in_peer(void *context, const struct peer_view *peer)
{
    struct problem_list *problems = context;
    if (peer->state == PEER_IS_UNREACHABLE || peer->state == PEER_NEVER_SEEN)
        add(problems, HEALTH_DEGRADED, "node %.64s does not answer", peer->name);
    else if (peer->state == PEER_IS_SUSPECT)
        add(problems, HEALTH_DEGRADED, "node %.64s has not answered for %llu s", peer->name,
            (unsigned long long)(peer->last_heard_ms_ago / 1000));
    else if (peer->state == PEER_IS_ALIVE && peer->changes_behind > 0)
        add(problems, HEALTH_DEGRADED, "node %.64s lacks %u changes", peer->name,
            peer->changes_behind);
}

static void find_in_peers_store(void *context, const struct peer_view *peer)
{
    if (peer->storage_trouble)
        add(context, HEALTH_DEGRADED, "node %.64s: %s", peer->name,
            event_code_meaning(EVENT_STORAGE_DEGRADED));
}

static void find_in_conflicts(void *context, const struct conflict_view *conflict)
{
    (*(unsigned *)context)++;
}

static void find_in_vrrp(const struct node_state *state, struct problem_list *problems)
{
    for (size_t i = 0; i < state->vrrp_count; i++) {
        const struct message_vrrp_status *status = &state->vrrp[i];
        const struct effective *group =
            configuration_find(state->configuration, &status->group_id);
        bool yields = status->hindrance != HINDRANCE_IS_NONE &&
                      status->hindrance != HINDRANCE_IS_DRAINED &&
                      hindrance_effect(status->hindrance) == HINDRANCE_YIELDS;
        if (status->state == VRRP_FAULT)
            add(problems, HEALTH_DEGRADED,
                "this node cannot serve VRRP group %.64s (IPv%u): %s",
                group ? group->resource->name : "?", status->family, status->reason);
        else if (status->demoted)
            add(problems, HEALTH_DEGRADED,
                "adverts of VRRP group %.64s (IPv%u) are lost between nodes: %s, as gossip "
                "tells",
                group ? group->resource->name : "?", status->family, status->reason);
        else if (yields)
            add(problems, HEALTH_DEGRADED,
                "this node serves VRRP group %.64s (IPv%u) only while no other can: %s",
                group ? group->resource->name : "?", status->family, status->reason);
    }
}

enum {
    VERSION_UNDERSTOOD = 3
};

static void find_in_vrids(const struct node_state *state, struct problem_list *problems)
{
    const struct effective *object;
    char text[IP_ADDRESS_TEXT_SIZE];
    for (size_t i = 0;
         (object = configuration_at(state->configuration, RESOURCE_VRRP_GROUP, i)); i++) {
        const struct vrrp_group *group = (const void *)object->resource;
        const struct vrid_heard *stranger = vrid_stranger(state, group->vrid);
        bool compat = group->policy == VRRP_POLICY_COMPAT;
        if (!stranger || (compat && stranger->version == VERSION_UNDERSTOOD))
            continue;
        ip_address_format(&stranger->source, text);
        if (compat) {
            add(problems, HEALTH_DEGRADED,
                "%s speaks VRRPv%u or CARP, which no node follows, on virtual router %lld of "
                "group %.64s on %s; set vrrp_version 3 there",
                text, stranger->version, (long long)group->vrid, object->resource->name,
                stranger->interface);
            continue;
        }
        add(problems, HEALTH_DEGRADED,
            "%s, which is no node, uses virtual router %lld of group %.64s on %s; give the "
            "group "
            "another one: lbnode vrrpgroup set --vrid N %.64s",
            text, (long long)group->vrid, object->resource->name, stranger->interface,
            object->resource->name);
    }
}

static void find_in_bindings(const struct node_state *state, struct problem_list *problems)
{
    char text[IP_ENDPOINT_TEXT_SIZE];
    for (size_t i = 0; i < state->binding_count; i++) {
        if (state->bindings[i].error_number <= 0)
            continue;
        ip_endpoint_format(&state->bindings[i].endpoint, text);
        add(problems, HEALTH_ERROR, "cannot listen on %s: %s", text,
            strerror(state->bindings[i].error_number));
    }
}

static void find_in_objects(const struct node_state *state, struct problem_list *problems)
{
    static const struct {
        enum resource_type type;
        const char *noun;
    } kinds[] = {{RESOURCE_LOAD_BALANCER, "load balancer"},
                 {RESOURCE_LISTENER, "listener"},
                 {RESOURCE_POOL, "pool"},
                 {RESOURCE_MEMBER, "member"},
                 {RESOURCE_HEALTH_MONITOR, "health monitor"}};
    const struct effective *object;
    for (size_t k = 0; k < ARRAY_LENGTH(kinds); k++) {
        for (size_t i = 0; (object = configuration_at(state->configuration, kinds[k].type, i));
             i++) {
            if (!object->effective)
                add(problems, HEALTH_ERROR, "%s %.64s is not in use: %s", kinds[k].noun,
                    object->resource->name,
                    object->reason_text ? object->reason_text
                                        : ineffective_reason_name(object->reason));
        }
    }
}

static void find_in_secrets(const struct node_state *state, struct problem_list *problems)
{
    const struct sensitive_keys keys = secrets_keys(state);
    const struct effective *object;
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_SECRET, i));
         i++) {
        if (!sensitive_has_keys(object->resource, &keys))
            add(problems, HEALTH_DEGRADED,
                "the payload of secret %.64s is sealed with a key that this node does not "
                "have; "
                "set it anew: lbnode secret set --payload-file FILE %.64s",
                object->resource->name, object->resource->name);
    }
}

static bool fails_open(const struct node_state *state, const struct resource *pool)
{
    struct traffic_place place;
    return traffic_find(state, traffic_kind_of(RESOURCE_POOL), &pool->id, &place) &&
           traffic_sum(&place, offsetof(struct pool_counters, fails_open)) > 0;
}

static void find_in_traffic(const struct node_state *state, struct problem_list *problems)
{
    const struct effective *object, *pool;
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_POOL, i));
         i++) {
        if (status_now(state, object->resource) == OPERATING_ERROR)
            add(problems, HEALTH_ERROR, "pool %.64s has no usable member",
                object->resource->name);
        if (fails_open(state, object->resource))
            add(problems, HEALTH_DEGRADED,
                "pool %.64s fails open: fewer members than its fail_open_percent are usable, "
                "so all get traffic, whatever the monitor finds",
                object->resource->name);
    }
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_MEMBER, i));
         i++) {
        if (status_now(state, object->resource) != OPERATING_ERROR)
            continue;
        pool = configuration_find(state->configuration, &object->resource->owner);
        add(problems, HEALTH_DEGRADED, "member %.64s of pool %.64s fails its health monitor",
            object->resource->name, pool ? pool->resource->name : "?");
    }
}

struct key_trouble {
    struct {
        char waits_for[64], known_to[64];
    } of[KEY_PURPOSE_COUNT];
};

static void note_key(void *context, const struct key_summary *key)
{
    struct key_trouble *trouble = context;
    char *waits_for = trouble->of[key->purpose].waits_for;
    char *known_to = trouble->of[key->purpose].known_to;
    if (key->use == KEY_COMING && key->lacks)
        snprintf(waits_for, sizeof(trouble->of[0].waits_for), "%s", key->lacks);
    if (key->use == KEY_IN_USE && key->knows)
        snprintf(known_to, sizeof(trouble->of[0].known_to), "%s", key->knows);
}

/* Whoever was removed has a key until the last node has the next one. */
static void find_in_keys(const struct node_state *state, struct problem_list *problems)
{
    static const char *const names[] = {"the cluster secret", "the data key"};
    struct key_trouble trouble = {0};
    replication_visit_keys(state->replication, note_key, &trouble);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (*trouble.of[i].waits_for && *trouble.of[i].known_to)
            add(problems, HEALTH_DEGRADED,
                "node %s, which was removed, knows %s in use: the next one waits for node %s",
                trouble.of[i].known_to, names[i], trouble.of[i].waits_for);
}

void problems_find(const struct node_state *state, struct problem_list *problems)
{
    unsigned conflicts = 0;
    find_in_membership(state, problems);
    find_leaving(state, problems);
    replication_visit_unaware(state->replication, find_unaware, problems);
    find_in_processes(state, problems);
    if (!replication_was_removed(state->replication)) {
        replication_visit_peers(state->replication, find_in_peer, problems);
        replication_visit_peers(state->replication, find_in_peers_store, problems);
    }
    replication_visit_evidence(state->replication, find_in_evidence, problems);
    replication_visit_conflicts(state->replication, find_in_conflicts, &conflicts);
    if (conflicts > 0)
        add(problems, HEALTH_DEGRADED, "%u open conflict%s; see lbnode conflicts", conflicts,
            conflicts == 1 ? "" : "s");
    find_in_keys(state, problems);
    find_in_vrrp(state, problems);
    find_in_vrids(state, problems);
    find_in_bindings(state, problems);
    find_in_objects(state, problems);
    find_in_secrets(state, problems);
    find_in_traffic(state, problems);
}
