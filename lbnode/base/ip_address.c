#include "lbnode/base/ip_address.h"

#include "lbnode/base/parse_number.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool ip_address_parse(const char *text, struct ip_address *out)
{
    struct ip_address parsed = {0};
    if (inet_pton(AF_INET, text, parsed.bytes) == 1)
        parsed.family = 4;
    else if (inet_pton(AF_INET6, text, parsed.bytes) == 1)
        parsed.family = 6;
    else
        return false;
    *out = parsed;
    return true;
}

void ip_address_format(const struct ip_address *address, char out[IP_ADDRESS_TEXT_SIZE])
{
    out[0] = '\0';
    if (address->family != 0)
        inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, out,
                  IP_ADDRESS_TEXT_SIZE);
}

size_t ip_address_size(const struct ip_address *address)
{
    return address->family == 4 ? 4 : address->family == 6 ? 16 : 0;
}

int ip_address_compare(const struct ip_address *a, const struct ip_address *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, ip_address_size(a));
}

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return ip_address_compare(a, b) == 0;
}

bool ip_address_is_loopback(const struct ip_address *address)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};
    if (address->family == 4)
        return address->bytes[0] == 127;
    return address->family == 6 && memcmp(address->bytes, v6_loopback, 16) == 0;
}

bool ip_address_is_link_local(const struct ip_address *address)
{
    if (address->family == 4)
        return address->bytes[0] == 169 && address->bytes[1] == 254;
    return address->family == 6 && address->bytes[0] == 0xfe &&
           (address->bytes[1] & 0xc0) == 0x80;
}

bool ip_endpoint_parse(const char *text, uint16_t default_port, struct ip_endpoint *out)
{
    char address[IP_ADDRESS_TEXT_SIZE];
    const char *start = text, *end, *port = NULL;
    if (text[0] == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return false;
        port = end[1] == ':' ? end + 2 : NULL;
    } else {
        const char *colon = strchr(text, ':');
        bool bare_v6 = colon && strchr(colon + 1, ':');
        end = colon && !bare_v6 ? colon : text + strlen(text);
        port = colon && !bare_v6 ? colon + 1 : NULL;
    }
    if ((size_t)(end - start) >= sizeof(address))
        return false;
    memcpy(address, start, (size_t)(end - start));
    address[end - start] = '\0';
    int64_t number = default_port;
    if (port && !parse_integer(port, 1, 65535, &number))
        return false;
    if (number == 0 || !ip_address_parse(address, &out->address))
        return false;
    out->port = (uint16_t)number;
    return text[0] != '[' || out->address.family == 6;
}

void ip_endpoint_format(const struct ip_endpoint *endpoint, char out[IP_ENDPOINT_TEXT_SIZE])
{
    char address[IP_ADDRESS_TEXT_SIZE];
    ip_address_format(&endpoint->address, address);
    snprintf(out, IP_ENDPOINT_TEXT_SIZE, endpoint->address.family == 6 ? "[%s]:%u" : "%s:%u",
             address, endpoint->port);
}

socklen_t ip_endpoint_to_sockaddr(const struct ip_endpoint *endpoint,
                                  struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (endpoint->address.family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(endpoint->port);
        memcpy(&v4->sin_addr, endpoint->address.bytes, 4);
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint->port);
    memcpy(&v6->sin6_addr, endpoint->address.bytes, 16);
    return sizeof(*v6);
}

bool ip_endpoint_from_sockaddr(const struct sockaddr *address, struct ip_endpoint *out)
{
    memset(out, 0, sizeof(*out));
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        out->address.family = 4;
        memcpy(out->address.bytes, &v4->sin_addr, 4);
        out->port = ntohs(v4->sin_port);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    out->port = ntohs(v6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        out->address.family = 4;
        memcpy(out->address.bytes, v6->sin6_addr.s6_addr + 12, 4);
    } else {
        out->address.family = 6;
        memcpy(out->address.bytes, &v6->sin6_addr, 16);
    }
    return true;
}

static void clear_host_bits(struct ip_prefix *prefix)
{
    for (size_t i = 0; i < ip_address_size(&prefix->address); i++) {
        int kept = (int)prefix->length - 8 * (int)i;
        uint8_t mask = kept >= 8 ? 0xff : kept <= 0 ? 0 : (uint8_t)(0xff << (8 - kept));
        prefix->address.bytes[i] &= mask;
    }
}

bool ip_prefix_parse(const char *text, struct ip_prefix *out)
{
    char address[IP_ADDRESS_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    size_t size = slash ? (size_t)(slash - text) : strlen(text);
    struct ip_prefix parsed;
    if (size >= sizeof(address))
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    if (!ip_address_parse(address, &parsed.address))
        return false;
    int64_t bits = 8 * (int64_t)ip_address_size(&parsed.address), length = bits;
    if (slash && !parse_integer(slash + 1, 0, bits, &length))
        return false;
    parsed.length = (uint8_t)length;
    clear_host_bits(&parsed);
    *out = parsed;
    return true;
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address)
{
    struct ip_prefix other = {*address, prefix->length};
    if (prefix->address.family != address->family)
        return false;
    clear_host_bits(&other);
    return ip_address_equal(&prefix->address, &other.address);
}
