#include "lbnode/admin/node_view.h"

#include "lbnode/base/monotime.h"
#include "lbnode/base/release.h"
#include "lbnode/base/text.h"

#include <stdio.h>

struct search {
    const struct uuid *wanted;
    struct peer_view *out;
    bool found;
};

static void look(void *context, const struct peer_view *peer)
{
    struct search *search = context;
    if (!uuid_equal(&peer->node_id, search->wanted))
        return;
    *search->out = *peer;
    search->found = true;
}

bool node_view_peer(const struct node_state *state,
                    const struct uuid *node_id,
                    struct peer_view *out)
{
    struct search search = {.wanted = node_id, .out = out};
    replication_visit_peers(state->replication, look, &search);
    return search.found;
}

bool node_view_is_self(const struct node_state *state, const struct uuid *node_id)
{
    return uuid_equal(node_id, replication_node_id(state->replication));
}

static const char *peer_state_name(enum peer_state state)
{
    static const char *const names[] = {
        [PEER_NEVER_SEEN] = "never seen",
        [PEER_IS_ALIVE] = "alive",
        [PEER_IS_SUSPECT] = "suspect",
        [PEER_IS_UNREACHABLE] = "unreachable",
    };
    return (size_t)state < ARRAY_LENGTH(names) ? names[state] : "unknown";
}

static const char *node_status_name(int64_t status)
{
    static const char *const names[] = {
        [NODE_ACTIVE] = "ACTIVE",
        [NODE_REMOVED] = "REMOVED",
        [NODE_REVOKED] = "REVOKED",
    };
    return status >= 0 && (size_t)status < ARRAY_LENGTH(names) ? names[status] : "UNKNOWN";
}

/* How it is spoken with: nulls where it is not. */
static void set_session(struct json_value *view, const struct peer_view *peer)
{
    bool has_session = peer && peer->session_ms_ago != UINT64_MAX;
    char key[8];
    snprintf(key, sizeof(key), "%04x", has_session ? peer->key_version : 0);
    json_value_set(view, "session_ms",
                   has_session ? json_value_integer((int64_t)peer->session_ms_ago)
                               : json_value_null());
    json_value_set_text(view, "key", has_session ? key : NULL);
}

static void set_peer(struct json_value *view, const struct peer_view *peer)
{
    bool heard = peer->last_heard_ms_ago != UINT64_MAX;
    json_value_set(view, "spoken_protocol",
                   peer->protocol ? json_value_integer(peer->protocol) : json_value_null());
    json_value_set_bool(view, "alive", peer->state == PEER_IS_ALIVE);
    json_value_set_text(view, "state", peer_state_name(peer->state));
    json_value_set_bool(view, "in_sync", peer->in_sync);
    json_value_set(view, "last_heard_ms",
                   heard ? json_value_integer((int64_t)peer->last_heard_ms_ago)
                         : json_value_null());
    json_value_set_number(view, "round_trip_us", peer->round_trip_us);
    json_value_set_number(view, "changes_behind", peer->changes_behind);
    json_value_set_number(view, "clock_offset_ms", peer->clock_offset_ms);
    json_value_set_text(view, "storage_problem",
                        peer->storage_trouble ? event_code_meaning(EVENT_STORAGE_DEGRADED)
                                              : NULL);
    set_session(view, peer);
}

static void set_self(const struct node_state *state, struct json_value *view)
{
    const char *problem = replication_storage_problem(state->replication);
    json_value_set_text(view, "version", release_version());
    json_value_set(view, "spoken_protocol", json_value_null());
    json_value_set_bool(view, "alive", true);
    json_value_set_text(view, "state", "alive");
    json_value_set_bool(view, "in_sync", true);
    json_value_set_number(view, "last_heard_ms", 0);
    json_value_set_number(view, "round_trip_us", 0);
    json_value_set_number(view, "changes_behind", 0);
    json_value_set_number(view, "clock_offset_ms", 0);
    json_value_set_text(view, "storage_problem", problem[0] ? problem : NULL);
    set_session(view, NULL);
}

struct json_value *node_view(const struct node_state *state, const struct effective *object)
{
    const struct node *node = (const struct node *)object->resource;
    const struct uuid *node_id = &node->resource.id;
    char id[UUID_TEXT_SIZE], joined[WALLTIME_TEXT_SIZE], words[JOIN_FINGERPRINT_SIZE];
    struct json_value *view = json_value_object(), *addresses = json_value_array();
    struct peer_view peer = {.last_heard_ms_ago = UINT64_MAX, .session_ms_ago = UINT64_MAX};
    uuid_format(node_id, id);
    walltime_format(node->resource.created_wall_ms, joined);
    json_value_set_text(view, "id", id);
    json_value_set_text(view, "name", node->resource.name);
    json_value_set_bool(view, "self", node_view_is_self(state, node_id));
    json_value_set_text(view, "address",
                        node->addresses.count > 0 ? node->addresses.items[0] : NULL);
    for (size_t i = 0; i < node->addresses.count; i++)
        json_value_append(addresses, json_value_string(node->addresses.items[i]));
    json_value_set(view, "addresses", addresses);
    json_value_set_text(view, "status", node_status_name(node->status));
    json_value_set_bool(view, "drain", node->drain);
    json_value_set_text(view, "created_at", joined);
    bool has_words = replication_fingerprint(state->replication, node_id, words);
    json_value_set_text(view, "join_fingerprint", has_words ? words : NULL);
    json_value_set_text(view, "version", node->version[0] ? node->version : NULL);
    json_value_set_number(view, "protocol", node->protocol);
    if (node_view_is_self(state, node_id)) {
        set_self(state, view);
        return view;
    }
    node_view_peer(state, node_id, &peer);
    set_peer(view, &peer);
    return view;
}

struct json_value *node_view_versions(const struct node_state *state)
{
    const struct effective *object;
    struct text names = {0}, sentence = {0};
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const struct node *)object->resource;
        if (node->status == NODE_ACTIVE && node->protocol < release_protocol() &&
            !node_view_is_self(state, &node->resource.id))
            text_appendf(&names, "%s%.64s", names.length ? ", " : "", node->resource.name);
    }
    if (names.length > 0)
        text_appendf(&sentence,
                     "nodes of two versions, which work together: %s did not say yet to speak "
                     "replication protocol %u, and is spoken to as by the previous version",
                     text_string(&names), release_protocol());
    struct json_value *value =
        names.length > 0 ? json_value_string(text_string(&sentence)) : json_value_null();
    text_free(&names);
    text_free(&sentence);
    return value;
}

struct json_value *node_view_list(const struct node_state *state, bool removed)
{
    const struct effective *object;
    struct json_value *list = json_value_array();
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_NODE, i));
         i++) {
        if (removed || ((const struct node *)object->resource)->status == NODE_ACTIVE)
            json_value_append(list, node_view(state, object));
    }
    return list;
}
