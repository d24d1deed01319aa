#include "lbnode/node/backup_command.h"

#include "lbnode/base/wire.h"
#include "lbnode/cli/client.h"
#include "lbnode/crypto/crypto.h"
#include "lbnode/crypto/passphrase_box.h"
#include "lbnode/node/backup_file.h"
#include "lbnode/node/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PART_BYTES = 1 << 20, /* of records in one request */
    PART_RECORDS = 2048,
    BACKUP_MAXIMUM = 512 << 20
};

struct command_line {
    char socket[SETTINGS_PATH_SIZE + 16];
    const char *file, *passphrase_file;
    bool new_cluster;
    const char *name; /* of the new cluster, or NULL */
};

static int fail(const struct error *error)
{
    fprintf(stderr, "lbnode: %s\n", error->text);
    return error_exit_code(error->kind);
}

/* ---- arguments -------------------------------------------------------------------------- */

static void default_socket(struct command_line *out)
{
    const char *given = getenv("LBNODE_SOCKET");
    snprintf(out->socket, sizeof(out->socket), "%s",
             given && *given ? given : "/run/lbnode/lbnode.sock");
}

/* MAY_FOUND: the options of a new cluster are understood. */
static bool read_arguments(
    int argc, char **argv, bool may_found, struct command_line *out, struct error *error)
{
    *out = (struct command_line){0};
    default_socket(out);
    for (int i = 0; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool alone = argv[i][0] != '-' && !out->file;
        if (alone)
            out->file = argv[i];
        if (may_found && strcmp(argv[i], "--new-cluster") == 0)
            alone = out->new_cluster = true;
        if (alone)
            continue;
        if (value && strcmp(argv[i], "--passphrase-file") == 0)
            out->passphrase_file = value;
        else if (value && may_found && strcmp(argv[i], "--name") == 0)
            out->name = value;
        else if (value && strcmp(argv[i], "--socket") == 0)
            snprintf(out->socket, sizeof(out->socket), "%s", value);
        else if (value && strcmp(argv[i], "--run-dir") == 0)
            snprintf(out->socket, sizeof(out->socket), "%s/lbnode.sock", value);
        else
            return error_set(error, ERROR_USAGE, "%.100s is not understood, or lacks its value",
                             argv[i]);
        i++;
    }
    if (out->name && !out->new_cluster)
        return error_set(error, ERROR_USAGE, "--name goes with --new-cluster");
    return out->file || error_set(error, ERROR_USAGE, "name the file");
}

/* ---- backup ----------------------------------------------------------------------------- */

static bool append_hex(struct wire_writer *out, const char *text)
{
    size_t size = text ? strlen(text) / 2 : 0;
    uint8_t *bytes = malloc(size + 1);
    bool good = bytes && text && bytes_from_hex(text, bytes, size);
    if (good)
        wire_append(out, bytes, size);
    free(bytes);
    return good && !out->failed;
}

/* Adds one page to OUT; HAVE goes in and comes out anew. */
static bool fetch_page(const struct client *client,
                       struct json_value **have,
                       struct wire_writer *out,
                       bool *more,
                       struct error *error)
{
    struct response response;
    struct json_value *body = json_value_object(), *root = json_value_object();
    if (*have)
        json_value_set(root, "have", *have);
    json_value_set(body, "backup", root);
    bool good = client_request(client, "POST", "/v1/backup", body, &response, error);
    const struct json_value *answer = json_value_get(response.json, "backup");
    if (good && !append_hex(out, json_value_get_text(answer, "page")))
        good = error_set(error, ERROR_INTERNAL, "the daemon's answer is malformed");
    *have = good ? json_value_copy(json_value_get(answer, "have")) : NULL;
    *more = good && json_value_truth(json_value_get(answer, "more"));
    json_value_free(body);
    response_free(&response);
    return good;
}

static bool fetch(const struct client *client, struct wire_writer *out, struct error *error)
{
    struct json_value *have = NULL;
    bool more = true, good = true;
    out->limit = BACKUP_MAXIMUM;
    while (good && more)
        good = fetch_page(client, &have, out, &more, error);
    json_value_free(have);
    return good;
}

static size_t count_records(struct bytes content)
{
    struct wire_reader reader = wire_reader_of(content);
    struct wire_field field;
    size_t count = 0;
    while (wire_next(&reader, &field))
        count += field.number == BACKUP_RECORD && field.bytes.size > 0 &&
                 !backup_is_framing(field.bytes.data[0]);
    return count;
}

static bool seal_to_file(const struct command_line *line,
                         struct bytes content,
                         struct bytes passphrase,
                         struct error *error)
{
    struct bytes box;
    if (!passphrase_box_seal(passphrase, content, &box))
        return error_set(error, ERROR_INTERNAL, "out of memory");
    bool written = backup_file_write(line->file, box, error);
    free((void *)(uintptr_t)box.data);
    return written;
}

int backup_command(int argc, char **argv)
{
    struct command_line line;
    struct error error = {0};
    struct wire_writer content = {0};
    char passphrase[PASSPHRASE_SIZE] = "";
    crypto_start();
    bool good = read_arguments(argc, argv, false, &line, &error) &&
                backup_read_passphrase(line.passphrase_file, true, passphrase, &error);
    struct client client = {.socket_path = line.socket};
    good =
        good && fetch(&client, &content, &error) &&
        seal_to_file(&line, wire_written(&content),
                     (struct bytes){(const uint8_t *)passphrase, strlen(passphrase)}, &error);
    secret_wipe(passphrase, sizeof(passphrase));
    if (good)
        printf("%zu changes are in %s; only the passphrase opens it\n",
               count_records(wire_written(&content)), line.file);
    wire_writer_free(&content);
    return good ? 0 : fail(&error);
}

/* ---- restore ---------------------------------------------------------------------------- */

struct restoring {
    struct client client;
    struct bytes genesis;
    struct json_value *records; /* of the next request */
    size_t bytes;
    int64_t offered, merged;
    const struct command_line *line;
    bool under_way;             /* a part has been sent */
    struct json_value *founded; /* what the daemon said about the new cluster */
};

static void append_record(struct restoring *restoring, struct bytes record)
{
    char *text = malloc(2 * record.size + 1);
    if (!text)
        return;
    bytes_to_hex(record, text);
    json_value_append(restoring->records, json_value_string(text));
    restoring->bytes += record.size;
    free(text);
}

static bool send_part(struct restoring *restoring, bool last, struct error *error)
{
    struct response response;
    struct json_value *body = json_value_object(), *root = json_value_object();
    char genesis[2 * BACKUP_GENESIS_MAXIMUM + 1];
    bytes_to_hex(restoring->genesis, genesis);
    json_value_set_text(root, "genesis", genesis);
    json_value_set(root, "records", restoring->records);
    if (restoring->line->new_cluster) {
        json_value_set_bool(root, "new_cluster", true);
        json_value_set_bool(root, "first", !restoring->under_way);
        json_value_set_bool(root, "last", last);
        if (restoring->line->name)
            json_value_set_text(root, "name", restoring->line->name);
    }
    restoring->under_way = true;
    json_value_set(body, "restore", root);
    bool good =
        client_request(&restoring->client, "POST", "/v1/restore", body, &response, error);
    const struct json_value *answer = json_value_get(response.json, "restore");
    restoring->offered += json_value_number(json_value_get(answer, "offered"));
    restoring->merged += json_value_number(json_value_get(answer, "merged"));
    if (good && last && restoring->line->new_cluster)
        restoring->founded = json_value_copy(answer);
    json_value_free(body);
    response_free(&response);
    restoring->records = json_value_array();
    restoring->bytes = 0;
    return good;
}

static bool send_all(struct restoring *restoring, struct bytes content, struct error *error)
{
    struct wire_reader reader = wire_reader_of(content);
    struct wire_field field;
    bool good = true;
    restoring->records = json_value_array();
    while (good && wire_next(&reader, &field)) {
        if (field.number == BACKUP_GENESIS && field.bytes.size <= BACKUP_GENESIS_MAXIMUM)
            restoring->genesis = field.bytes;
        if (field.number != BACKUP_RECORD)
            continue;
        if (restoring->bytes + field.bytes.size > PART_BYTES ||
            json_value_count(restoring->records) == PART_RECORDS)
            good = send_part(restoring, false, error);
        append_record(restoring, field.bytes);
    }
    good = good && send_part(restoring, true, error);
    json_value_free(restoring->records);
    return good;
}

static bool open_file(const struct command_line *line,
                      const char *passphrase,
                      struct bytes *out,
                      struct error *error)
{
    struct bytes box;
    if (!backup_file_read(line->file, BACKUP_MAXIMUM, &box, error))
        return false;
    enum passphrase_box_result result = passphrase_box_open(
        (struct bytes){(const uint8_t *)passphrase, strlen(passphrase)}, box, out);
    free((void *)(uintptr_t)box.data);
    if (result == PASSPHRASE_BOX_FOREIGN)
        return error_set(error, ERROR_INVALID, "%s is no backup of lbnode", line->file);
    if (result == PASSPHRASE_BOX_REFUSED)
        return error_set(error, ERROR_REFUSED,
                         "%s does not open: the passphrase is another one, or the file is "
                         "damaged",
                         line->file);
    return result == PASSPHRASE_BOX_OPENED || error_set(error, ERROR_INTERNAL, "out of memory");
}

static const char *text_of(const struct json_value *object, const char *key)
{
    const char *text = json_value_get_text(object, key);
    return text ? text : "-";
}

static void print_new_cluster(const struct restoring *restoring)
{
    const struct json_value *founded = restoring->founded;
    printf("cluster %s started anew with %lld objects of the backup; this node is its first\n",
           text_of(founded, "cluster_name"),
           (long long)json_value_number(json_value_get(founded, "objects")));
    if (restoring->merged < restoring->offered)
        printf("%lld of the backup's %lld changes do not verify and were left out\n",
               (long long)(restoring->offered - restoring->merged),
               (long long)restoring->offered);
    printf("\nrecovery code, shown this once; keep it in a safe place:\n  %s\n"
           "\nnodes of the old cluster are strangers: stop them, empty their state\n"
           "directories, and join them with a token each: lbnode token create\n",
           text_of(founded, "recovery_code"));
}

int restore_command(int argc, char **argv)
{
    struct command_line line;
    struct error error = {0};
    struct bytes content = {0};
    char passphrase[PASSPHRASE_SIZE] = "";
    crypto_start();
    bool good = read_arguments(argc, argv, true, &line, &error) &&
                backup_read_passphrase(line.passphrase_file, false, passphrase, &error) &&
                open_file(&line, passphrase, &content, &error);
    secret_wipe(passphrase, sizeof(passphrase));
    struct restoring restoring = {.client = {.socket_path = line.socket}, .line = &line};
    good = good && (line.new_cluster || backup_fits_node(&restoring.client, content, &error)) &&
           send_all(&restoring, content, &error);
    free((void *)(uintptr_t)content.data);
    if (!good)
        return fail(&error);
    if (line.new_cluster)
        print_new_cluster(&restoring);
    else
        printf("%lld changes in the backup, %lld of them were new here and are merged\n"
               "nothing was rolled back: what was changed since the backup stays changed\n",
               (long long)restoring.offered, (long long)restoring.merged);
    json_value_free(restoring.founded);
    return 0;
}
