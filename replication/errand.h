/* Work that waits for a disk, done on the thread that commits, between commits. */
#ifndef REPLICATION_ERRAND_H
#define REPLICATION_ERRAND_H

struct errand {
    int (*run)(void *argument);               /* on that thread; 0 or -errno */
    void (*done)(void *argument, int result); /* on the loop's, once */
    void *argument;                           /* the caller's, until DONE */
};

#endif
