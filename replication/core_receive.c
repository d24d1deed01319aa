/* Records of other nodes: checked in the order of replication.md 5.3, then kept in memory until
 * everything that they build on is there (core_stage.c takes them from here). */
#include "replication/core_internal.h"

#include "replication/core_root.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t pending_life_us = 600ull * 1000000;

static void want_more(struct core *core, const struct uuid *from, struct core_actions *actions)
{
    struct peer *peer = core_peer(core, from);
    if (peer)
        core_request_pull(core, peer, actions);
}

/* The key that must have signed RECORD; false when the signer is not known (yet). */
static bool signer_key(const struct core *core,
                       const struct record *record,
                       const struct stream *stream,
                       uint8_t out[SIGN_PUBLIC_KEY_SIZE])
{
    if (stream && stream->seq > 0) {
        memcpy(out, stream->public_key, SIGN_PUBLIC_KEY_SIZE);
        return true;
    }
    if (record->seq == 1)
        return core_find_key(core, &record->node_id, record->key_id, out);
    return stream && core_find_key(core, &stream->node_id, stream->key_id, out);
}

/* A second record with a number that is taken: either the same again, or a copied disk, or a
 * stolen key. The first one stands (replication.md 2). */
static void compare_duplicate(struct core *core,
                              struct stream *stream,
                              const struct record *record,
                              struct core_actions *actions)
{
    uint8_t hash[HASH_SIZE];
    uint64_t known = core_stream_hash(stream, record->seq);
    record_hash(record->whole, hash);
    if (!known || load_be64(hash) == known || stream->refused ||
        !record_verify(record, &core->genesis.cluster_id, stream->public_key))
        return;
    stream->refused = stream->dirty = core->streams_dirty = true;
    if (core->own_stream == stream->id)
        core->own_stream = 0;
    core_act_event(actions, EVENT_EQUIVOCATION,
                   "two different changes number %llu of stream %016llx of node %s; the first "
                   "one stands",
                   (unsigned long long)record->seq, (unsigned long long)stream->id,
                   core_node_name(core, &stream->node_id));
}

void core_pending_drop(struct core *core, size_t index)
{
    core->pending_bytes -= core->pending[index].record.whole.size;
    free((void *)(uintptr_t)core->pending[index].record.whole.data);
    memmove(core->pending + index, core->pending + index + 1,
            (--core->pending_count - index) * sizeof(*core->pending));
}

static bool is_pending(const struct core *core, struct dot dot)
{
    for (size_t i = 0; i < core->pending_count; i++)
        if (core->pending[i].record.stream == dot.stream &&
            core->pending[i].record.seq == dot.seq)
            return true;
    return false;
}

/* Is the predecessor of RECORD neither applied nor waiting for the commit that is under way? */
static bool
leaves_gap(const struct core *core, const struct record *record, const struct stream *stream)
{
    uint64_t have = stream ? stream->seq : 0;
    return record->seq > have + 1 &&
           !is_pending(core, (struct dot){record->stream, record->seq - 1});
}

static bool has_room(const struct core *core, const struct uuid *from, size_t size)
{
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < core->pending_count; i++) {
        if (!uuid_equal(&core->pending[i].from, from))
            continue;
        count++;
        bytes += core->pending[i].record.whole.size;
    }
    return count < PENDING_PER_PEER && bytes + size <= PENDING_PER_PEER_BYTES &&
           core->pending_bytes + size <= PENDING_BYTES;
}

static void
keep_pending(struct core *core, const struct record *record, const struct uuid *from)
{
    core->pending = memory_grow(core->pending, core->pending_count, &core->pending_capacity,
                                sizeof(*core->pending));
    struct pending *pending = &core->pending[core->pending_count++];
    *pending = (struct pending){.from = *from, .arrived_us = core->now.mono_us};
    struct bytes copy = {memory_copy(record->whole.data, record->whole.size),
                         record->whole.size};
    record_parse(copy, &pending->record); /* the same bytes: cannot fail */
    record_hash(copy, pending->hash);
    core->pending_bytes += copy.size;
    pace_arrival(&core->received_pace, core->now.mono_us,
                 core->received_pace.count + 1 + core->staged_count);
}

/* A peer that says that it does not hear the author gets the record from here, at once. What
 * comes by pull is old news. */
static void relay(struct core *core,
                  const struct record *record,
                  const struct uuid *author,
                  const struct uuid *from,
                  struct core_actions *actions)
{
    const struct peer *source = core_peer(core, from);
    if (!source || !uuid_equal(author, from) || core->now.mono_us < source->pull_until_us)
        return;
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        struct wire_writer body = {0};
        if (peer == source || !core_peer_is_alive(peer) || !peer->hears_known ||
            core_peer_hears(core, peer, author) ||
            vv_get(&peer->durable, record->stream) >= record->seq)
            continue;
        wire_append(&body, record->whole.data, record->whole.size);
        core_act_send(actions, &peer->id, FRAME_RECORD, &body);
    }
}

static size_t count_void_streams(const struct core *core)
{
    size_t count = 0;
    for (size_t i = 0; i < core->stream_count; i++)
        count += core->streams[i]->seq == 0;
    return count;
}

/* NULL: there is no room. */
static struct stream *add_void_stream(struct core *core,
                                      uint64_t id,
                                      const struct uuid *node_id,
                                      const uint8_t key_id[RECORD_KEY_ID_SIZE])
{
    if (count_void_streams(core) >= VOID_STREAMS || core->stream_count >= VV_MAXIMUM_ENTRIES)
        return NULL;
    struct stream *stream = core_stream_add(core, id);
    stream->node_id = *node_id;
    memcpy(stream->key_id, key_id, sizeof(stream->key_id));
    stream->dirty = core->streams_dirty = core->pending_dirty = true;
    return stream;
}

/* The opening of a stream that a removal made void: it changes nothing, but from now on it is
 * known whose stream that is, and that nobody need wait for it. The key of a node that a void
 * record admitted, or one that a void record replaced, is not known here: then it has to be
 * believed, and costs nothing, for the node stays out. */
static void note_void_stream(struct core *core, const struct record *record)
{
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    bool is_known = signer_key(core, record, NULL, key);
    if (record->seq != 1 ||
        (is_known && !record_verify(record, &core->genesis.cluster_id, key)))
        return;
    struct stream *stream =
        add_void_stream(core, record->stream, &record->node_id, record->key_id);
    if (stream)
        core_note_revocation(stream, record);
}

/* Whose STREAM is was only believed so far; RECORD proves it. */
static void
name_void_stream(struct core *core, struct stream *stream, const struct record *record)
{
    stream->node_id = record->node_id;
    memcpy(stream->key_id, record->key_id, sizeof(stream->key_id));
    core_note_revocation(stream, record);
    stream->dirty = core->streams_dirty = true;
}

/* Whoever has the opening may be out itself by now; then those tell of it who met it before. */
void core_put_void_streams(const struct core *core, struct wire_writer *out)
{
    for (size_t i = 0; i < core->stream_count; i++) {
        const struct stream *stream = core->streams[i];
        struct wire_writer entry = {0};
        if (stream->seq > 0 || core_cutoff(core, stream) > 0)
            continue;
        wire_put_fixed64(&entry, 1, stream->id);
        wire_put_bytes(&entry, 2, (struct bytes){stream->node_id.bytes, 16});
        wire_put_bytes(&entry, 3, (struct bytes){stream->key_id, RECORD_KEY_ID_SIZE});
        wire_put_bytes(out, 3, wire_written(&entry));
        wire_writer_free(&entry);
    }
}

static void take_void_stream(struct core *core, struct bytes entry)
{
    struct wire_reader reader = wire_reader_of(entry);
    struct wire_field field;
    struct stream said = {0};
    struct bytes node_id = {0}, key_id = {0};
    while (wire_next(&reader, &field)) {
        if (field.number == 1 && field.type == WIRE_FIXED64)
            said.id = field.integer;
        else if (field.number == 2)
            node_id = field.bytes;
        else if (field.number == 3)
            key_id = field.bytes;
    }
    if (!wire_ended(&reader) || said.id == 0 || core_stream(core, said.id) ||
        node_id.size != sizeof(said.node_id.bytes) || key_id.size != sizeof(said.key_id))
        return;
    memcpy(said.node_id.bytes, node_id.data, node_id.size);
    memcpy(said.key_id, key_id.data, key_id.size);
    if (core_cutoff(core, &said) == 0)
        add_void_stream(core, said.id, &said.node_id, said.key_id);
}

void core_take_void_streams(struct core *core, struct bytes body)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    while (wire_next(&reader, &field))
        if (field.number == 3 && field.type == WIRE_BYTES)
            take_void_stream(core, field.bytes);
}

void core_receive_record(struct core *core,
                         struct bytes whole,
                         const struct uuid *from,
                         struct core_actions *actions)
{
    struct record record;
    if (!core->initialised || core->removed || core->unwritten.bytes >= UNWRITTEN_BYTES ||
        !record_parse(whole, &record))
        return;
    struct stream *stream = core_stream(core, record.stream);
    if (stream && record.seq <= stream->seq) {
        compare_duplicate(core, stream, &record, actions);
        stream->touched = ++core->touches;
        core_acknowledge(core, from, ACK_ASKED, actions);
        return;
    }
    uint64_t limit = core_cutoff_of(core, &record);
    if (!stream && limit == 0) {
        note_void_stream(core, &record);
        stream = core_stream(core, record.stream);
    }
    if (stream && stream->refused)
        return;
    if (record.seq > limit && !(stream && core_may_lift(core, stream))) {
        const struct uuid *author = stream ? &stream->node_id : &record.node_id;
        if (!core_is_root(core, author) && !roster_find(&core->roster, author))
            want_more(core, from, actions);
        return;
    }
    if (is_pending(core, (struct dot){record.stream, record.seq})) {
        core_acknowledge(core, from, ACK_ASKED, actions);
        return;
    }
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    if (!signer_key(core, &record, stream, key)) {
        want_more(core, from, actions);
        return;
    }
    if (!has_room(core, from, whole.size) ||
        !record_verify(&record, &core->genesis.cluster_id, key))
        return;
    if (stream && stream->seq == 0 && record.seq == 1)
        name_void_stream(core, stream, &record);
    bool gap = leaves_gap(core, &record, stream);
    keep_pending(core, &record, from);
    if (stream) {
        stream->touched = ++core->touches;
        core_acknowledge(core, &stream->node_id, ACK_RECEIVED, actions);
    }
    relay(core, &record, stream ? &stream->node_id : &record.node_id, from, actions);
    if (gap)
        want_more(core, from, actions);
}

bool core_has_arrivals(const struct core *core)
{
    return core->pending_dirty || core->received_pace.count > 0;
}

void core_expire_pending(struct core *core)
{
    for (size_t i = core->pending_count; i-- > 0;)
        if (core->pending[i].arrived_us + pending_life_us < core->now.mono_us)
            core_pending_drop(core, i);
}
