#include "replication/genesis.h"

#include <string.h>

static const char context[] = "lbnode-genesis-v1";

static struct bytes context_bytes(void)
{
    return (struct bytes){(const uint8_t *)context, sizeof(context) - 1};
}

static struct uuid root_id_of(const uint8_t root_key[SIGN_PUBLIC_KEY_SIZE])
{
    static const char name[] = "lbnode-root-id-v1";
    struct bytes parts[] = {{(const uint8_t *)name, sizeof(name) - 1},
                            {root_key, SIGN_PUBLIC_KEY_SIZE}};
    struct uuid id;
    hash_make((struct bytes){0}, parts, ARRAY_LENGTH(parts), id.bytes, sizeof(id.bytes));
    return id;
}

bool genesis_build(const struct sign_key *root,
                   const char *cluster_name,
                   uint64_t wall_ms,
                   const struct uuid *first_node,
                   const uint8_t first_key[SIGN_PUBLIC_KEY_SIZE],
                   struct wire_writer *out)
{
    uint8_t signature[SIGNATURE_SIZE];
    wire_put_bytes(out, 1, (struct bytes){sign_key_public(root), SIGN_PUBLIC_KEY_SIZE});
    wire_put_text(out, 2, cluster_name);
    wire_put_varint(out, 3, wall_ms);
    wire_put_bytes(out, 4, (struct bytes){first_node->bytes, sizeof(first_node->bytes)});
    wire_put_bytes(out, 5, (struct bytes){first_key, SIGN_PUBLIC_KEY_SIZE});
    struct bytes parts[] = {context_bytes(), wire_written(out)};
    signature_make(root, parts, ARRAY_LENGTH(parts), signature);
    wire_append(out, signature, sizeof(signature));
    return !out->failed && out->size <= GENESIS_MAXIMUM_SIZE;
}

static bool copy_exactly(struct bytes in, void *out, size_t size)
{
    if (in.size != size)
        return false;
    memcpy(out, in.data, size);
    return true;
}

static void copy_name(struct bytes in, char out[GENESIS_NAME_SIZE])
{
    size_t size = in.size < GENESIS_NAME_SIZE ? in.size : GENESIS_NAME_SIZE - 1;
    memcpy(out, in.data, size);
    out[size] = '\0';
}

bool genesis_parse(struct bytes in, struct genesis *out)
{
    if (in.size <= SIGNATURE_SIZE || in.size > GENESIS_MAXIMUM_SIZE)
        return false;
    struct bytes body = {in.data, in.size - SIGNATURE_SIZE};
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    unsigned seen = 0;
    out->cluster_name[0] = '\0';
    while (wire_next(&reader, &field)) {
        if (field.number == 1 && copy_exactly(field.bytes, out->root_key, 32))
            seen |= 1;
        else if (field.number == 2 && field.type == WIRE_BYTES)
            copy_name(field.bytes, out->cluster_name);
        else if (field.number == 4 && copy_exactly(field.bytes, out->first_node.bytes, 16))
            seen |= 2;
        else if (field.number == 5 && copy_exactly(field.bytes, out->first_key, 32))
            seen |= 4;
    }
    struct bytes parts[] = {context_bytes(), body};
    if (!wire_ended(&reader) || seen != 7 ||
        !signature_verify(out->root_key, parts, ARRAY_LENGTH(parts), in.data + body.size))
        return false;
    hash_make((struct bytes){0}, &in, 1, out->cluster_id.bytes, sizeof(out->cluster_id.bytes));
    out->root_id = root_id_of(out->root_key);
    return true;
}
