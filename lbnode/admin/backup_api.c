/* Pages of a backup, and merging one back: bytes as hexadecimal text. What is in them and how
 * a file is made of them is the command line's business. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_request.h"
#include "lbnode/base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
    RESTORE_RECORDS = 4096, /* in one request */
    CLUSTER_NAME_MAXIMUM = 63
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
    bool new_cluster, first, last;
    const char *name; /* of the new cluster; NULL: as before */
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
    const struct json_value *name = json_value_get(root, "name");
    out->new_cluster = json_value_truth(json_value_get(root, "new_cluster"));
    out->first = json_value_truth(json_value_get(root, "first"));
    out->last = json_value_truth(json_value_get(root, "last"));
    out->name = json_value_text(name);
    if (!json_value_is_null(name) &&
        (!out->name || !*out->name || strlen(out->name) > CLUSTER_NAME_MAXIMUM ||
         !text_is_clean_utf8(out->name, strlen(out->name))))
        return error_invalid_field(error, "name", out->name ? out->name : "",
                                   "Value should be a name of 1 to 63 bytes");
    return true;
}

/* ---- a new cluster ----------------------------------------------------------------------- */

struct refounding {
    struct admin_request *request;
    struct refound_result result;
};

static void refounding_free(struct refounding *refounding)
{
    explicit_bzero(refounding, sizeof(*refounding));
    free(refounding);
}

static void refounded(void *context, const struct error *error)
{
    struct refounding *refounding = context;
    struct admin_request *request = refounding->request;
    const struct refound_result *result = &refounding->result;
    if (!admin_request_resume(request)) {
        refounding_free(refounding);
        return;
    }
    if (error->kind != ERROR_NONE) {
        admin_answer_error(request, error);
    } else {
        const struct replication *replication = request->state->replication;
        struct json_value *answer = json_value_object();
        char id[UUID_TEXT_SIZE];
        uuid_format(replication_cluster_id(replication), id);
        json_value_set_number(answer, "offered", (int64_t)result->offered);
        json_value_set_number(answer, "merged", (int64_t)result->applied);
        json_value_set_number(answer, "objects", (int64_t)result->objects);
        json_value_set_text(answer, "cluster_id", id);
        json_value_set_text(answer, "cluster_name", replication_cluster_name(replication));
        json_value_set_text(answer, "recovery_code", result->recovery_code);
        request->answer.wipes = true; /* the recovery code */
        admin_answer_wrapped(request, 201, "restore", answer);
    }
    refounding_free(refounding);
}

static void refound(struct admin_request *request, const struct restore_body *body)
{
    struct replication *replication = request->state->replication;
    struct error error = {0};
    struct refounding *refounding = calloc(1, sizeof(*refounding));
    bool good = refounding || error_set(&error, ERROR_UNAVAILABLE, "out of memory");
    good = good && replication_refound_gather(replication, body->first, body->genesis,
                                              body->records, body->count, &error);
    if (good && !body->last) {
        admin_answer_wrapped(request, 202, "restore", json_value_object());
    } else if (good) {
        refounding->request = request;
        request->held = true;
        if (replication_refound(replication, body->name, &refounding->result, refounded,
                                refounding, &error))
            return;
        request->held = false;
        good = false;
    }
    if (!good)
        admin_answer_error(request, &error);
    if (refounding)
        refounding_free(refounding);
}

void restore_merge(struct admin_request *request)
{
    struct error error = {0};
    struct restore_body *body = calloc(1, sizeof(*body));
    if (!body) {
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    if (!read_body(request, body, &error)) {
        admin_answer_error(request, &error);
    } else if (body->new_cluster) {
        refound(request, body);
    } else {
        request->held = true;
        replication_restore(request->state->replication, body->genesis, body->records,
                            body->count, restored, request);
    }
    restore_body_free(body);
}
