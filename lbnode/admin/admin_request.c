#include "lbnode/admin/admin_request.h"

#include "lbnode/admin/admin_change.h"
#include "lbnode/admin/admin_connection.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct admin_request *admin_request_new(struct admin_connection *connection,
                                        const struct node_state *state,
                                        struct loop *loop)
{
    struct admin_request *request = calloc(1, sizeof(*request));
    if (!request)
        return NULL;
    request->connection = connection;
    request->state = state;
    request->loop = loop;
    request->via = "api";
    request->answer.limit = ADMIN_ANSWER_LIMIT;
    request->headers.limit = 8192;
    request->content_type = "application/json";
    return request;
}

static void request_free(struct admin_request *request)
{
    loop_timer_stop(&request->timer);
    admin_change_free(request->change);
    json_value_free(request->owned_body);
    text_free(&request->headers);
    text_free(&request->answer);
    free(request);
}

void admin_request_abandon(struct admin_request *request)
{
    request->connection = NULL;
    request->on_event = NULL;
    loop_timer_stop(&request->timer);
    if (!request->held)
        request_free(request);
}

bool admin_request_resume(struct admin_request *request)
{
    request->held = false;
    if (request->connection)
        return true;
    request_free(request);
    return false;
}

void admin_request_header(struct admin_request *request, const char *name, const char *value)
{
    text_appendf(&request->headers, "%s: ", name);
    for (const char *c = value; *c; c++) {
        bool visible = (unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f;
        text_append(&request->headers, visible ? c : "?", 1);
    }
    text_append_string(&request->headers, "\r\n");
}

const struct json_value *
admin_request_root(const struct admin_request *request, const char *tag, struct error *error)
{
    const struct json_value *root = json_value_get(request->body, tag);
    if (json_value_kind(root) == JSON_KIND_OBJECT && json_value_count(request->body) == 1)
        return root;
    error_set(error, ERROR_INVALID,
              "Validation failure: the body must be one JSON object {\"%s\": {...}}", tag);
    return NULL;
}

bool admin_request_flag(const struct admin_request *request, const char *name)
{
    static const char *const spellings[] = {"true", "1", "yes", "on", "t", "y"};
    const char *value = http_url_parameter(&request->url, name);
    for (size_t i = 0; value && i < ARRAY_LENGTH(spellings); i++) {
        if (strcasecmp(value, spellings[i]) == 0)
            return true;
    }
    return false;
}

static void finish(struct admin_request *request, int status)
{
    request->status = status;
    if (request->connection)
        admin_connection_answered(request->connection, request);
    request_free(request);
}

void admin_answer_json(struct admin_request *request, int status, struct json_value *value)
{
    char *printed = json_value_print(value, 0);
    json_value_free(value);
    text_append_string(&request->answer, printed ? printed : "");
    text_append_string(&request->answer, "\n");
    if (!printed)
        request->answer.overflowed = true;
    else if (request->answer.wipes)
        explicit_bzero(printed, strlen(printed));
    free(printed);
    finish(request, status);
}

void admin_answer_wrapped(struct admin_request *request,
                          int status,
                          const char *tag,
                          struct json_value *value)
{
    struct json_value *root = json_value_object();
    json_value_set(root, tag, value);
    admin_answer_json(request, status, root);
}

void admin_answer_text(struct admin_request *request,
                       int status,
                       const char *content_type,
                       struct text *text)
{
    text_free(&request->answer);
    request->answer = *text;
    *text = (struct text){0};
    request->content_type = content_type;
    finish(request, status);
}

void admin_answer_empty(struct admin_request *request, int status)
{
    finish(request, status);
}

void admin_answer_error(struct admin_request *request, const struct error *error)
{
    admin_answer_fault(request, error_http_status(error->kind), error->kind, error->text);
}

void admin_answer_fault(struct admin_request *request,
                        int status,
                        enum error_kind kind,
                        const char *sentence)
{
    admin_request_header(request, "X-Lbnode-Error", admin_error_name(kind));
    admin_answer_json(request, status, admin_error_body(status, sentence));
}

const char *admin_error_name(enum error_kind kind)
{
    static const char *const names[] = {
        [ERROR_NONE] = "NONE",
        [ERROR_INVALID] = "INVALID",
        [ERROR_USAGE] = "USAGE",
        [ERROR_NOT_FOUND] = "NOT_FOUND",
        [ERROR_CONFLICT] = "CONFLICT",
        [ERROR_REFUSED] = "REFUSED",
        [ERROR_UNREPLICATED] = "UNREPLICATED",
        [ERROR_UNREACHABLE] = "UNREACHABLE",
        [ERROR_TOO_LARGE] = "TOO_LARGE",
        [ERROR_UNAVAILABLE] = "UNAVAILABLE",
        [ERROR_INTERNAL] = "INTERNAL",
    };
    return (size_t)kind < ARRAY_LENGTH(names) ? names[kind] : "INTERNAL";
}

struct json_value *admin_error_body(int status, const char *sentence)
{
    struct json_value *body = json_value_object();
    json_value_set_text(body, "faultcode", status < 500 ? "Client" : "Server");
    json_value_set_text(body, "faultstring", sentence);
    json_value_set(body, "debuginfo", json_value_null());
    return body;
}
