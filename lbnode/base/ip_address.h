/* IPv4 and IPv6 addresses, endpoints and prefixes: strict parsing, canonical text (RFC 5952).
 */
#ifndef LBNODE_BASE_IP_ADDRESS_H
#define LBNODE_BASE_IP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    IP_ADDRESS_TEXT_SIZE = 46,
    IP_ENDPOINT_TEXT_SIZE = 56
};

/* family is 0 (no address), 4 or 6; an IPv4 address uses the first four bytes, the rest is
 * zero. */
struct ip_address {
    uint8_t family;
    uint8_t bytes[16];
};

struct ip_endpoint {
    struct ip_address address;
    uint16_t port;
};

struct ip_prefix {
    struct ip_address address; /* host bits zero */
    uint8_t length;            /* bits */
};

/* Plain address, no brackets, no zone, no leading zeros. */
bool ip_address_parse(const char *text, struct ip_address *out);
void ip_address_format(const struct ip_address *address, char out[IP_ADDRESS_TEXT_SIZE]);
bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);
/* Network byte order, IPv4 before IPv6: <0, 0, >0. */
int ip_address_compare(const struct ip_address *a, const struct ip_address *b);
size_t ip_address_size(const struct ip_address *address); /* 0, 4 or 16 */
bool ip_address_is_loopback(const struct ip_address *address);
bool ip_address_is_link_local(const struct ip_address *address);

/* ADDRESS:PORT or [IPV6]:PORT; DEFAULT_PORT 0 makes the port mandatory. */
bool ip_endpoint_parse(const char *text, uint16_t default_port, struct ip_endpoint *out);
void ip_endpoint_format(const struct ip_endpoint *endpoint, char out[IP_ENDPOINT_TEXT_SIZE]);
/* Returns the length to pass to bind() or connect(). */
socklen_t ip_endpoint_to_sockaddr(const struct ip_endpoint *endpoint,
                                  struct sockaddr_storage *out);
/* IPv4-mapped IPv6 becomes IPv4. False for other families. */
bool ip_endpoint_from_sockaddr(const struct sockaddr *address, struct ip_endpoint *out);

/* ADDRESS/LENGTH, or ADDRESS alone for a host; host bits are cleared. */
bool ip_prefix_parse(const char *text, struct ip_prefix *out);
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address);

#endif
