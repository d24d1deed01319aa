#include "replication/join_message.h"

#include "lbnode/base/text.h"

#include <string.h>

enum {
    PREFIX_SIZE = 4
};

void join_message_begin(struct wire_writer *out, uint8_t type)
{
    const uint8_t prefix[PREFIX_SIZE] = {'L', 'J', JOIN_VERSION, type};
    wire_append(out, prefix, sizeof(prefix));
}

bool join_message_parse(struct bytes message, uint8_t *out_type, struct bytes *out_body)
{
    if (message.size < PREFIX_SIZE || message.data[0] != 'L' || message.data[1] != 'J' ||
        message.data[2] != JOIN_VERSION)
        return false;
    *out_type = message.data[3];
    *out_body = (struct bytes){message.data + PREFIX_SIZE, message.size - PREFIX_SIZE};
    return true;
}

void join_hello_put(struct wire_writer *out, const struct join_hello *hello)
{
    char address[IP_ADDRESS_TEXT_SIZE];
    wire_put_bytes(out, 1, (struct bytes){hello->token_id, TOKEN_ID_SIZE});
    wire_put_bytes(out, 2, (struct bytes){hello->node_id.bytes, 16});
    wire_put_bytes(out, 3, (struct bytes){hello->public_key, SIGN_PUBLIC_KEY_SIZE});
    wire_put_text(out, 4, hello->name);
    for (size_t i = 0; i < hello->addresses.count; i++)
        wire_put_text(out, 5, hello->addresses.items[i]);
    if (hello->vrrp_address.family) {
        ip_address_format(&hello->vrrp_address, address);
        wire_put_text(out, 6, address);
    }
    wire_put_bytes(out, 7, (struct bytes){hello->nonce, JOIN_NONCE_SIZE});
}

static bool copy_exactly(struct bytes in, void *out, size_t size)
{
    if (in.size != size)
        return false;
    memcpy(out, in.data, size);
    return true;
}

static bool copy_text(struct bytes in, char *out, size_t size)
{
    if (in.size == 0 || in.size >= size || !text_is_clean_utf8((const char *)in.data, in.size))
        return false;
    memcpy(out, in.data, in.size);
    out[in.size] = 0;
    return true;
}

static bool add_address(struct bytes in, struct text_list *list)
{
    char text[IP_ENDPOINT_TEXT_SIZE];
    struct ip_endpoint endpoint;
    if (list->count >= JOIN_ADDRESSES || !copy_text(in, text, sizeof(text)) ||
        !ip_endpoint_parse(text, 0, &endpoint))
        return false;
    ip_endpoint_format(&endpoint, text);
    return text_list_add(list, text, strlen(text));
}

static bool read_field(struct join_hello *out, const struct wire_field *field)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    if (field->type != WIRE_BYTES)
        return true;
    switch (field->number) {
    case 1: return copy_exactly(field->bytes, out->token_id, TOKEN_ID_SIZE);
    case 2: return copy_exactly(field->bytes, out->node_id.bytes, 16);
    case 3: return copy_exactly(field->bytes, out->public_key, SIGN_PUBLIC_KEY_SIZE);
    case 4: return copy_text(field->bytes, out->name, sizeof(out->name));
    case 5: return add_address(field->bytes, &out->addresses);
    case 6:
        return copy_text(field->bytes, text, sizeof(text)) &&
               ip_address_parse(text, &out->vrrp_address);
    case 7: return copy_exactly(field->bytes, out->nonce, JOIN_NONCE_SIZE);
    default: return true;
    }
}

bool join_hello_parse(struct bytes body, struct join_hello *out)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    const unsigned mandatory = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 7;
    unsigned seen = 0;
    bool valid = true;
    *out = (struct join_hello){0};
    while (valid && wire_next(&reader, &field)) {
        valid = read_field(out, &field);
        seen |= field.number < 8 && field.type == WIRE_BYTES ? 1u << field.number : 0;
    }
    if (valid && wire_ended(&reader) && (seen & mandatory) == mandatory &&
        !uuid_is_zero(&out->node_id))
        return true;
    join_hello_free(out);
    return false;
}

void join_hello_free(struct join_hello *hello)
{
    text_list_free(&hello->addresses);
}

bool join_field(struct bytes body, uint32_t number, struct bytes *out)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    bool found = false;
    while (wire_next(&reader, &field))
        if (field.number == number && field.type == WIRE_BYTES) {
            *out = field.bytes;
            found = true;
        }
    return found && wire_ended(&reader);
}
