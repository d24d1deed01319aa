/* SOURCE_IP and SOURCE_IP_PORT: the client's hash names an entry of the pool's table (see
 * maglev.h). While that member is unusable, its clients spread over the others by further
 * hashes, and come back with it. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/siphash.h"
#include "proxy/balance.h"

#include <string.h>

enum {
    MAXIMUM_PROBES = 8,
    KEY_SIZE = sizeof((struct ip_address){0}.bytes) + 2 + 1
};

/* KEY has one byte more than SIZE: the number of the probe. */
static uint32_t pick(const struct balance_view *view, uint8_t key[KEY_SIZE], size_t size)
{
    if (view->schedule_length == 0)
        return BALANCE_NONE;
    for (uint8_t probe = 0; probe < MAXIMUM_PROBES; probe++) {
        key[size] = probe;
        uint64_t hash = siphash(view->key->bytes, key, size + 1);
        uint32_t number = view->schedule[hash % view->schedule_length];
        if (view->usable(view->context, &view->members[number]))
            return number;
    }
    return balance_next_usable(
        view, atomic_fetch_add_explicit(view->cursor, 1, memory_order_relaxed));
}

uint32_t balance_source_ip(const struct balance_view *view)
{
    uint8_t key[KEY_SIZE];
    size_t size = ip_address_size(&view->client.address);
    memcpy(key, view->client.address.bytes, size);
    return pick(view, key, size);
}

uint32_t balance_source_ip_port(const struct balance_view *view)
{
    uint8_t key[KEY_SIZE];
    size_t size = ip_address_size(&view->client.address);
    memcpy(key, view->client.address.bytes, size);
    store_be16(key + size, view->client.port);
    return pick(view, key, size + 2);
}
