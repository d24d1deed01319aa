#include "replication/roster.h"

#include "lbnode/base/parse_number.h"
#include "lbnode/model/field_table.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

struct node *roster_read_node(const struct facet_table *table, const struct object *object)
{
    if (!facet_object_counts(table, object))
        return NULL;
    const struct facet_entry *life = facet_winner(facet_of(object, FACET_LIFE));
    if (life->type != RESOURCE_NODE)
        return NULL;
    struct resource *resource = resource_new(RESOURCE_NODE);
    if (!resource)
        return NULL;
    resource->id = object->id;
    for (size_t i = 0; i < object->count; i++) {
        const struct facet_entry *entry = facet_winner(&object->facets[i]);
        struct error error;
        if (object->facets[i].facet != FACET_LIFE &&
            !resource_read_facet(resource, object->facets[i].facet,
                                 (struct bytes){entry->value, entry->value_size}, &error)) {
            resource_free(resource);
            return NULL;
        }
    }
    return CONTAINER_OF(resource, struct node, resource);
}

static void read_cutoff(const struct text_list *list, struct vv *out)
{
    for (size_t i = 0; i < list->count && i < VV_MAXIMUM_ENTRIES; i++) {
        char name[17] = {0};
        uint8_t stream[8];
        int64_t seq;
        const char *item = list->items[i];
        if (strlen(item) < 18 || item[16] != '=')
            continue;
        memcpy(name, item, 16);
        if (bytes_from_hex(name, stream, sizeof(stream)) &&
            parse_integer(item + 17, 1, INT64_MAX, &seq))
            vv_raise(out, load_be64(stream), (uint64_t)seq);
    }
}

static bool read_entry(struct roster_node *out, const struct node *node)
{
    *out = (struct roster_node){.id = node->resource.id};
    if (!bytes_from_hex(node->sign_key, out->public_key, sizeof(out->public_key)))
        return false;
    record_key_id(out->public_key, out->key_id);
    for (size_t i = 0; i < node->addresses.count && out->endpoint_count < ROSTER_ENDPOINTS; i++)
        if (ip_endpoint_parse(node->addresses.items[i], 7850,
                              &out->endpoints[out->endpoint_count]))
            out->endpoint_count++;
    out->status = (enum node_status)node->status;
    out->protocol = (uint16_t)node->protocol;
    out->leaving = node->leaving;
    out->name = memory_text(node->resource.name, strlen(node->resource.name));
    read_cutoff(&node->cutoff, &out->cutoff);
    return true;
}

static int compare_nodes(const void *a, const void *b)
{
    const struct roster_node *left = a, *right = b;
    return uuid_compare(&left->id, &right->id);
}

void roster_rebuild(struct roster *roster,
                    const struct facet_table *table,
                    const struct genesis *genesis)
{
    roster_free(roster);
    roster->version++;
    const struct object *object;
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));) {
        if (roster->count == ROSTER_MAXIMUM)
            break;
        struct node *node = roster_read_node(table, object);
        if (node && read_entry(&roster->nodes[roster->count], node))
            roster->count++;
        resource_free(node ? &node->resource : NULL);
    }
    qsort(roster->nodes, roster->count, sizeof(*roster->nodes), compare_nodes);
    if (roster->count > 0 || !genesis)
        return;
    struct roster_node *first = &roster->nodes[roster->count++];
    *first = (struct roster_node){
        .id = genesis->first_node, .name = memory_text("", 0), .protocol = 1};
    memcpy(first->public_key, genesis->first_key, sizeof(first->public_key));
    record_key_id(first->public_key, first->key_id);
}

const struct roster_node *roster_find(const struct roster *roster, const struct uuid *id)
{
    for (size_t i = 0; i < roster->count; i++)
        if (uuid_equal(&roster->nodes[i].id, id))
            return &roster->nodes[i];
    return NULL;
}

const struct roster_node *roster_by_key(const struct roster *roster,
                                        const uint8_t node_key[NODE_KEY_SIZE])
{
    for (size_t i = 0; i < roster->count; i++)
        if (memcmp(roster->nodes[i].id.bytes, node_key, NODE_KEY_SIZE) == 0)
            return &roster->nodes[i];
    return NULL;
}

void roster_free(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++) {
        free(roster->nodes[i].name);
        vv_free(&roster->nodes[i].cutoff);
    }
    roster->count = 0;
}
