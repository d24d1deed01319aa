#include "vrrp/family_bond.h"

/* In place of an advert that is due: one that was sent just before could overtake the
 * resignation and undo it. */
static bool
is_time(const struct vrrp_machine *ipv4, const struct vrrp_machine *ipv6, uint64_t now_us)
{
    return now_us >= ipv6->deadline_us && now_us >= ipv4->since_us + FAMILY_BOND_SETTLE_US &&
           now_us >= ipv6->since_us + FAMILY_BOND_SETTLE_US;
}

static bool are_apart(const struct vrrp_machine *ipv4, const struct vrrp_machine *ipv6)
{
    return ipv6->state == VRRP_ACTIVE && ipv6->hand_over_until_us == 0 &&
           ipv4->state == VRRP_BACKUP && ipv4->active_address.family != 0;
}

bool family_bond_hands_over(struct family_bond *bond,
                            const struct vrrp_machine *ipv4,
                            const struct vrrp_machine *ipv6,
                            uint64_t now_us)
{
    if (!are_apart(ipv4, ipv6) || !is_time(ipv4, ipv6, now_us))
        return false;
    bool again = ip_address_equal(&bond->asked, &ipv4->active_address);
    if (again && now_us < bond->next_us)
        return false;
    /* Whoever was asked before and has been active since can be asked at once. */
    if (!again || bond->next_us < ipv6->since_us)
        bond->delay_us = FAMILY_BOND_SETTLE_US;
    bond->asked = ipv4->active_address;
    bond->next_us = now_us + bond->delay_us;
    bond->delay_us *= FAMILY_BOND_DELAY_FACTOR;
    if (bond->delay_us > FAMILY_BOND_MAXIMUM_US)
        bond->delay_us = FAMILY_BOND_MAXIMUM_US;
    return true;
}
