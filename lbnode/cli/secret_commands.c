#include "lbnode/cli/secret_commands.h"

#include "lbnode/base/base64.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not through stdio, whose buffers nobody wipes. One byte more than the most is too much. */
static ssize_t read_all(int fd, uint8_t *out, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t count = read(fd, out + used, size - used);
        if (count < 0 && errno != EINTR)
            return -1;
        if (count == 0)
            break;
        used += count > 0 ? (size_t)count : 0;
    }
    return (ssize_t)used;
}

static bool is_text(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t step = data[i] ? text_utf8_sequence((const char *)data + i, size - i) : 0;
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

static void
set_payload(const struct field *field, uint8_t *data, size_t size, struct json_value *body)
{
    char encoded[BASE64_SIZE(SEALED_MAXIMUM_SIZE) + 1];
    if (is_text(data, size)) {
        data[size] = '\0';
        json_value_set_text(body, field->name, (const char *)data);
        return;
    }
    base64_encode((struct bytes){data, size}, encoded);
    json_value_set_text(body, field->name, encoded);
    json_value_set_text(body, "payload_content_encoding", "base64");
    if (!json_value_get(body, "payload_content_type"))
        json_value_set_text(body, "payload_content_type", "application/octet-stream");
    explicit_bzero(encoded, sizeof(encoded));
}

bool secret_read_file(const struct field *field,
                      const char *path,
                      struct json_value *body,
                      struct error *error)
{
    uint8_t data[SEALED_MAXIMUM_SIZE + 1];
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read_all(fd, data, sizeof(data)) : -1;
    int problem = errno;
    if (fd >= 0 && !is_stdin)
        close(fd);
    bool good = size > 0 && size <= SEALED_MAXIMUM_SIZE;
    if (good)
        set_payload(field, data, (size_t)size, body);
    else if (size < 0)
        error_set(error, ERROR_INVALID, "%s: %s", path, strerror(problem));
    else if (size == 0)
        error_set(error, ERROR_INVALID, "%s is empty", path);
    else
        error_set(error, ERROR_TOO_LARGE, "%s is larger than %d bytes", path,
                  SEALED_MAXIMUM_SIZE);
    explicit_bzero(data, sizeof(data));
    return good;
}

bool run_secret_create(struct context *context, struct error *error)
{
    struct json_value *body = json_value_object();
    json_value_set_text(body, "name", context->arguments.positional[0]);
    return cli_create(context, body, error);
}

bool run_secret_show(struct context *context, struct error *error)
{
    char id[UUID_TEXT_SIZE], target[TARGET_SIZE];
    struct response response;
    if (!arguments_has(&context->arguments, "payload"))
        return run_resource_show(context, error);
    if (!lookup_id(&context->client, context->class, NULL, context->arguments.positional[0], id,
                   error))
        return false;
    snprintf(target, sizeof(target), "/v1/secrets/%s/payload", id);
    bool good = client_request(&context->client, "GET", target, NULL, &response, error);
    if (good && fwrite(text_string(&response.body), 1, response.body.length, stdout) !=
                    response.body.length)
        good = error_set(error, ERROR_INTERNAL, "cannot write: %s", strerror(errno));
    response_free(&response);
    return good;
}
