/* Starting a cluster, inviting nodes into it, joining one. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_request.h"
#include "lbnode/admin/keys_view.h"
#include "lbnode/admin/vrid_choice.h"

#include <stdlib.h>
#include <string.h>

enum {
    CLUSTER_NAME_MAXIMUM = 63
};

static void set_cluster(struct json_value *object, const struct node_state *state)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(replication_cluster_id(state->replication), id);
    json_value_set_text(object, "id", id);
    json_value_set_text(object, "name", replication_cluster_name(state->replication));
}

void cluster_show(struct admin_request *request)
{
    struct json_value *cluster = json_value_object();
    bool initialised = replication_is_initialised(request->state->replication);
    char node_id[UUID_TEXT_SIZE];
    uuid_format(replication_node_id(request->state->replication), node_id);
    json_value_set_bool(cluster, "initialised", initialised);
    json_value_set_text(cluster, "node_id", node_id);
    if (initialised)
        set_cluster(cluster, request->state);
    json_value_set(cluster, "keys", keys_view_list(request->state));
    admin_answer_wrapped(request, 200, "cluster", cluster);
}

/* ---- a new cluster -------------------------------------------------------------------------
 */

struct founding {
    struct admin_request *request;
    char recovery_code[RECOVERY_CODE_SIZE];
};

static void founding_free(struct founding *founding)
{
    explicit_bzero(founding, sizeof(*founding));
    free(founding);
}

static void founded(void *context, const struct error *error)
{
    struct founding *founding = context;
    struct admin_request *request = founding->request;
    char token[JOIN_TOKEN_SIZE];
    if (!admin_request_resume(request)) {
        founding_free(founding);
        return;
    }
    if (error->kind != ERROR_NONE) {
        admin_answer_error(request, error);
    } else {
        struct json_value *cluster = json_value_object();
        set_cluster(cluster, request->state);
        json_value_set_text(cluster, "recovery_code", founding->recovery_code);
        bool invited = replication_token_create(request->state->replication,
                                                TOKEN_TTL_DEFAULT_S, token, NULL);
        json_value_set_text(cluster, "join_token", invited ? token : NULL);
        json_value_set_number(cluster, "join_token_ttl_s", TOKEN_TTL_DEFAULT_S);
        explicit_bzero(token, sizeof(token));
        request->answer.wipes = true;
        admin_answer_wrapped(request, 201, "cluster", cluster);
    }
    founding_free(founding);
}

static bool
read_cluster_name(const struct admin_request *request, const char **out, struct error *error)
{
    const struct json_value *root = admin_request_root(request, "cluster", error);
    if (!root)
        return false;
    const struct json_value *value = json_value_get(root, "name");
    *out = json_value_is_null(value) ? replication_node_name(request->state->replication)
                                     : json_value_text(value);
    if (!*out || !**out || strlen(*out) > CLUSTER_NAME_MAXIMUM ||
        !text_is_clean_utf8(*out, strlen(*out)))
        return error_invalid_field(error, "name", *out ? *out : "",
                                   "Value should be a name of 1 to 63 bytes");
    if (replication_is_initialised(request->state->replication))
        return error_set(error, ERROR_CONFLICT, "this node is already in a cluster, '%.64s'",
                         replication_cluster_name(request->state->replication));
    return true;
}

void cluster_create(struct admin_request *request)
{
    struct error error = {0};
    const char *name;
    if (!read_cluster_name(request, &name, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    struct founding *founding = calloc(1, sizeof(*founding));
    if (!founding) {
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    founding->request = request;
    request->held = true;
    vrid_avoid_heard(request->state);
    if (!replication_init(request->state->replication, name, founding->recovery_code, founded,
                          founding, &error)) {
        request->held = false;
        founding_free(founding);
        admin_answer_error(request, &error);
    }
}

/* ---- joining -------------------------------------------------------------------------------
 */

static void joined(void *context, const struct error *error)
{
    struct admin_request *request = context;
    char id[UUID_TEXT_SIZE];
    if (!admin_request_resume(request))
        return;
    if (error->kind != ERROR_NONE) {
        admin_answer_error(request, error);
        return;
    }
    struct replication *replication = request->state->replication;
    struct json_value *answer = json_value_object();
    char fingerprint[JOIN_FINGERPRINT_SIZE];
    bool has_fingerprint =
        replication_fingerprint(replication, replication_node_id(replication), fingerprint);
    uuid_format(replication_cluster_id(replication), id);
    json_value_set_text(answer, "cluster_id", id);
    json_value_set_text(answer, "cluster_name", replication_cluster_name(replication));
    json_value_set_text(answer, "node_name", replication_node_name(replication));
    json_value_set_text(answer, "fingerprint", has_fingerprint ? fingerprint : NULL);
    admin_answer_wrapped(request, 200, "join", answer);
}

void cluster_join(struct admin_request *request)
{
    struct error error = {0};
    const struct json_value *root = admin_request_root(request, "join", &error);
    const char *token = json_value_get_text(root, "token");
    if (root && (!token || !*token))
        error_invalid_field(&error, "token", "None", "Mandatory field missing.");
    else if (root && strlen(token) >= JOIN_TOKEN_SIZE)
        error_set(&error, ERROR_INVALID,
                  "Invalid input for field/attribute token. It is too long to be a join token; "
                  "copy it again from lbnode token create");
    if (error.kind != ERROR_NONE) {
        admin_answer_error(request, &error);
        return;
    }
    request->held = true;
    replication_join(request->state->replication, token, joined, request);
}
