/* Frames with ARP or neighbour messages. What is taken as a claim names an address and a sender
 * that stand in the frame. */
#include "vrrp/claim_watch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ip_address address;
    uint8_t mac[MAC_SIZE];
    if (!claim_read((struct bytes){data, size}, &address, mac))
        return 0;
    if (!memmem(data, size, address.bytes, ip_address_size(&address)) ||
        !memmem(data, size, mac, sizeof(mac)))
        abort();
    return 0;
}
