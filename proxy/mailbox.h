/* Orders from the main thread to one worker: rare, so a lock and a list will do. */
#ifndef PROXY_MAILBOX_H
#define PROXY_MAILBOX_H

#include "lbnode/base/ip_address.h"

#include <pthread.h>
#include <stdbool.h>

struct generation;

enum order_kind {
    ORDER_ADOPT,  /* run `generation`, whose reference comes with the order */
    ORDER_LOOK,   /* at the members' connections: verdicts count in other pools now */
    ORDER_LISTEN, /* accept from `fd`, which comes with the order */
    ORDER_GONE,   /* stop accepting at `endpoint` */
    ORDER_DRAIN,  /* end when all is done, at the latest in `drain_ms` */
    ORDER_STOP,   /* end now */
};

struct order {
    struct order *next;
    enum order_kind kind;
    struct generation *generation;
    int fd;
    struct ip_endpoint endpoint;
    uint32_t drain_ms;
};

struct mailbox {
    pthread_mutex_t lock;
    struct order *first, **last;
    _Atomic uint32_t question; /* the newest; the worker repeats it: its loop turns */
    int event_fd;              /* readable while there are orders or a question */
};

/* 0 or -errno. */
int mailbox_open(struct mailbox *mailbox);
void mailbox_close(struct mailbox *mailbox);
/* Copies ORDER. False when out of memory. */
bool mailbox_post(struct mailbox *mailbox, const struct order *order);
/* Allocates nothing: it comes several times a second, for as long as the process runs. */
void mailbox_ask(struct mailbox *mailbox, uint32_t question);
/* Empties the mailbox: orders oldest first, to be freed by the caller. */
struct order *mailbox_take(struct mailbox *mailbox);

#endif
