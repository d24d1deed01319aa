/* lbnode backup FILE and lbnode restore FILE: the daemon's records in one encrypted file, and
 * back. Here and not in cli, which knows no cryptography. */
#ifndef LBNODE_NODE_BACKUP_COMMAND_H
#define LBNODE_NODE_BACKUP_COMMAND_H

/* ARGV after the command's word; exit status. */
int backup_command(int argc, char **argv);
int restore_command(int argc, char **argv);

#endif
