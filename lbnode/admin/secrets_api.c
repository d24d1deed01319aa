/* Secrets, in the shape of Barbican's API. The generic handlers do the most of it
 * (resource_api.c); here is what concerns the payload. */
#include "lbnode/admin/secrets_api.h"

#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/resource_api.h"
#include "lbnode/base/base64.h"
#include "lbnode/crypto/crypto.h"

#include <stdio.h>
#include <string.h>

struct sensitive_keys secrets_keys(const struct node_state *state)
{
    struct sensitive_keys keys = {0};
    keys.count = replication_data_keys(state->replication, keys.keys, SENSITIVE_KEYS_MAXIMUM);
    return keys;
}

bool secrets_take_encoding(struct json_value *object, bool *out_is_base64, struct error *error)
{
    static const char key[] = "payload_content_encoding";
    const struct json_value *value = json_value_get(object, key);
    const char *text = json_value_text(value);
    *out_is_base64 = text && strcmp(text, "base64") == 0;
    if (!json_value_is_null(value) && !*out_is_base64)
        return error_invalid_field(error, key, text ? text : "",
                                   "Value should be one of: base64");
    if (*out_is_base64 && json_value_is_null(json_value_get(object, "payload")))
        return error_invalid_field(error, key, "base64", "There is no payload with it");
    json_value_remove(object, key);
    return true;
}

/* In its place: what is decoded is shorter. */
static bool decode(struct secret *secret, struct error *error)
{
    struct sealed_value *payload = &secret->payload;
    size_t size;
    if (!base64_decode(sealed_value_bytes(payload), payload->data, &size) || size == 0)
        return error_set(error, ERROR_INVALID,
                         "Invalid input for field/attribute payload. It is not base64");
    secret_wipe(payload->data + size, payload->size - size);
    payload->size = size;
    return true;
}

bool secrets_seal(const struct admin_request *request,
                  struct resource *resource,
                  const struct resource *before,
                  bool is_base64,
                  struct error *error)
{
    struct sensitive_keys keys = secrets_keys(request->state);
    if (is_base64 && resource->type == RESOURCE_SECRET &&
        !decode((struct secret *)resource, error))
        return false;
    return sensitive_seal(resource, before, &keys, error);
}

void secrets_add_reference(const struct admin_request *request, struct json_value *view)
{
    char address[ADMIN_HOST_SIZE + 64];
    const char *id = json_value_get_text(view, "id");
    snprintf(address, sizeof(address), "http://%s/v1/secrets/%s", request->host, id ? id : "");
    json_value_set_text(view, "secret_ref", address);
}

/* Whoever is root on this host could read the node's key as well. */
static bool may_read(const struct admin_request *request, struct error *error)
{
    return strcmp(request->author, "root") == 0 ||
           error_set(error, ERROR_REFUSED,
                     "a payload is given to root over the local socket only");
}

void secret_payload(struct admin_request *request)
{
    struct error error = {0};
    struct text text = {.wipes = true};
    size_t size = 0;
    uint8_t *plain = NULL;
    const struct effective *object =
        may_read(request, &error)
            ? resource_api_find(request, RESOURCE_SECRET, request->parameters[0], &error)
            : NULL;
    if (object) {
        const struct field *field = field_find(resource_class_of(RESOURCE_SECRET), "payload");
        struct sensitive_keys keys = secrets_keys(request->state);
        plain = sensitive_open(object->resource, field, &keys, &size, &error);
    }
    if (!plain) {
        admin_answer_error(request, &error);
        return;
    }
    text_append(&text, (const char *)plain, size);
    secret_free(plain);
    admin_answer_text(request, 200,
                      ((const struct secret *)object->resource)->payload_content_type, &text);
}
