#include "replication/join_message.h"

#include "lbnode/base/text.h"

#include <string.h>

void join_message_begin(struct wire_writer *out, uint8_t type)
{
    const uint8_t head[JOIN_HEAD_SIZE] = {'L', 'J', JOIN_VERSION, type};
    wire_append(out, head, sizeof(head));
}

bool join_message_parse(struct bytes message, uint8_t *out_type, struct bytes *out_body)
{
    if (message.size < JOIN_HEAD_SIZE || message.data[0] != 'L' || message.data[1] != 'J' ||
        message.data[2] != JOIN_VERSION)
        return false;
    *out_type = message.data[3];
    *out_body = (struct bytes){message.data + JOIN_HEAD_SIZE, message.size - JOIN_HEAD_SIZE};
    return true;
}

/* ---- what is in clear ------------------------------------------------------------------- */

void join_hello_put(struct wire_writer *out, const struct join_hello *hello)
{
    wire_put_bytes(out, 1, (struct bytes){hello->token_id, TOKEN_ID_SIZE});
    wire_put_bytes(out, 2, (struct bytes){hello->public_key, SIGN_PUBLIC_KEY_SIZE});
    wire_put_bytes(out, 3, hello->handshake);
}

static bool copy_exactly(struct bytes in, void *out, size_t size)
{
    if (in.size != size)
        return false;
    memcpy(out, in.data, size);
    return true;
}

bool join_hello_parse(struct bytes body, struct join_hello *out)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    unsigned seen = 0;
    *out = (struct join_hello){0};
    while (wire_next(&reader, &field)) {
        bool good = field.type == WIRE_BYTES;
        if (good && field.number == 1)
            good = copy_exactly(field.bytes, out->token_id, TOKEN_ID_SIZE);
        else if (good && field.number == 2)
            good = copy_exactly(field.bytes, out->public_key, SIGN_PUBLIC_KEY_SIZE);
        else if (good && field.number == 3)
            out->handshake = field.bytes;
        seen |= good && field.number < 4 ? 1u << field.number : 0;
        if (!good && field.number < 4)
            return false;
    }
    return wire_ended(&reader) && seen == (1u << 1 | 1u << 2 | 1u << 3);
}

/* ---- what only the inviter can read ----------------------------------------------------- */

void join_facts_put(struct wire_writer *out, const struct join_facts *facts)
{
    char address[IP_ADDRESS_TEXT_SIZE];
    wire_put_bytes(out, 1, (struct bytes){facts->node_id.bytes, 16});
    wire_put_text(out, 2, facts->name);
    for (size_t i = 0; i < facts->addresses.count; i++)
        wire_put_text(out, 3, facts->addresses.items[i]);
    if (facts->vrrp_address.family) {
        ip_address_format(&facts->vrrp_address, address);
        wire_put_text(out, 4, address);
    }
    wire_put_varint(out, 5, facts->protocol);
    if (facts->version[0])
        wire_put_text(out, 6, facts->version);
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

static bool read_fact(struct join_facts *out, const struct wire_field *field)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    if (field->number == 5 && field->type == WIRE_VARINT)
        out->protocol = field->integer;
    if (field->type != WIRE_BYTES)
        return true;
    switch (field->number) {
    case 1: return copy_exactly(field->bytes, out->node_id.bytes, 16);
    case 2: return copy_text(field->bytes, out->name, sizeof(out->name));
    case 3: return add_address(field->bytes, &out->addresses);
    case 4:
        return copy_text(field->bytes, text, sizeof(text)) &&
               ip_address_parse(text, &out->vrrp_address);
    case 6: return copy_text(field->bytes, out->version, sizeof(out->version));
    default: return true;
    }
}

bool join_facts_parse(struct bytes body, struct join_facts *out)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    bool valid = true;
    *out = (struct join_facts){0};
    while (valid && wire_next(&reader, &field))
        valid = read_fact(out, &field);
    if (valid && wire_ended(&reader) && !uuid_is_zero(&out->node_id) && out->name[0] &&
        out->addresses.count > 0)
        return true;
    join_facts_free(out);
    return false;
}

void join_facts_free(struct join_facts *facts)
{
    text_list_free(&facts->addresses);
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
