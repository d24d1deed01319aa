/* The secret keys of the cluster: what they are called, how old they are, who lacks them; and
 * making new ones. Never the keys themselves. */
#include "lbnode/admin/admin_change.h"
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_request.h"
#include "lbnode/admin/keys_view.h"
#include "lbnode/base/monotime.h"

#include <string.h>

/* In the order of enum key_purpose, and of enum key_use. */
static const char *const purposes[] = {"CLUSTER_SECRET", "DATA_KEY"};
static const char *const uses[] = {"IN_USE", "COMING", "GOING"};

static void append_key(void *context, const struct key_summary *key)
{
    struct json_value *list = context, *object = json_value_object();
    char created[WALLTIME_TEXT_SIZE];
    uint64_t now_ms = walltime_now_ms();
    uint64_t age_ms = now_ms > key->created_ms ? now_ms - key->created_ms : 0;
    walltime_format(key->created_ms, created);
    json_value_set_text(object, "id", key->id);
    json_value_set_text(object, "purpose", purposes[key->purpose]);
    json_value_set_text(object, "state", uses[key->use]);
    json_value_set_text(object, "created_at", created);
    json_value_set_number(object, "age_s", (int64_t)(age_ms / 1000));
    json_value_set_text(object, "waits_for", key->lacks);
    json_value_set_text(object, "known_to", key->knows);
    json_value_append(list, object);
}

struct json_value *keys_view_list(const struct node_state *state)
{
    struct json_value *list = json_value_array();
    replication_visit_keys(state->replication, append_key, list);
    return list;
}

static void answer_keys(struct admin_request *request)
{
    int status = request->change ? request->change->status : 200;
    admin_answer_wrapped(request, status, "keys", keys_view_list(request->state));
}

void keys_list(struct admin_request *request)
{
    answer_keys(request);
}

/* Without a purpose both. */
static bool read_purposes(const struct json_value *root, unsigned *out, struct error *error)
{
    const struct json_value *value = json_value_get(root, "purpose");
    const char *text = json_value_text(value);
    *out = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(purposes); i++)
        if (json_value_is_null(value) || (text && strcmp(text, purposes[i]) == 0))
            *out |= 1u << i;
    return *out || error_invalid_field(error, "purpose", text ? text : "",
                                       "Value should be one of: CLUSTER_SECRET, DATA_KEY");
}

void keys_rotate(struct admin_request *request)
{
    struct error error = {0};
    unsigned wanted = 0;
    const struct json_value *root = admin_request_root(request, "keys", &error);
    if (root && !replication_is_initialised(request->state->replication))
        error_set(&error, ERROR_CONFLICT,
                  "this node is in no cluster yet: start one with lbnode init");
    else if (root && read_purposes(root, &wanted, &error)) {
        admin_change_rotate_keys(request, wanted, answer_keys);
        return;
    }
    admin_answer_error(request, &error);
}
