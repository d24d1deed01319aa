#include "lbnode/node/local_address.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* Name of the interface with the IPv4 default route, from the kernel's table; "" if none. */
static void default_route_interface(char out[IFNAMSIZ])
{
    char line[256];
    FILE *file = fopen("/proc/self/net/route", "re");
    out[0] = '\0';
    while (file && fgets(line, sizeof(line), file)) {
        char name[IFNAMSIZ];
        unsigned destination, gateway, flags, mask;
        if (sscanf(line, "%15s %x %x %x %*d %*d %*d %x", name, &destination, &gateway, &flags,
                   &mask) == 5 &&
            destination == 0 && mask == 0) {
            memcpy(out, name, IFNAMSIZ);
            break;
        }
    }
    if (file)
        fclose(file);
}

static bool is_host_mask(const struct sockaddr *mask)
{
    struct ip_endpoint bits;
    if (!mask || !ip_endpoint_from_sockaddr(mask, &bits))
        return false;
    for (size_t i = 0; i < ip_address_size(&bits.address); i++)
        if (bits.address.bytes[i] != 0xff)
            return false;
    return true;
}

/* 0: not usable; else the larger the better. */
static int rank(const struct ifaddrs *entry, const char *interface, struct ip_endpoint *out)
{
    if (!entry->ifa_addr || !(entry->ifa_flags & IFF_UP) || (entry->ifa_flags & IFF_LOOPBACK) ||
        (interface[0] && strcmp(entry->ifa_name, interface) != 0) ||
        !ip_endpoint_from_sockaddr(entry->ifa_addr, out) ||
        ip_address_is_link_local(&out->address))
        return 0;
    return is_host_mask(entry->ifa_netmask) ? 1 : 2;
}

static size_t
find_on(const struct ifaddrs *list, const char *interface, struct ip_address out[2])
{
    int best[2] = {0, 0};
    struct ip_address found[2];
    for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next) {
        struct ip_endpoint endpoint;
        int value = rank(entry, interface, &endpoint);
        int index = value > 0 && endpoint.address.family == 6;
        if (value > best[index]) {
            best[index] = value;
            found[index] = endpoint.address;
        }
    }
    size_t count = 0;
    for (int i = 0; i < 2; i++)
        if (best[i] > 0)
            out[count++] = found[i];
    return count;
}

size_t local_address_find(const char *interface, struct ip_address out[2])
{
    char name[IFNAMSIZ];
    struct ifaddrs *list = NULL;
    size_t count = 0;
    snprintf(name, sizeof(name), "%s", interface);
    if (!name[0])
        default_route_interface(name);
    if (getifaddrs(&list) == 0) {
        count = find_on(list, name, out);
        if (count == 0 && !interface[0])
            count = find_on(list, "", out);
        freeifaddrs(list);
    }
    if (count == 0) {
        ip_address_parse("127.0.0.1", &out[0]);
        count = 1;
    }
    return count;
}
