#include "lbnode/model/field_rows.h"
#include "lbnode/model/message.h"

/* In the order of the enums of resource.h. */
static const char *const policies[] = {"STRICT", "COMPAT", NULL};
static const char *const modes[] = {"UNICAST", "MULTICAST", NULL};
static const char *const checksums[] = {"RFC9568", "PSEUDO", NULL};

/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(FIELD_INTERNAL),
    {.name = "vrid", .type = FIELD_INTEGER, FIELD_AT(vrrp_group, vrid),
     .facet = 10, .tag = 1, .flags = FIELD_REQUIRED | FIELD_PICKED, .minimum = 1,
     .maximum = 255,
     .help = "virtual router id; unique among the VRRP routers of a link; not given: a free one"},
    {.name = "interface", .type = FIELD_TEXT, FIELD_AT(vrrp_group, interface),
     .facet = 10, .tag = 2, .flags = FIELD_NULLABLE, .minimum = 1, .maximum = 15,
     .check = check_interface,
     .help = "interface of the addresses; not set: the one whose subnet has them"},
    {.name = "preference", .type = FIELD_TEXT_MAP, FIELD_AT(vrrp_group, preference),
     .facet = 11, .tag = 1, .maximum = TEXT_ITEM_MAXIMUM, .check = check_preference,
     .help = "priority of a node by name, 1 to 254; a node that is not named has 100"},
    {.name = "advert_interval_ms", .type = FIELD_INTEGER,
     FIELD_AT(vrrp_group, advert_interval_ms), .facet = 12, .tag = 1, .minimum = 10,
     .maximum = 40950, .default_text = "20", .unit = "ms",
     .help = "time from advert to advert; a takeover needs about four of them"},
    {.name = "preempt", .type = FIELD_BOOL, FIELD_AT(vrrp_group, preempt),
     .facet = 12, .tag = 2, .default_text = "false",
     .help = "true lets a node of higher priority take the addresses back"},
    {.name = "preempt_delay_s", .type = FIELD_INTEGER, FIELD_AT(vrrp_group, preempt_delay_s),
     .facet = 12, .tag = 3, .maximum = 86400, .default_text = "0", .unit = "s",
     .help = "time that such a node waits before it does"},
    {.name = "policy", .type = FIELD_ENUM, FIELD_AT(vrrp_group, policy),
     .facet = 13, .tag = 1, .default_text = "STRICT", .choices = policies,
     .help = "COMPAT follows any VRRP router of the link, as the RFC has it; STRICT only nodes"},
    {.name = "mode", .type = FIELD_ENUM, FIELD_AT(vrrp_group, mode),
     .facet = 13, .tag = 2, .default_text = "UNICAST", .choices = modes,
     .help = "adverts go to each node, or by MULTICAST where other VRRP routers take part"},
    {.name = "checksum", .type = FIELD_ENUM, FIELD_AT(vrrp_group, checksum),
     .facet = 13, .tag = 3, .default_text = "RFC9568", .choices = checksums,
     .help = "of IPv4 adverts; PSEUDO is what keepalived and FRR expect by default"},
    {.name = "unicast_peers", .type = FIELD_TEXT_LIST, FIELD_AT(vrrp_group, unicast_peers),
     .facet = 13, .tag = 4, .maximum = IP_ADDRESS_TEXT_SIZE, .item = ITEM_ADDRESS,
     .most_items = VRRP_GROUP_ROUTERS_MAXIMUM, .check = check_router,
     .help = "VRRP routers that are no nodes: with COMPAT adverts go to them too"},
    {.name = "gateway", .type = FIELD_ADDRESS, FIELD_AT(vrrp_group, gateway),
     .facet = 14, .tag = 1, .flags = FIELD_NULLABLE,
     .help = "a router on the link; a node that it does not answer gives the addresses away"},
};
/* clang-format on */

const struct resource_class vrrp_group_class = {
    .type = RESOURCE_VRRP_GROUP,
    .noun = "vrrp_group",
    .short_noun = "vrrpgroup",
    .plural = "vrrp_groups",
    .path = "/vrrp_groups",
    .title = "VRRP Group",
    .size = sizeof(struct vrrp_group),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
};
