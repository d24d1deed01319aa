/* Keeps the file of vouch_file.h as new as the list of it, while the disk may be slow: one
 * write at a time, each of the list as it is when that begins, so an older one never comes
 * last. */
#ifndef LBNODE_NODE_VOUCH_SAVER_H
#define LBNODE_NODE_VOUCH_SAVER_H

#include "lbnode/node/vouch_file.h"
#include "replication/replication.h"

#include <stdbool.h>

struct vouch_saver {
    const char *state_dir;
    const struct vouch_list *list;
    /* Does the errand elsewhere and tells its end later; false: not now. */
    bool (*start)(void *context, const struct errand *errand);
    void *context;
    struct vouch_list written; /* not the caller's while `writes` */
    bool wanted;               /* the list changed since it was last written */
    bool writes;
};

/* If it is WANTED. What cannot be started waits for the next call, or the end of the last
 * write.
 */
void vouch_saver_save(struct vouch_saver *saver);

#endif
