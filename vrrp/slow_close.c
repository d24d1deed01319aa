#include "vrrp/slow_close.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum {
    STACK_SIZE = 64 << 10 /* all memory of this process is locked */
};

static void *close_it(void *context)
{
    close((int)(intptr_t)context);
    return NULL;
}

/* Signals are for the thread of the loop. */
static bool start_thread(int fd)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0 &&
                   pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                   pthread_create(&thread, &attributes, close_it, (void *)(intptr_t)fd) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

void slow_close(int fd)
{
    if (!start_thread(fd))
        close(fd);
}
