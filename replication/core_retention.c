/* What of the past is kept (replication.md 3.4): records and tombstones that every active node
 * has, that nothing needs any more and that are old enough go; streams of which nothing is left
 * are folded. */
#include "replication/core_internal.h"

uint64_t core_truncated(const struct core *core, uint64_t stream)
{
    const struct stream *found = core_stream(core, stream);
    return found ? found->truncated : 0;
}

bool core_can_answer(const struct core *core, const struct vv *have)
{
    for (size_t i = 0; i < core->stream_count; i++)
        if (vv_get(have, core->streams[i]->id) < core->streams[i]->truncated)
            return false;
    return true;
}
