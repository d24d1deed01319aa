#include "lbnode/admin/health_view.h"

#include "lbnode/admin/eligibility_view.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/admin/status_view.h"
#include "lbnode/admin/traffic.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/text.h"

#include <string.h>

/* ---- whose word counts --------------------------------------------------------------------
 */

static const struct effective *owner_of(const struct node_state *state,
                                        const struct resource *resource,
                                        enum resource_type type)
{
    const struct effective *owner = configuration_find(state->configuration, &resource->owner);
    return owner && owner->resource->type == type ? owner : NULL;
}

static const struct vrrp_group *group_of(const struct node_state *state,
                                         const struct resource *member)
{
    const struct effective *pool = owner_of(state, member, RESOURCE_POOL);
    const struct effective *balancer =
        pool ? owner_of(state, pool->resource, RESOURCE_LOAD_BALANCER) : NULL;
    return balancer ? configuration_group_of(state->configuration,
                                             (const struct load_balancer *)balancer->resource)
                    : NULL;
}

/* The node that is active for MEMBER's load balancer; false: nobody is known to be. */
static bool
find_decider(const struct node_state *state, const struct resource *member, struct uuid *out)
{
    const struct vrrp_group *group = group_of(state, member);
    for (size_t i = 0; group && i < state->vrrp_count; i++)
        if (uuid_equal(&state->vrrp[i].group_id, &group->resource.id) &&
            eligibility_find_owner(state, &state->vrrp[i], out))
            return true;
    return false;
}

/* ---- views --------------------------------------------------------------------------------
 */

static int64_t ms_ago(uint64_t wall_ms, uint64_t now_ms)
{
    if (wall_ms == 0)
        return HEALTH_NEVER_MS;
    return now_ms > wall_ms ? (int64_t)(now_ms - wall_ms) : 0;
}

const struct verdict_slot *health_slot_of(const struct node_state *state,
                                          const struct uuid *member_id)
{
    uint32_t number, incarnation;
    if (!state->slots || !state->verdicts ||
        !slot_map_find(state->slots, member_id, &number, &incarnation) ||
        number >= MEMBER_SLOTS)
        return NULL;
    const struct verdict_slot *slot = &state->verdicts->slots[number];
    return (uint32_t)(atomic_load(&slot->word) >> 32) == incarnation ? slot : NULL;
}

/* Its own verdict as peers get it; before there is one, what it goes by instead. */
static void
read_own(const struct node_state *state, const struct uuid *member_id, struct health_view *out)
{
    const struct verdict_slot *slot = health_slot_of(state, member_id);
    uint64_t now_ms = walltime_now_ms();
    if (!slot)
        return;
    uint64_t word = atomic_load(&slot->word);
    out->state = verdict_word_own(word);
    if (out->state == VERDICT_UNKNOWN) {
        out->state = verdict_word_state(word);
        out->imported = verdict_word_is_imported(word);
    }
    out->probes = atomic_load(&slot->probes);
    out->failures = atomic_load(&slot->failures);
    out->history = atomic_load(&slot->history);
    out->since_ms_ago = ms_ago(atomic_load(&slot->since_wall_ms), now_ms);
    out->reason =
        (enum verdict_reason)atomic_load(&slot->reason); /* also why it cannot probe */
    if (out->probes == 0)
        return;
    out->last_failed = !(out->history & 1);
    out->status = atomic_load(&slot->last_status);
    out->round_trip_us = atomic_load(&slot->round_trip_us);
    out->probed_ms_ago = ms_ago(atomic_load(&slot->probed_wall_ms), now_ms);
}

static int64_t known_age(uint32_t age_ms)
{
    return age_ms == UINT32_MAX ? HEALTH_NEVER_MS : (int64_t)age_ms;
}

static void
read_peer(const struct node_state *state, const struct uuid *member_id, struct health_view *out)
{
    struct shared_verdict verdict;
    if (!state->peer_verdict ||
        !state->peer_verdict(state->peer_verdict_context, &out->node_id, member_id, &verdict))
        return;
    out->state = (enum verdict_state)verdict.state;
    out->last_failed = verdict.last_failed;
    out->reason = (enum verdict_reason)verdict.reason;
    out->status = verdict.status;
    out->round_trip_us = verdict.round_trip_ms * 1000u;
    out->since_ms_ago = known_age(verdict.age_ms);
    out->probed_ms_ago = known_age(verdict.probe_age_ms);
}

static void read_view(const struct node_state *state,
                      const struct uuid *member_id,
                      struct health_view *view)
{
    view->since_ms_ago = view->probed_ms_ago = HEALTH_NEVER_MS;
    if (view->is_self)
        read_own(state, member_id, view);
    else
        read_peer(state, member_id, view);
}

void health_decision(const struct node_state *state,
                     const struct uuid *member_id,
                     struct health_view *out)
{
    const struct effective *member = configuration_find(state->configuration, member_id);
    *out = (struct health_view){.decides = true};
    if (member && find_decider(state, member->resource, &out->node_id) &&
        !node_view_is_self(state, &out->node_id))
        read_view(state, member_id, out);
    if (out->state != VERDICT_UNKNOWN)
        return;
    *out = (struct health_view){.is_self = true, .decides = true};
    read_view(state, member_id, out);
}

enum verdict_state health_decided(const struct node_state *state, const struct uuid *member_id)
{
    struct health_view view;
    health_decision(state, member_id, &view);
    return view.state;
}

static void complete(const struct node_state *state,
                     const struct effective *node,
                     const struct uuid *decider,
                     struct health_view *view)
{
    struct peer_view peer;
    view->node_id = node->resource->id;
    view->node = node->resource->name;
    view->decides = uuid_equal(decider, &view->node_id);
    view->answers = view->is_self || (node_view_peer(state, &view->node_id, &peer) &&
                                      peer.state == PEER_IS_ALIVE);
}

void health_visit(const struct node_state *state,
                  const struct effective *member,
                  void (*visit)(void *context, const struct health_view *view),
                  void *context)
{
    const struct effective *node;
    const struct uuid *own_id = replication_node_id(state->replication);
    struct health_view own = {.is_self = true, .answers = true};
    struct uuid decider = {{0}};
    if (!find_decider(state, member->resource, &decider))
        decider = *own_id;
    own.node_id = *own_id;
    own.node = replication_node_name(state->replication);
    own.decides = uuid_equal(&decider, own_id);
    read_view(state, &member->resource->id, &own);
    visit(context, &own);
    for (size_t i = 0; (node = configuration_at(state->configuration, RESOURCE_NODE, i)); i++) {
        struct health_view view = {0};
        if (((const struct node *)node->resource)->status != NODE_ACTIVE ||
            node_view_is_self(state, &node->resource->id))
            continue;
        complete(state, node, &decider, &view);
        read_view(state, &member->resource->id, &view);
        visit(context, &view);
    }
}

/* ---- words --------------------------------------------------------------------------------
 */

void health_words(const struct node_state *state,
                  const struct effective *member,
                  const struct health_view *view,
                  char out[HEALTH_REASON_TEXT_SIZE])
{
    const struct health_monitor *monitor =
        configuration_monitor_of(state->configuration, &member->resource->owner);
    out[0] = '\0';
    bool cannot_probe = view->reason == VERDICT_REASON_NO_ICMP_SOCKET;
    if (view->state == VERDICT_ERROR || view->last_failed || cannot_probe)
        health_reason_text(out, view->reason, view->last_failed ? view->status : 0, monitor);
}

struct comparison {
    const struct node_state *state;
    const struct effective *member;
    struct text text;
    enum verdict_state first;
    bool differs;
};

static void compare(void *context, const struct health_view *view)
{
    static const char *const names[] = {
        [VERDICT_UNKNOWN] = "UNKNOWN", [VERDICT_ONLINE] = "ONLINE", [VERDICT_ERROR] = "ERROR"};
    struct comparison *comparison = context;
    char words[HEALTH_REASON_TEXT_SIZE] = "";
    if (view->state == VERDICT_UNKNOWN || !view->answers)
        return;
    if (comparison->first == VERDICT_UNKNOWN)
        comparison->first = view->state;
    comparison->differs = comparison->differs || view->state != comparison->first;
    if (view->state == VERDICT_ERROR)
        health_words(comparison->state, comparison->member, view, words);
    text_appendf(&comparison->text, "%s%s %s%s%s", comparison->text.length > 0 ? ", " : "",
                 view->node, names[view->state], words[0] ? ": " : "", words);
}

struct json_value *health_differences(const struct node_state *state,
                                      const struct effective *member)
{
    struct comparison comparison = {.state = state, .member = member};
    health_visit(state, member, compare, &comparison);
    struct json_value *said =
        comparison.differs ? json_value_string(text_string(&comparison.text)) : NULL;
    text_free(&comparison.text);
    return said;
}

/* ---- JSON ---------------------------------------------------------------------------------
 */

struct listing {
    const struct node_state *state;
    const struct effective *member;
    uint64_t since_ms, now_ms;
    struct json_value *list;
    const char *decider;
};

static void set_age(struct json_value *object, const char *key, int64_t age_ms)
{
    json_value_set(object, key,
                   age_ms == HEALTH_NEVER_MS ? json_value_null() : json_value_integer(age_ms));
}

static void set_since(struct json_value *object, uint64_t now_ms, int64_t age_ms)
{
    char text[WALLTIME_TEXT_SIZE] = "";
    if (age_ms != HEALTH_NEVER_MS)
        walltime_format(now_ms - (uint64_t)age_ms, text);
    json_value_set_text(object, "since", text[0] ? text : NULL);
    set_age(object, "since_ms_ago", age_ms);
}

/* "1101": the oldest first, 1 for a success. */
static void set_history(struct json_value *object, const struct health_view *view)
{
    char text[HEALTH_HISTORY + 1];
    unsigned count = view->probes < HEALTH_HISTORY ? view->probes : HEALTH_HISTORY;
    for (unsigned i = 0; i < count; i++)
        text[i] = view->history >> (count - 1 - i) & 1 ? '1' : '0';
    text[count] = '\0';
    json_value_set_text(object, "history", text);
    json_value_set_number(object, "probes", view->probes);
    json_value_set_number(object, "failures", view->failures);
}

/* How often this node's traffic cast doubt on the member. */
static uint64_t suspicions_of(const struct node_state *state, const struct effective *member)
{
    struct traffic_place place;
    if (!traffic_find(state, traffic_kind_of(RESOURCE_MEMBER), &member->resource->id, &place))
        return 0;
    return traffic_sum(&place, offsetof(struct member_counters, suspicions));
}

static const char *state_name(enum verdict_state state)
{
    return state == VERDICT_ONLINE ? "ONLINE" : state == VERDICT_ERROR ? "ERROR" : NULL;
}

static void list_view(void *context, const struct health_view *view)
{
    struct listing *listing = context;
    struct json_value *object = json_value_object();
    char words[HEALTH_REASON_TEXT_SIZE];
    bool was_probed = view->probed_ms_ago != HEALTH_NEVER_MS;
    bool answered =
        was_probed && listing->now_ms - (uint64_t)view->probed_ms_ago >= listing->since_ms;
    health_words(listing->state, listing->member, view, words);
    json_value_set_text(object, "node", view->node);
    json_value_set_bool(object, "self", view->is_self);
    json_value_set_bool(object, "decides", view->decides);
    json_value_set_bool(object, "alive", view->answers);
    json_value_set_text(object, "state", state_name(view->state));
    json_value_set_bool(object, "imported", view->imported);
    set_since(object, listing->now_ms, view->since_ms_ago);
    json_value_set_text(object, "reason", words[0] ? words : NULL);
    json_value_set(object, "last_status",
                   view->status ? json_value_integer(view->status) : json_value_null());
    json_value_set(object, "round_trip_ms",
                   was_probed ? json_value_real(view->round_trip_us / 1000.0)
                              : json_value_null());
    set_age(object, "probed_ms_ago", view->probed_ms_ago);
    json_value_set_bool(object, "answered", answered);
    if (was_probed)
        json_value_set_bool(object, "last_succeeded", !view->last_failed);
    else
        json_value_set(object, "last_succeeded", json_value_null());
    if (view->is_self) {
        set_history(object, view);
        json_value_set_number(object, "suspicions",
                              (int64_t)suspicions_of(listing->state, listing->member));
    }
    if (view->decides)
        listing->decider = view->node;
    json_value_append(listing->list, object);
}

struct json_value *health_of_member(const struct node_state *state,
                                    const struct effective *member,
                                    uint64_t since_ms)
{
    struct listing listing = {.state = state,
                              .member = member,
                              .since_ms = since_ms,
                              .now_ms = walltime_now_ms(),
                              .list = json_value_array()};
    struct json_value *root = json_value_object();
    char id[UUID_TEXT_SIZE];
    health_visit(state, member, list_view, &listing);
    uuid_format(&member->resource->id, id);
    json_value_set_text(root, "id", id);
    json_value_set_text(root, "name", member->resource->name);
    json_value_set_text(root, "operating_status", status_name_of(state, member->resource));
    json_value_set_bool(root, "probed", health_is_probed(state, member));
    json_value_set_text(root, "decided_by", listing.decider);
    struct json_value *differences = health_differences(state, member);
    json_value_set(root, "differences", differences ? differences : json_value_null());
    json_value_set(root, "nodes", listing.list);
    return root;
}

bool health_is_probed(const struct node_state *state, const struct effective *member)
{
    const struct health_monitor *monitor =
        configuration_monitor_of(state->configuration, &member->resource->owner);
    return monitor && monitor->resource.admin_state_up && member->effective &&
           member->resource->admin_state_up && health_slot_of(state, &member->resource->id);
}
