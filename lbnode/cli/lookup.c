#include "lbnode/cli/lookup.h"

#include "lbnode/base/suggestion.h"
#include "lbnode/http/http_url.h"

#include <stdio.h>
#include <string.h>

enum {
    NAME_MAXIMUM = 255 * 4
};

void lookup_path(const struct resource_class *class,
                 const char *owner_id,
                 char out[TARGET_SIZE])
{
    const char *version = strncmp(class->path, "/lbaas/", 7) == 0 ? "/v2.0" : "/v1";
    const char *hole = strchr(class->path, '%');
    if (hole)
        snprintf(out, TARGET_SIZE, "%s%.*s%s%s", version, (int)(hole - class->path),
                 class->path, owner_id ? owner_id : "", hole + 1);
    else
        snprintf(out, TARGET_SIZE, "%s%s", version, class->path);
}

const char *lookup_word(const struct resource_class *class)
{
    return strchr(class->noun, '_') && class->short_noun ? class->short_noun : class->noun;
}

/* How many objects have KEY = VALUE; a copy of the first in OUT_FIRST. False on failure. */
static bool query(const struct client *client,
                  const struct resource_class *class,
                  const char *owner_id,
                  const char *key,
                  const char *value,
                  struct json_value **out_first,
                  size_t *out_count,
                  struct error *error)
{
    char path[TARGET_SIZE], encoded[3 * NAME_MAXIMUM + 1],
        target[2 * TARGET_SIZE + 2 * NAME_MAXIMUM];
    struct response response;
    lookup_path(class, owner_id, path);
    http_url_encode(value, encoded);
    snprintf(target, sizeof(target), "%s?%s=%s", path, key, encoded);
    bool good = client_request(client, "GET", target, NULL, &response, error);
    if (good) {
        const struct json_value *list = json_value_get(response.json, class->plural);
        for (size_t i = 0; i < json_value_count(list); i++) {
            const char *text = json_value_get_text(json_value_at(list, i), key);
            if (text && strcmp(text, value) == 0 && (*out_count)++ == 0)
                *out_first = json_value_copy(json_value_at(list, i));
        }
    }
    response_free(&response);
    return good;
}

static bool not_found(const struct client *client,
                      const struct resource_class *class,
                      const char *owner_id,
                      const char *name,
                      struct error *error)
{
    char path[TARGET_SIZE];
    struct response response;
    struct suggestion suggestion;
    lookup_path(class, owner_id, path);
    suggestion_init(&suggestion, name);
    if (client_request(client, "GET", path, NULL, &response, NULL)) {
        const struct json_value *list = json_value_get(response.json, class->plural);
        for (size_t i = 0; i < json_value_count(list); i++) {
            const char *candidate = json_value_get_text(json_value_at(list, i), "name");
            if (candidate)
                suggestion_offer(&suggestion, candidate);
        }
    }
    if (suggestion.nearest)
        error_set(error, ERROR_NOT_FOUND, "there is no %s %s; did you mean %s?",
                  lookup_word(class), name, suggestion.nearest);
    else
        error_set(error, ERROR_NOT_FOUND, "there is no %s %s", lookup_word(class), name);
    response_free(&response);
    return false;
}

struct json_value *lookup_object(const struct client *client,
                                 const struct resource_class *class,
                                 const char *owner_id,
                                 const char *name_or_id,
                                 struct error *error)
{
    struct uuid id;
    bool looks_like_id = uuid_parse(name_or_id, &id);
    if (*name_or_id ==
        '\0') { /* an unset variable of a script, not the object without a name */
        error_set(error, ERROR_USAGE, "the name or id of a %s is empty", lookup_word(class));
        return NULL;
    }
    if (strlen(name_or_id) > NAME_MAXIMUM) {
        error_set(error, ERROR_USAGE, "a name has at most 255 characters");
        return NULL;
    }
    for (int attempt = looks_like_id ? 0 : 1; attempt < 2; attempt++) {
        struct json_value *first = NULL;
        size_t count = 0;
        const char *key = attempt == 0 ? "id" : "name";
        if (!query(client, class, owner_id, key, name_or_id, &first, &count, error))
            return NULL;
        if (count == 1)
            return first;
        json_value_free(first);
        if (count > 1) {
            error_set(
                error, ERROR_CONFLICT,
                "%zu objects of kind %s have the name %s; give the id of the one you mean",
                count, lookup_word(class), name_or_id);
            return NULL;
        }
    }
    not_found(client, class, owner_id, name_or_id, error);
    return NULL;
}

bool lookup_id(const struct client *client,
               const struct resource_class *class,
               const char *owner_id,
               const char *name_or_id,
               char out[UUID_TEXT_SIZE],
               struct error *error)
{
    struct json_value *object = lookup_object(client, class, owner_id, name_or_id, error);
    const char *id = json_value_get_text(object, "id");
    if (object && !id)
        error_set(error, ERROR_INTERNAL, "the answer has no id");
    if (id)
        snprintf(out, UUID_TEXT_SIZE, "%s", id);
    json_value_free(object);
    return id != NULL;
}
