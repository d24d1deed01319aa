#include "lbnode/model/message.h"

#include "lbnode/base/bytes.h"

static const struct {
    const char *name;
    size_t size;
} types[] = {[MESSAGE_NONE] = {"NONE", 0},
#define MESSAGE_ROW(name, structure) [MESSAGE_##name] = {#name, sizeof(structure)},
             MESSAGE_TYPES(MESSAGE_ROW)
#undef MESSAGE_ROW
};

bool message_is_valid(const struct message *message, size_t received)
{
    return received >= sizeof(*message) && message->type > MESSAGE_NONE &&
           message->type < MESSAGE_TYPE_COUNT && message->size == received &&
           types[message->type].size == received;
}

const char *message_type_name(uint16_t type)
{
    return type < ARRAY_LENGTH(types) ? types[type].name : "UNKNOWN";
}

const char *process_role_name(enum process_role role)
{
    static const char *const names[] = {"supervisor", "vrrp", "control", "health", "proxy"};
    return role < PROCESS_ROLE_COUNT ? names[role] : "unknown";
}

const char *vrrp_state_name(enum vrrp_state state)
{
    static const char *const names[] = {"initialize", "backup", "active", "fault"};
    return (size_t)state < ARRAY_LENGTH(names) ? names[state] : "unknown";
}
