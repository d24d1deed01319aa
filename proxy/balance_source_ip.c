/* SOURCE_IP: weighted rendezvous hashing. Every member draws a number from the client's address
 * and its own id; the largest by weight wins. The same on every node, and when a member goes,
 * only its clients move. */
#include "lbnode/base/bytes.h"
#include "proxy/balance.h"

#include <math.h>
#include <string.h>

static double score(const struct snapshot_member *member, const uint8_t *key, size_t size)
{
    uint64_t hash = bytes_hash(key, size, bytes_hash(&member->id, sizeof(member->id), 0));
    double uniform = ((double)(hash >> 11) + 0.5) / 9007199254740992.0; /* in (0, 1) */
    return -(double)member->weight / log(uniform);
}

static uint32_t pick(const struct balance_view *view, const uint8_t *key, size_t size)
{
    uint32_t best = BALANCE_NONE;
    double best_score = -1;
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct snapshot_member *member = &view->members[i];
        if (!view->usable(view->context, member))
            continue;
        double value = score(member, key, size);
        if (value > best_score) {
            best = i;
            best_score = value;
        }
    }
    return best;
}

uint32_t balance_source_ip(const struct balance_view *view)
{
    return pick(view, view->client.address.bytes, ip_address_size(&view->client.address));
}

uint32_t balance_source_ip_port(const struct balance_view *view)
{
    uint8_t key[sizeof(view->client.address.bytes) + 2];
    size_t size = ip_address_size(&view->client.address);
    memcpy(key, view->client.address.bytes, size);
    store_be16(key + size, view->client.port);
    return pick(view, key, size + 2);
}
