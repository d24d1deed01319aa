/* Backups of a truncated log: a snapshot, each part of it one item, `type u8 ‖ body` as in a
 * frame (docs/protocol.md, "Snapshots"). */
#ifndef REPLICATION_BACKUP_PARTS_H
#define REPLICATION_BACKUP_PARTS_H

#include "replication/record_set.h"
#include "replication/replication_internal.h"
#include "replication/snapshot_frames.h"

/* Begins to read; one at a time, a new one ends the old one. False while a commit is under way:
 * ask again. Meanwhile nothing is removed from the log. */
bool backup_reading_start(struct replication *replication);
/* The next items, about 1 MiB, as field 7; HAVE is what the page before gave. */
bool backup_reading_page(struct replication *replication,
                         struct bytes have,
                         struct wire_writer *out_page,
                         struct wire_writer *out_have,
                         bool *out_more,
                         struct error *error);
void backup_reading_end(struct replication *replication);
/* Ends one that nobody has asked for in a minute. */
void backup_reading_tick(struct replication *replication);
/* Does HAVE belong to a backup of parts? */
bool backup_is_page_of_parts(struct bytes have);

/* False: ITEM is a plain record, or nothing at all. */
bool backup_part_parse(struct bytes item, struct snapshot_part *out);
/* The record in ITEM, whichever kind of backup it is of; empty: none. */
struct bytes backup_record_of(struct bytes item);

/* What ITEM has, for record_set_replay. False: it is malformed, or there is no room. */
bool backup_gather(struct bytes item, struct record_set *set);

/* Items of a backup in their order, for a node in no cluster; over several calls. After the
 * last one the node has the state. */
void backup_install(struct replication *replication,
                    struct bytes genesis,
                    const struct bytes *items,
                    size_t count,
                    struct restore_result *out);
void backup_install_cancel(struct replication *replication);

#endif
