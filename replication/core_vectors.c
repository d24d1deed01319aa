/* VV frames. Folded streams are most of a vector after some years, and the same on all nodes
 * but for some hours: so normally their digest stands for them. */
#include "replication/core_internal.h"

/* OUT_OPEN and OUT_FOLDED: what others see, divided. */
static void divide(const struct core *core, struct vv *out_open, struct vv *out_folded)
{
    for (size_t i = 0; i < core->shown.count; i++) {
        const struct dot *dot = &core->shown.entries[i];
        const struct stream *stream = core_stream(core, dot->stream);
        vv_raise(stream && stream->folded ? out_folded : out_open, dot->stream, dot->seq);
    }
}

/* Has every peer said that it has folded the same streams as this node? */
static bool all_have_folded(const struct core *core)
{
    struct vv open = {0}, folded = {0};
    divide(core, &open, &folded);
    uint64_t digest = vv_digest(&folded);
    bool all = true;
    for (size_t i = 0; folded.count > 0 && i < core->peer_count; i++)
        all &= core->peers[i]->folded_known && core->peers[i]->folded_digest == digest;
    vv_free(&open);
    vv_free(&folded);
    return all;
}

/* What is not here may be made under an id that it had before: a document may give ids. Who has
 * not purged the old one yet must see that the new one replaces it, and the streams that told
 * of the old one may be folded here. Once all have folded them, nobody has any of it. */
bool core_names_folded(const struct core *core, const struct change_set *changes)
{
    bool makes = false;
    for (size_t i = 0; i < changes->count && !makes; i++)
        makes =
            changes->ops[i].anew || !facet_object(&core->facets, &changes->ops[i].object_id);
    return makes && core->applied.count <= RECORD_DEPENDENCIES_MAXIMUM &&
           !all_have_folded(core);
}

void core_put_vector(const struct core *core,
                     const struct peer *peer,
                     bool wants_reply,
                     struct wire_writer *out)
{
    struct vv open = {0}, folded = {0};
    divide(core, &open, &folded);
    uint64_t digest = vv_digest(&folded);
    vv_put(out, 1, &open);
    wire_put_varint(out, 2, wants_reply);
    if (folded.count > 0)
        wire_put_fixed64(out, 3, digest);
    if (!peer->folded_known || peer->folded_digest != digest)
        vv_put(out, 4, &folded);
    vv_free(&open);
    vv_free(&folded);
}

/* The peer's folded streams: as it lists them, or this node's if they are the same. */
static bool add_folded(const struct core *core,
                       const struct peer *peer,
                       struct bytes body,
                       struct vv *theirs)
{
    struct vv open = {0}, folded = {0}, listed;
    if (!vv_parse(body, 4, &listed))
        return false;
    divide(core, &open, &folded);
    bool complete = peer->folded_digest == vv_digest(&listed);
    if (complete)
        vv_merge(theirs, &listed);
    else if (peer->folded_digest == vv_digest(&folded))
        complete = vv_merge(theirs, &folded) || folded.count == 0;
    vv_free(&open);
    vv_free(&folded);
    vv_free(&listed);
    return complete;
}

bool core_take_vector(const struct core *core,
                      struct peer *peer,
                      struct bytes body,
                      struct vector_frame *out)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    *out = (struct vector_frame){0};
    if (!vv_parse(body, 1, &out->vector))
        return false;
    peer->folded_digest = vv_digest(&(struct vv){0});
    peer->folded_known = true;
    while (wire_next(&reader, &field)) {
        if (field.number == 2)
            out->wants_reply = field.integer == 1;
        else if (field.number == 3 && field.type == WIRE_FIXED64)
            peer->folded_digest = field.integer;
    }
    out->is_complete = add_folded(core, peer, body, &out->vector);
    return true;
}
