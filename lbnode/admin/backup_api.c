/* Pages of a backup, and merging one back: bytes as hexadecimal text. What is in them and how
 * a file is made of them is the command line's business. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_request.h"
#include "lbnode/base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
    RESTORE_RECORDS = 4096 /* in one request */
};

/* Malloc'd bytes of hexadecimal TEXT into OUT; false when it is none. */
static bool from_hex(const char *text, struct bytes *out)
{
    size_t size = text ? strlen(text) / 2 : 0;
    uint8_t *bytes = text ? malloc(size + 1) : NULL;
    *out = (struct bytes){0};
    if (!bytes || strlen(text) % 2 != 0 || !bytes_from_hex(text, bytes, size)) {
        free(bytes);
        return false;
    }
    *out = (struct bytes){bytes, size};
    return true;
}

static void free_bytes(struct bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static void set_hex(struct json_value *object, const char *key, struct bytes bytes)
{
    char *text = malloc(2 * bytes.size + 1);
    if (!text)
        return;
    bytes_to_hex(bytes, text);
    json_value_set_text(object, key, text);
    free(text);
}

/* ---- backup ----------------------------------------------------------------------------- */

void backup_page(struct admin_request *request)
{
    struct error error = {0};
    struct wire_writer page = {0}, next = {0};
    struct bytes have = {0};
    bool more = false;
    const struct json_value *root = admin_request_root(request, "backup", &error);
    const struct json_value *given = json_value_get(root, "have");
    bool good = root && (json_value_is_null(given) || from_hex(json_value_text(given), &have) ||
                         error_invalid_field(&error, "have", "",
                                             "Value should be what the page before gave"));
    good = good && replication_backup_page(request->state->replication, have, &page, &next,
                                           &more, &error);
    if (good) {
        struct json_value *answer = json_value_object();
        set_hex(answer, "page", wire_written(&page));
        set_hex(answer, "have", wire_written(&next));
        json_value_set_bool(answer, "more", more);
        admin_answer_wrapped(request, 200, "backup", answer);
    } else {
        admin_answer_error(request, &error);
    }
    free_bytes(have);
    wire_writer_free(&page);
    wire_writer_free(&next);
}

/* ---- restore ---------------------------------------------------------------------------- */

static void restored(void *context, const struct restore_result *result)
{
    struct admin_request *request = context;
    if (!admin_request_resume(request))
        return;
    if (result->error.kind != ERROR_NONE) {
        admin_answer_error(request, &result->error);
        return;
    }
    struct json_value *answer = json_value_object();
    json_value_set_number(answer, "offered", (int64_t)result->offered);
    json_value_set_number(answer, "merged", (int64_t)result->merged);
    admin_answer_wrapped(request, 200, "restore", answer);
}

struct restore_body {
    struct bytes genesis, records[RESTORE_RECORDS];
    size_t count;
};

static void restore_body_free(struct restore_body *body)
{
    for (size_t i = 0; body && i < body->count; i++)
        free_bytes(body->records[i]);
    if (body)
        free_bytes(body->genesis);
    free(body);
}

static bool
read_body(const struct admin_request *request, struct restore_body *out, struct error *error)
{
    const struct json_value *root = admin_request_root(request, "restore", error);
    const struct json_value *records = json_value_get(root, "records");
    if (!root)
        return false;
    if (!from_hex(json_value_get_text(root, "genesis"), &out->genesis))
        return error_invalid_field(error, "genesis", "", "Value should be hexadecimal");
    if (json_value_kind(records) != JSON_KIND_ARRAY ||
        json_value_count(records) > RESTORE_RECORDS)
        return error_invalid_field(error, "records", "",
                                   "Value should be a list of up to 4096");
    for (size_t i = 0; i < json_value_count(records); i++) {
        if (!from_hex(json_value_text(json_value_at(records, i)), &out->records[i]))
            return error_invalid_field(error, "records", "", "Value should be hexadecimal");
        out->count++;
    }
    return true;
}

void restore_merge(struct admin_request *request)
{
    struct error error = {0};
    struct restore_body *body = calloc(1, sizeof(*body));
    if (!body) {
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    if (read_body(request, body, &error)) {
        request->held = true;
        replication_restore(request->state->replication, body->genesis, body->records,
                            body->count, restored, request);
    } else {
        admin_answer_error(request, &error);
    }
    restore_body_free(body);
}
