#include "replication/roster.h"

#include "lbnode/base/parse_number.h"
#include "lbnode/model/field_table.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

static bool read_status(const struct facet_entry *entry, struct node *out)
{
    struct error error;
    return resource_read_facet(&out->resource, FACET_NODE_STATUS,
                               (struct bytes){entry->value, entry->value_size}, &error);
}

/* Of values that do not know of each other the one that takes the most away. */
static int64_t united_status(const struct facet_state *state, int64_t status)
{
    for (size_t i = 0; state && i < state->count; i++) {
        struct resource *resource = resource_new(RESOURCE_NODE);
        struct node *node = CONTAINER_OF(resource, struct node, resource);
        if (state->entries[i].type == RESOURCE_NODE && read_status(&state->entries[i], node) &&
            node->status > status)
            status = node->status;
        resource_free(resource);
    }
    return status;
}

static uint32_t facet_bit(uint16_t facet)
{
    const unsigned last = 31;
    return 1u << (facet < last ? facet : last);
}

static struct node *read_node(const struct facet_table *table,
                              const struct object *object,
                              uint32_t *out_unreadable)
{
    *out_unreadable = 0;
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
        const struct facet_entry *entry = facet_seen(object, &object->facets[i]);
        struct error error;
        if (entry && object->facets[i].facet != FACET_LIFE &&
            !resource_read_facet(resource, object->facets[i].facet,
                                 (struct bytes){entry->value, entry->value_size}, &error))
            *out_unreadable |= facet_bit(object->facets[i].facet);
    }
    struct node *node = CONTAINER_OF(resource, struct node, resource);
    const struct facet_state *statuses = facet_of(object, FACET_NODE_STATUS);
    if (statuses && statuses->count > 1)
        node->status = united_status(statuses, node->status);
    return node;
}

struct node *roster_read_node(const struct facet_table *table, const struct object *object)
{
    uint32_t unreadable;
    return read_node(table, object, &unreadable);
}

void roster_read_cutoff(const struct text_list *list, struct vv *out)
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

bool roster_read_key(const struct record_op *op, uint8_t out[SIGN_PUBLIC_KEY_SIZE])
{
    struct resource *resource = resource_new(RESOURCE_NODE);
    const struct node *node = CONTAINER_OF(resource, struct node, resource);
    struct error error;
    bool good = resource_read_facet(resource, FACET_NODE_KEY, op->value, &error) &&
                bytes_from_hex(node->sign_key, out, SIGN_PUBLIC_KEY_SIZE);
    resource_free(resource);
    return good;
}

bool roster_entry_key(const struct facet_entry *entry, uint8_t out[SIGN_PUBLIC_KEY_SIZE])
{
    const struct record_op op = {.value = {entry->value, entry->value_size}};
    return roster_read_key(&op, out);
}

/* ---- who is out, and how far streams count ---------------------------------------------- */

/* The lesser of the two; what one of them does not list is 0. */
static void keep_least(struct vv *vv, const struct vv *other)
{
    size_t kept = 0;
    for (size_t i = 0; i < vv->count; i++) {
        struct dot dot = vv->entries[i];
        uint64_t seq = vv_get(other, dot.stream);
        dot.seq = seq < dot.seq ? seq : dot.seq;
        if (dot.seq > 0)
            vv->entries[kept++] = dot;
    }
    vv->count = kept;
}

/* LIST limits what is in VV already, and adds what is not. */
static void limit_listed(struct vv *vv, const struct vv *list, bool adds)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct dot *dot = &list->entries[i];
        for (size_t k = 0; k < vv->count; k++)
            if (vv->entries[k].stream == dot->stream && vv->entries[k].seq > dot->seq)
                vv->entries[k].seq = dot->seq;
        if (adds && vv_get(vv, dot->stream) == 0)
            vv_raise(vv, dot->stream, dot->seq);
    }
}

/* What all the removals say that do not know of each other: the most, if all are plain; the
 * least, if any of them says that the node's key is in wrong hands. */
static void unite_removal(struct roster_node *out, const struct vv *cutoff, bool is_first)
{
    if (is_first)
        vv_copy(&out->cutoff, cutoff);
    else if (out->status == NODE_REVOKED)
        keep_least(&out->cutoff, cutoff);
    else
        vv_merge(&out->cutoff, cutoff);
}

/* True when it is one of those that ACTIVE asks for. */
static bool read_status_of(struct roster_node *out,
                           const struct facet_entry *entry,
                           bool active,
                           bool is_first)
{
    struct resource *resource = resource_new(RESOURCE_NODE);
    struct node *node = CONTAINER_OF(resource, struct node, resource);
    struct vv cutoff = {0};
    bool taken = entry->type == RESOURCE_NODE && read_status(entry, node) &&
                 (node->status == NODE_ACTIVE) == active;
    if (taken) {
        roster_read_cutoff(&node->cutoff, &cutoff);
        /* A record that closes its own stream counts itself. */
        if (!active || vv_get(&cutoff, entry->dot.stream) > 0)
            vv_raise(&cutoff, entry->dot.stream, entry->dot.seq);
        if (active)
            vv_raise(&out->told, entry->dot.stream, entry->dot.seq);
        if (active)
            limit_listed(&out->cutoff, &cutoff, out->status == NODE_ACTIVE);
        else
            unite_removal(out, &cutoff, is_first);
    }
    vv_free(&cutoff);
    resource_free(resource);
    return taken;
}

static void read_statuses(struct roster_node *out, const struct facet_state *state)
{
    bool any = false;
    out->status = (enum node_status)united_status(state, NODE_ACTIVE);
    for (size_t i = 0; state && i < state->count; i++)
        any |= read_status_of(out, &state->entries[i], false, !any);
    for (size_t i = 0; state && i < state->count; i++)
        read_status_of(out, &state->entries[i], true, false);
}

static void read_told(struct roster_node *out,
                      const struct facet_state *statuses,
                      const struct facet_state *keys)
{
    read_statuses(out, statuses);
    for (size_t i = 0; keys && i < keys->count; i++)
        if (keys->entries[i].type == RESOURCE_NODE)
            vv_raise(&out->told, keys->entries[i].dot.stream, keys->entries[i].dot.seq);
}

void roster_read_known(const struct facet_state *statuses,
                       const struct facet_state *keys,
                       struct roster_node *out)
{
    const struct facet_entry *key = facet_winner(keys);
    if (key && key->type == RESOURCE_NODE && roster_entry_key(key, out->public_key))
        record_key_id(out->public_key, out->key_id);
    read_told(out, statuses, keys);
}

void roster_read_standing(const struct facet_table *table,
                          const struct uuid *id,
                          struct roster_node *out)
{
    const struct object *object = facet_object(table, id);
    *out = (struct roster_node){.id = *id};
    if (object)
        roster_read_known(facet_of(object, FACET_NODE_STATUS), facet_of(object, FACET_NODE_KEY),
                          out);
}

/* NODE_ACTIVE also when it says nothing about that. */
static uint64_t status_of(const struct record_op *op)
{
    struct wire_reader reader = wire_reader_of(op->value);
    struct wire_field field;
    uint64_t status = NODE_ACTIVE;
    if (op->type != RESOURCE_NODE || op->facet != FACET_NODE_STATUS)
        return NODE_ACTIVE;
    while (wire_next(&reader, &field))
        if (field.number == 1 && field.type == WIRE_VARINT)
            status = field.integer;
    return status;
}

bool roster_op_removes(const struct record_op *op)
{
    return status_of(op) == NODE_REMOVED || roster_op_revokes(op);
}

bool roster_op_revokes(const struct record_op *op)
{
    return status_of(op) == NODE_REVOKED;
}

uint64_t roster_limit(const struct roster_node *node,
                      uint64_t stream,
                      const uint8_t key_id[RECORD_KEY_ID_SIZE],
                      uint64_t lifted)
{
    uint64_t listed = vv_get(&node->cutoff, stream);
    if (node->status == NODE_REVOKED)
        return listed;
    if (node->status == NODE_REMOVED)
        return listed > lifted ? listed : lifted;
    if (listed == 0 && memcmp(node->key_id, key_id, RECORD_KEY_ID_SIZE) == 0)
        return UINT64_MAX;
    /* The record that names another key may be the first in it. */
    return listed > 0 ? listed : vv_get(&node->told, stream);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* For people, when its name is none. */
static char *name_of(const struct resource *resource)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&resource->id, id);
    return resource->name[0] ? memory_text(resource->name, strlen(resource->name))
                             : memory_text(id, 8);
}

static bool
read_entry(struct roster_node *out, const struct node *node, const struct object *object)
{
    *out = (struct roster_node){.id = node->resource.id, .unreadable = out->unreadable};
    if (!bytes_from_hex(node->sign_key, out->public_key, sizeof(out->public_key)))
        return false;
    record_key_id(out->public_key, out->key_id);
    for (size_t i = 0; i < node->addresses.count && out->endpoint_count < ROSTER_ENDPOINTS; i++)
        if (ip_endpoint_parse(node->addresses.items[i], 7850,
                              &out->endpoints[out->endpoint_count]))
            out->endpoint_count++;
    out->protocol = (uint16_t)node->protocol;
    out->leaving = node->leaving;
    out->name = name_of(&node->resource);
    read_told(out, facet_of(object, FACET_NODE_STATUS), facet_of(object, FACET_NODE_KEY));
    return true;
}

static int compare_nodes(const void *a, const void *b)
{
    const struct roster_node *left = a, *right = b;
    return uuid_compare(&left->id, &right->id);
}

struct candidate {
    const struct object *object;
    bool is_out;
    uint64_t hlc; /* of its life */
};

struct candidates {
    struct candidate *items;
    size_t count, capacity;
};

/* The active ones first, and of these who was let in first. */
static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;
    if (left->is_out != right->is_out)
        return left->is_out ? 1 : -1;
    if (left->hlc != right->hlc)
        return left->hlc < right->hlc ? -1 : 1;
    return uuid_compare(&left->object->id, &right->object->id);
}

static bool has_key(const struct object *object)
{
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    const struct facet_entry *entry = facet_seen(object, facet_of(object, FACET_NODE_KEY));
    return entry && roster_entry_key(entry, key);
}

/* All nodes that there are, or as many as a roster has room for. */
static void choose(const struct facet_table *table, struct candidates *out)
{
    const struct object *object;
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));) {
        if (facet_object_realm(object) != REALM_NODES || !has_key(object))
            continue;
        out->items = memory_grow(out->items, out->count, &out->capacity, sizeof(*out->items));
        out->items[out->count++] = (struct candidate){
            .object = object,
            .is_out =
                united_status(facet_of(object, FACET_NODE_STATUS), NODE_ACTIVE) != NODE_ACTIVE,
            .hlc = facet_winner(facet_of(object, FACET_LIFE))->hlc,
        };
    }
    if (out->count <= ROSTER_ACTIVE_MAXIMUM)
        return;
    size_t kept = 0;
    qsort(out->items, out->count, sizeof(*out->items), compare_candidates);
    for (size_t i = 0; i < out->count && kept < ROSTER_MAXIMUM; i++)
        if (kept < ROSTER_ACTIVE_MAXIMUM || out->items[i].is_out)
            out->items[kept++] = out->items[i];
    out->count = kept;
}

void roster_rebuild(struct roster *roster,
                    const struct facet_table *table,
                    const struct genesis *genesis)
{
    struct candidates candidates = {0};
    roster_free(roster);
    roster->version++;
    choose(table, &candidates);
    for (size_t i = 0; i < candidates.count; i++) {
        struct roster_node *entry = &roster->nodes[roster->count];
        struct node *node = read_node(table, candidates.items[i].object, &entry->unreadable);
        if (node && read_entry(entry, node, candidates.items[i].object))
            roster->count++;
        resource_free(node ? &node->resource : NULL);
    }
    free(candidates.items);
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

void roster_drop(struct roster *roster, const struct uuid *id)
{
    size_t kept = 0;
    for (size_t i = 0; i < roster->count; i++)
        if (uuid_equal(&roster->nodes[i].id, id))
            roster_free_node(&roster->nodes[i]);
        else
            roster->nodes[kept++] = roster->nodes[i];
    roster->count = kept;
}

void roster_free_node(struct roster_node *node)
{
    free(node->name);
    vv_free(&node->cutoff);
    vv_free(&node->told);
}

void roster_free(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        roster_free_node(&roster->nodes[i]);
    roster->count = 0;
}
