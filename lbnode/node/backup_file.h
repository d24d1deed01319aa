/* The parts of a backup that touch files and people: the passphrase, the file, and whether the
 * backup fits the node that is asked to take it. */
#ifndef LBNODE_NODE_BACKUP_FILE_H
#define LBNODE_NODE_BACKUP_FILE_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/error.h"
#include "lbnode/cli/client.h"

enum {
    PASSPHRASE_SIZE = 1024,
    BACKUP_GENESIS = 2, /* fields; see replication.h */
    BACKUP_ROSTER = 6,
    BACKUP_RECORD = 7,
    BACKUP_GENESIS_MAXIMUM = 1024
};

/* Is an item that starts with LETTER a part of a snapshot that holds no change? */
static inline bool backup_is_framing(uint8_t letter)
{
    return letter >= 20 && letter <= 23 && letter != 22;
}

/* The first line of PATH, or asked for on the terminal (twice when TWICE) without echo. */
bool backup_read_passphrase(const char *path,
                            bool twice,
                            char out[PASSPHRASE_SIZE],
                            struct error *error);
/* As a whole or not at all, 0600: beside it first, synced, renamed. */
bool backup_file_write(const char *path, struct bytes content, struct error *error);
/* malloc'd. */
bool backup_file_read(const char *path, size_t maximum, struct bytes *out, struct error *error);
/* A node that is in no cluster may only become one that the backup knows. */
bool backup_fits_node(const struct client *client, struct bytes content, struct error *error);

#endif
