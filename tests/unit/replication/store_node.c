#include "tests/unit/replication/store_node.h"

#include "lbnode/base/monotime.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

static void on_event(void *context, enum event_code code, const char *text)
{
    struct store_node *node = context;
    node->events[code]++;
    if (code == EVENT_STORAGE_QUARANTINED || code == EVENT_STORAGE_DEGRADED)
        snprintf(node->last_text, sizeof(node->last_text), "%s", text);
}

void store_node_on_done(void *context, const struct error *error)
{
    assert_int_equal(error->kind, ERROR_NONE);
    ((struct store_node *)context)->done = true;
}

void store_node_on_submitted(void *context, const struct submit_result *result)
{
    struct store_node *node = context;
    node->result = *result;
    node->done = true;
}

bool store_node_try_open(struct store_node *node, struct error *error)
{
    struct replication_settings settings = {
        .state_dir = node->directory, .node_name = "lb1", .retention = node->retention};
    struct replication_handler handler = {.event = on_event, .context = node};
    ip_endpoint_parse("127.0.0.1:0", 0, &settings.listen);
    text_list_add(&settings.addresses, "127.0.0.1:7850", 14);
    node->replication = replication_open(node->loop, &settings, &handler, error);
    text_list_free(&settings.addresses);
    return node->replication && replication_start(node->replication, error) == 0;
}

void store_node_open(struct store_node *node)
{
    struct error error = {0};
    if (!store_node_try_open(node, &error))
        fail_msg("%s", error.text);
}

void store_node_close(struct store_node *node)
{
    replication_close(node->replication);
    node->replication = NULL;
}

void store_node_wait(struct store_node *node)
{
    uint64_t deadline = monotime_now_ms() + 5000;
    while (!node->done && monotime_now_ms() < deadline)
        loop_turn(node->loop, true);
    assert_true(node->done);
    node->done = false;
}

struct store_node *store_node_new(void)
{
    struct store_node *node = calloc(1, sizeof(*node));
    assert_non_null(node);
    snprintf(node->directory, sizeof(node->directory), "%s", "/tmp/lbnode-store-XXXXXX");
    assert_non_null(mkdtemp(node->directory));
    snprintf(node->path, sizeof(node->path), "%s/config.mdb", node->directory);
    snprintf(node->copy, sizeof(node->copy), "%s/config.mdb.copy", node->directory);
    node->loop = loop_new();
    store_node_open(node);
    assert_true(replication_init(node->replication, "test", node->code, store_node_on_done,
                                 node, NULL));
    store_node_wait(node);
    return node;
}

void store_node_free(struct store_node *node)
{
    char command[128];
    replication_close(node->replication);
    loop_free(node->loop);
    snprintf(command, sizeof(command), "rm -r %s", node->directory);
    assert_int_equal(system(command), 0);
    free(node);
}

void store_backup_make(struct store_node *node, struct store_backup *out)
{
    struct wire_writer have = {0};
    struct error error = {0};
    struct wire_field field;
    bool more = true;
    while (more) {
        struct wire_writer next = {0};
        if (!replication_backup_page(node->replication, wire_written(&have), &out->content,
                                     &next, &more, &error))
            fail_msg("%s", error.text);
        wire_writer_free(&have);
        have = next;
        loop_turn(node->loop, false);
    }
    wire_writer_free(&have);
    struct wire_reader reader = wire_reader_of(wire_written(&out->content));
    while (wire_next(&reader, &field)) {
        if (field.number == 2)
            out->genesis = field.bytes;
        if (field.number == 7)
            out->items[out->count++] = field.bytes;
    }
    assert_true(wire_ended(&reader));
}

struct restored {
    struct store_node *node;
    struct restore_result result;
};

static void on_restored(void *context, const struct restore_result *result)
{
    struct restored *restored = context;
    restored->result = *result;
    restored->node->done = true;
}

struct restore_result store_backup_restore(struct store_node *node,
                                           const struct store_backup *backup,
                                           size_t from,
                                           size_t count)
{
    struct restored restored = {.node = node};
    replication_restore(node->replication, backup->genesis, backup->items + from, count,
                        on_restored, &restored);
    store_node_wait(node);
    return restored.result;
}
