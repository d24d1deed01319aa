/* A node says itself, in its own object, what protocol it speaks, and of which version its
 * program is. From then on the others send it nothing that is of a lower protocol. So it says
 * so only when it can have sessions, that is when it has a secret of the cluster; whoever
 * learns of it through its record has got that secret before, or at the same time. */
#include "lbnode/base/release.h"
#include "lbnode/model/field_table.h"
#include "replication/memory.h"
#include "replication/transport.h"

#include <stdlib.h>
#include <string.h>

enum {
    AGAIN_US = 10000000 /* it may have failed */
};

static void submit(struct replication *replication, const struct change_set *changes)
{
    const struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes,
                   .change_id = uuid_random(),
                   .author = "root",
                   .via = "start",
                   .kind = RECORD_ROSTER},
    };
    replication_step(replication, &event);
}

static void announce(struct replication *replication)
{
    const struct facet_table *facets = core_facets(replication->core);
    const struct object *object = facet_object(facets, &replication->node_id);
    struct node *before = object ? roster_read_node(facets, object) : NULL;
    struct resource *after = before ? resource_copy(&before->resource) : NULL;
    struct change_set changes = {0};
    if (after) {
        struct node *node = CONTAINER_OF(after, struct node, resource);
        if (node->protocol < replication->settings.protocol)
            node->protocol = replication->settings.protocol;
        free(node->version);
        node->version = memory_text(release_version(), strlen(release_version()));
        if (change_set_add_update(&changes, &before->resource, after) > 0)
            submit(replication, &changes);
    }
    change_set_free(&changes);
    resource_free(after);
    resource_free(before ? &before->resource : NULL);
}

void announce_tick(struct replication *replication)
{
    uint64_t now_us = replication_now(replication).mono_us;
    if (now_us < replication->announce_us ||
        replication->settings.protocol < REPLICATION_PROTOCOL_SESSIONS ||
        !transport_has_secrets(replication->transport) || core_was_removed(replication->core))
        return;
    const struct roster_node *self =
        roster_find(core_roster(replication->core), &replication->node_id);
    if (!self || !self->name[0])
        return;
    replication->announce_us = now_us + AGAIN_US;
    announce(replication);
}
