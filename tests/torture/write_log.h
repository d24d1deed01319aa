/* The log of writes that write_log.c makes and replay.c reads; numbers in host order. */
#ifndef TESTS_TORTURE_WRITE_LOG_H
#define TESTS_TORTURE_WRITE_LOG_H

#include <stdint.h>

enum {
    WRITE_LOG_HEAD = 17
};

enum write_log_kind {
    WRITE_LOG_WRITE = 1,    /* at an offset, with bytes */
    WRITE_LOG_WRITE_SYNCED, /* the same through a descriptor with O_DSYNC */
    WRITE_LOG_SYNC,         /* everything before is on disk */
    WRITE_LOG_LENGTH,       /* the file is this long from now on */
    WRITE_LOG_ACKNOWLEDGED, /* the writer told so */
};

#endif
