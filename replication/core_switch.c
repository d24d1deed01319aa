/* A member asks another one to give a VRRP group's addresses away (a planned switch that was
 * asked for on a node which is not active). The frame decides nothing: the receiver's control
 * process judges it as it would its own command line. */
#include "replication/core_internal.h"

#include <string.h>

enum {
    SWITCH_GAP_MS = 1000 /* a peer is listened to so often at most */
};

void core_ask_switch(const struct core_event *event, struct core_actions *actions)
{
    struct wire_writer body = {0};
    if (!uuid_is_zero(&event->switch_group))
        wire_put_bytes(&body, 1, (struct bytes){event->switch_group.bytes, 16});
    if (!uuid_is_zero(&event->switch_to))
        wire_put_bytes(&body, 2, (struct bytes){event->switch_to.bytes, 16});
    core_act_send(actions, &event->node, FRAME_SWITCH, &body);
}

void core_handle_switch(struct core *core,
                        struct peer *peer,
                        struct bytes body,
                        struct core_actions *actions)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    struct uuid ids[3] = {0}; /* by field number */
    while (wire_next(&reader, &field)) {
        if (field.number > 2)
            continue;
        if (field.type != WIRE_BYTES || field.bytes.size != 16)
            return;
        memcpy(ids[field.number].bytes, field.bytes.data, 16);
    }
    bool early =
        peer->switch_asked_us && core->now.mono_us - peer->switch_asked_us < SWITCH_GAP_MS * MS;
    if (!wire_ended(&reader) || early)
        return;
    peer->switch_asked_us = core->now.mono_us;
    struct core_action *action = core_act(actions, CORE_SWITCH_ASKED);
    action->peer = peer->id;
    action->switch_group = ids[1];
    action->switch_to = ids[2];
}
