/* Snapshots between the nodes of the world: a stream that carries some parts at a time, and
 * ends when the link is cut or one of the two is down. */
#include "tests/sim/replication_world.h"

#include "replication/memory.h"
#include "replication/snapshot_build.h"
#include "replication/snapshot_read.h"

#include <stdlib.h>
#include <string.h>

void world_end_sending(struct world_node *node)
{
    struct world_sending *sending = &node->sending;
    if (sending->reader && node->core)
        core_hold_log(node->core, false);
    snapshot_reader_free(sending->reader);
    *sending = (struct world_sending){0};
}

static void refuse(struct world_node *node, const struct uuid *peer, uint64_t number)
{
    struct wire_writer end = {0};
    pull_end(false, number, &end);
    world_send(node, peer, FRAME_PULL_END, wire_written(&end), true);
    wire_writer_free(&end);
}

void world_send_snapshot(struct world_node *node, const struct core_action *action)
{
    struct world_sending *sending = &node->sending;
    if (sending->transfer && !uuid_equal(&sending->peer, &action->peer)) {
        refuse(node, &action->peer, action->token);
        return;
    }
    world_end_sending(node);
    sending->peer = action->peer;
    sending->transfer = ++node->world->transfers;
    world_pump_later(node);
}

void world_stop_snapshot(struct world_node *node, const struct core_action *action)
{
    if (uuid_equal(&node->sending.peer, &action->peer) &&
        node->sending.transfer == action->token)
        world_end_sending(node);
}

static const struct world_node *receiver_of(const struct world_node *node)
{
    const struct world *world = node->world;
    for (unsigned i = 0; i < world->node_count; i++)
        if (uuid_equal(&world->nodes[i].id, &node->sending.peer) &&
            !world->cut[node->number][i] && world->nodes[i].core)
            return &world->nodes[i];
    return NULL;
}

static bool send_part(struct world_node *node)
{
    struct world_sending *sending = &node->sending;
    struct wire_writer body = {0};
    uint32_t type;
    int result = snapshot_reader_next(sending->reader, &type, &body);
    if (result > 0)
        world_send(node, &sending->peer, type, wire_written(&body), true);
    wire_writer_free(&body);
    return result > 0;
}

void world_pump(struct world_node *node)
{
    struct world_sending *sending = &node->sending;
    const struct world_node *to = receiver_of(node);
    if (!sending->transfer)
        return;
    if (!to || (sending->reader && to->epoch != sending->epoch)) {
        world_end_sending(node);
        return;
    }
    if (!sending->reader && !node->is_committing) {
        sending->epoch = to->epoch;
        sending->reader = snapshot_reader_new(node->core, node->store, sending->transfer);
        if (sending->reader)
            core_hold_log(node->core, true);
    }
    bool more = true;
    for (uint64_t i = 0; sending->reader && more && i <= world_below(node->world, 12); i++)
        more = send_part(node);
    if (more)
        world_pump_later(node);
    else
        world_end_sending(node);
}

/* ---- what a node has above ----------------------------------------------------------------
 */

struct collecting {
    struct world_node *node;
    struct vv covered;
};

static void give_back(void *context, struct bytes bytes)
{
    struct collecting *collecting = context;
    struct record record;
    if (record_parse(bytes, &record))
        vv_raise(&collecting->covered, record.stream, record.seq);
    world_step_once(collecting->node, &(struct core_event){.kind = CORE_KEPT, .body = bytes});
}

void world_collect(struct world_node *node, const struct core_action *action)
{
    struct collecting collecting = {.node = node};
    world_end_sending(node); /* what it reads is about to be replaced */
    bool more =
        vv_parse((struct bytes){action->body, action->body_size}, 1, &collecting.covered);
    int result = more ? 0 : -1;
    while (more && !result) {
        struct wire_writer have = {0};
        vv_put(&have, 1, &collecting.covered);
        result = pull_answer(node->store, wire_written(&have), core_durable(node->core),
                             give_back, &collecting, &more);
        wire_writer_free(&have);
    }
    vv_free(&collecting.covered);
    world_step_once(node, &(struct core_event){.kind = CORE_KEPT_END, .result = result});
}

/* ---- a whole one at once ------------------------------------------------------------------
 */

static enum snapshot_progress
copy_part(struct snapshot_reader *reader, struct snapshot_build *build, struct core_now now)
{
    struct wire_writer body = {0};
    struct snapshot_part part;
    uint32_t type;
    enum snapshot_progress progress = SNAPSHOT_IS_WRONG;
    if (snapshot_reader_next(reader, &type, &body) > 0 &&
        snapshot_part_parse(type, wire_written(&body), &part))
        progress = snapshot_build_take(build, &part, now);
    wire_writer_free(&body);
    return progress;
}

void world_copy_state(struct world_node *from, struct world_node *to)
{
    struct snapshot_reader *reader = snapshot_reader_new(from->core, from->store, 1);
    enum snapshot_progress progress = reader ? SNAPSHOT_GOES_ON : SNAPSHOT_IS_WRONG;
    struct snapshot_build *build = snapshot_build_new(to->core);
    to->core = NULL;
    while (progress == SNAPSHOT_GOES_ON)
        progress = copy_part(reader, build, world_now_of(to));
    snapshot_reader_free(reader);
    if (progress == SNAPSHOT_COMPLETE) {
        snapshot_build_finish(build);
        world_note_records(to->world, snapshot_build_rows(build));
        store_commit(to->store, snapshot_build_rows(build));
    } else if (!from->has_rot) {
        world_fail(to->world, "node %u gives no snapshot: %s", from->number,
                   reader ? snapshot_build_problem(build) : "it commits");
    }
    snapshot_build_free(build);
    world_start(to->world, to);
}
