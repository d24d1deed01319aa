#include "lbnode/admin/admin_dispatch.h"

#include "lbnode/admin/admin_routes.h"
#include "lbnode/admin/revision.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void copy_bytes(struct bytes from, char *out, size_t size)
{
    size_t length = from.size < size - 1 ? from.size : size - 1;
    if (length > 0)
        memcpy(out, from.data, length);
    out[length] = '\0';
}

static bool
copy_field(const struct http_message *message, const char *name, char *out, size_t size)
{
    const char *buffer = message->input.data;
    const struct http_field *field = http_head_field_named(&message->head, buffer, name);
    out[0] = '\0';
    if (!field)
        return false;
    copy_bytes(http_head_text(buffer, field->value, field->value_length), out, size);
    return true;
}

static bool read_options(struct admin_request *request,
                         const struct http_message *message,
                         struct error *error)
{
    char value[256];
    copy_field(message, "host", request->host, sizeof(request->host));
    if (copy_field(message, "user-agent", value, sizeof(value)) &&
        strncmp(value, "lbnode", 6) == 0)
        request->via = "cli";
    if (copy_field(message, "x-lbnode-require-replica", value, sizeof(value)))
        request->require_replica = strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (copy_field(message, "x-lbnode-change-id", value, sizeof(value)) &&
        !uuid_parse(value, &request->change_id))
        return error_invalid_field(error, "X-Lbnode-Change-Id", value,
                                   "Value should be UUID format");
    request->has_revision = copy_field(message, "x-lbnode-if-rev", value, sizeof(value));
    if (request->has_revision && !revision_parse(value, &request->revision))
        return error_invalid_field(error, "X-Lbnode-If-Rev", value,
                                   "Value should be a revision, 16 hexadecimal digits");
    return true;
}

/* A page of another site that a browser on this machine shows must not change anything here. */
static bool check_origin(const struct admin_request *request,
                         const struct http_message *message,
                         struct error *error)
{
    char origin[ADMIN_HOST_SIZE + 16];
    if (strcmp(request->route->method, "GET") == 0 ||
        !copy_field(message, "origin", origin, sizeof(origin)))
        return true;
    const char *host = strstr(origin, "://");
    return (host && strcmp(host + 3, request->host) == 0) ||
           error_set(error, ERROR_REFUSED,
                     "changes asked for by a page from %.128s are refused; use the page that "
                     "this node itself serves, or the command line",
                     origin);
}

/* The parser quotes what stands at the mistake, which may be a payload. */
static void cut_quotation(char *sentence)
{
    char *quotation = strstr(sentence, " near ");
    if (quotation)
        explicit_bzero(quotation, strlen(quotation));
}

static bool read_body(struct admin_request *request,
                      const struct http_message *message,
                      struct error *error)
{
    const struct text *body = &message->body;
    if (body->length == 0)
        return true;
    request->owned_body = json_value_parse(body->data, body->length, error);
    request->body = request->owned_body;
    if (!request->body)
        cut_quotation(error->text);
    return request->body != NULL;
}

static void answer_no_route(struct admin_request *request,
                            enum admin_route_result result,
                            const char *method,
                            const char *allow)
{
    char sentence[256];
    if (result == ADMIN_ROUTE_NO_METHOD) {
        snprintf(sentence, sizeof(sentence), "Method %.16s is not allowed here; allowed: %s.",
                 method, allow);
        admin_request_header(request, "Allow", allow);
        admin_answer_fault(request, 405, ERROR_INVALID, sentence);
        return;
    }
    admin_answer_fault(request, 404, ERROR_NOT_FOUND,
                       "The resource could not be found: no such path in this API.");
}

void admin_dispatch(struct admin_request *request, const struct http_message *message)
{
    const struct http_head *head = &message->head;
    const char *buffer = message->input.data;
    char method[16], allow[ADMIN_ALLOW_SIZE];
    struct error error = {0};
    if (!http_url_parse(&request->url,
                        http_head_text(buffer, head->target, head->target_length))) {
        admin_answer_fault(request, 400, ERROR_INVALID,
                           "The request target is not a valid path with a query.");
        return;
    }
    copy_bytes(http_head_text(buffer, head->method, head->method_length), method,
               sizeof(method));
    enum admin_route_result result =
        admin_route_find(method, &request->url, &request->route, request->parameters, allow);
    if (result != ADMIN_ROUTE_FOUND) {
        answer_no_route(request, result, method, allow);
        return;
    }
    if (!read_options(request, message, &error) || !check_origin(request, message, &error) ||
        !read_body(request, message, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    request->route->handle(request);
}
