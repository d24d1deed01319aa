#include "lbnode/admin/revision.h"

#include "lbnode/admin/facet_text.h"
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

#include <stdio.h>
#include <string.h>

bool revision_parse(const char *text, uint64_t *out)
{
    uint8_t bytes[8];
    if (strnlen(text, REVISION_TEXT_SIZE) != REVISION_TEXT_SIZE - 1 ||
        !bytes_from_hex(text, bytes, sizeof(bytes)))
        return false;
    *out = load_be64(bytes);
    return true;
}

void revision_format(uint64_t revision, char out[REVISION_TEXT_SIZE])
{
    snprintf(out, REVISION_TEXT_SIZE, "%016llx", (unsigned long long)revision);
}

void revision_tell(struct admin_request *request, const struct effective *object)
{
    char text[REVISION_TEXT_SIZE];
    revision_format(object->revision, text);
    admin_request_header(request, "X-Lbnode-Revision", text);
}

/* The newest write to an object. */
struct last_write {
    uint16_t facet;
    uint64_t wall_ms;
    struct uuid node_id;
    char author[ADMIN_AUTHOR_SIZE];
};

static void note_newest(void *context, const struct conflict_view *facet)
{
    struct last_write *last = context;
    for (size_t i = 0; i < facet->entry_count; i++) {
        const struct conflict_entry *entry = &facet->entries[i];
        if (entry->wall_ms < last->wall_ms)
            continue;
        *last = (struct last_write){facet->facet, entry->wall_ms, entry->node_id, ""};
        snprintf(last->author, sizeof(last->author), "%s", entry->author);
    }
}

bool revision_check(const struct admin_request *request,
                    const struct effective *object,
                    struct error *error)
{
    /* A repeated change finds its own work; replication knows it by its id. */
    if (!request->has_revision || object->revision == request->revision ||
        !uuid_is_zero(&request->change_id))
        return true;
    struct last_write last = {0};
    const struct resource_class *class = resource_class_of(object->resource->type);
    char revision[REVISION_TEXT_SIZE], time[WALLTIME_TEXT_SIZE], facet[FACET_NAMES_SIZE];
    replication_visit_entries(request->state->replication, &object->resource->id, note_newest,
                              &last);
    const struct effective *node =
        configuration_find(request->state->configuration, &last.node_id);
    revision_format(object->revision, revision);
    walltime_format(last.wall_ms, time);
    facet_attribute_names(class, last.facet, facet);
    return error_set(error, ERROR_CONFLICT,
                     "%s %.64s was changed after you read it: %s, by %s on %.64s at %s; its "
                     "revision is %s now.",
                     class->title, object->resource->name, facet,
                     last.author[0] ? last.author : "somebody",
                     node ? node->resource->name : "another node", time, revision);
}
