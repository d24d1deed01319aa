#include "proxy/balance.h"

#include "lbnode/base/bytes.h"

balance_pick *balance_for(uint8_t algorithm)
{
    static balance_pick *const algorithms[] = {
        [SNAPSHOT_ROUND_ROBIN] = balance_round_robin,
        [SNAPSHOT_LEAST_CONNECTIONS] = balance_least_connections,
        [SNAPSHOT_SOURCE_IP] = balance_source_ip,
        [SNAPSHOT_SOURCE_IP_PORT] = balance_source_ip_port,
    };
    bool known = algorithm < ARRAY_LENGTH(algorithms) && algorithms[algorithm];
    return known ? algorithms[algorithm] : balance_round_robin;
}

uint32_t balance_next_usable(const struct balance_view *view, uint64_t turn)
{
    for (uint32_t i = 0; i < view->member_count; i++) {
        uint32_t number = (uint32_t)((turn + i) % view->member_count);
        if (view->usable(view->context, &view->members[number]))
            return number;
    }
    return BALANCE_NONE;
}
