#include "replication/key_grant.h"

#include "lbnode/model/field_table.h"
#include "replication/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRANT_FACET = 10
};

/* ---- reading ---------------------------------------------------------------------------- */

static bool convert(const struct key_grant *from, struct grant *out)
{
    out->key_id = from->key_id;
    out->purpose = (enum key_purpose)from->purpose;
    out->created_ms = (uint64_t)from->created_ms;
    return bytes_from_hex(from->sealed, out->box, sizeof(out->box)) &&
           bytes_from_hex(from->receiver, out->receiver, sizeof(out->receiver));
}

static bool
read_grant(const struct facet_table *table, const struct object *object, struct grant *out)
{
    const struct facet_entry *life = facet_winner(facet_of(object, FACET_LIFE));
    const struct facet_entry *entry = facet_seen(object, facet_of(object, GRANT_FACET));
    if (!life || !entry || life->type != RESOURCE_KEY_GRANT ||
        !facet_object_counts(table, object))
        return false;
    struct resource *resource = resource_new(RESOURCE_KEY_GRANT);
    struct error error = {0};
    *out = (struct grant){
        .object_id = object->id,
        .node_id = life->owner,
        .dot = entry->dot,
        .author = entry->node_id,
    };
    bool good = resource &&
                resource_read_facet(resource, GRANT_FACET,
                                    (struct bytes){entry->value, entry->value_size}, &error) &&
                convert(CONTAINER_OF(resource, struct key_grant, resource), out);
    resource_free(resource);
    return good;
}

void grant_list_read(const struct facet_table *table, struct grant_list *out)
{
    const struct object *object;
    struct grant grant;
    out->count = 0;
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));) {
        if (!read_grant(table, object, &grant))
            continue;
        out->grants =
            memory_grow(out->grants, out->count, &out->capacity, sizeof(*out->grants));
        out->grants[out->count++] = grant;
    }
}

void grant_list_free(struct grant_list *list)
{
    free(list->grants);
    *list = (struct grant_list){0};
}

/* ---- writing ---------------------------------------------------------------------------- */

void key_name(const uint8_t secret[KEY_SIZE], struct uuid *out)
{
    static const char context[] = "lbnode-key-name-v1";
    const struct bytes text = {(const uint8_t *)context, sizeof(context) - 1};
    hash_make((struct bytes){secret, KEY_SIZE}, &text, 1, out->bytes, sizeof(out->bytes));
}

/* The same grant by the same granter is the same object. */
static struct uuid object_id(const struct grant_wish *wish, const struct uuid *key_id)
{
    char key[2 * 16 + 1], receiver[2 * SIGN_PUBLIC_KEY_SIZE + 1],
        granter[2 * SIGN_PUBLIC_KEY_SIZE + 1], name[256];
    bytes_to_hex((struct bytes){key_id->bytes, 16}, key);
    bytes_to_hex((struct bytes){wish->public_key, SIGN_PUBLIC_KEY_SIZE}, receiver);
    bytes_to_hex((struct bytes){wish->granter, SIGN_PUBLIC_KEY_SIZE}, granter);
    snprintf(name, sizeof(name), "key_grant/%s/%s/%s", key, receiver, granter);
    return uuid_derived(wish->node_id, name);
}

static bool seal(const struct grant_wish *wish, char out[2 * KEY_BOX_SIZE + 1])
{
    uint8_t public[DH_KEY_SIZE], box[KEY_BOX_SIZE];
    if (!dh_key_public_of(wish->public_key, public) ||
        !sealed_box_close(public, (struct bytes){wish->secret, KEY_SIZE}, box))
        return false;
    bytes_to_hex((struct bytes){box, sizeof(box)}, out);
    return true;
}

static bool set_text(char **target, const char *text)
{
    free(*target);
    *target = strdup(text);
    return *target != NULL;
}

bool grant_plan(const struct grant_wish *wish, struct change_set *out)
{
    char sealed[2 * KEY_BOX_SIZE + 1], receiver[2 * RECORD_KEY_ID_SIZE + 1];
    uint8_t receiver_id[RECORD_KEY_ID_SIZE];
    struct resource *resource = resource_new(RESOURCE_KEY_GRANT);
    if (!resource || !seal(wish, sealed)) {
        resource_free(resource);
        return false;
    }
    struct key_grant *grant = CONTAINER_OF(resource, struct key_grant, resource);
    record_key_id(wish->public_key, receiver_id);
    bytes_to_hex((struct bytes){receiver_id, sizeof(receiver_id)}, receiver);
    key_name(wish->secret, &grant->key_id);
    resource->id = object_id(wish, &grant->key_id);
    resource->owner = *wish->node_id;
    grant->purpose = wish->purpose;
    grant->created_ms = (int64_t)wish->created_ms;
    bool planned = set_text(&grant->sealed, sealed) && set_text(&grant->receiver, receiver) &&
                   change_set_add_create(out, resource);
    resource_free(resource);
    return planned;
}

bool grant_plan_delete(const struct grant *grant, struct change_set *out)
{
    static const uint8_t deleted = 0;
    return change_set_add(out, &grant->object_id, &grant->node_id, RESOURCE_KEY_GRANT,
                          FACET_LIFE, (struct bytes){&deleted, 1});
}
