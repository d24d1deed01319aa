/* Free virtual router ids: neither heard on a link of this node lately nor used by a group. */
#ifndef LBNODE_ADMIN_VRID_CHOICE_H
#define LBNODE_ADMIN_VRID_CHOICE_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/error.h"

/* 0 with ERROR when all 255 are taken. */
uint8_t vrid_choose(const struct node_state *state, struct error *error);
/* Before replication_init: the first group takes none that was heard. */
void vrid_avoid_heard(const struct node_state *state);
/* Who, other than a node, was heard on VRID lately; NULL: nobody. */
const struct vrid_heard *vrid_stranger(const struct node_state *state, int64_t vrid);

#endif
