#include "replication/writer.h"

#include "replication/memory.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queued {
    struct errand errand;
    int result;
};

struct writer {
    struct store *store;
    struct loop_io io; /* the eventfd */
    void (*on_done)(void *context, int result);
    void *context;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    struct store_batch batch;
    struct queued errands[WRITER_ERRANDS]; /* in their order */
    size_t errand_count, errands_ended;    /* ended: and the loop has not been told */
    bool has_batch, quit;
    bool batch_ended; /* the same */
    int result;
};

static void commit(struct writer *writer)
{
    pthread_mutex_unlock(&writer->lock);
    int result = store_commit(writer->store, &writer->batch);
    pthread_mutex_lock(&writer->lock);
    writer->result = result;
    writer->has_batch = false;
    writer->batch_ended = true;
}

static void run_errand(struct writer *writer)
{
    struct errand errand = writer->errands[writer->errands_ended].errand;
    pthread_mutex_unlock(&writer->lock);
    int result = errand.run(errand.argument);
    pthread_mutex_lock(&writer->lock);
    /* Those before it may have been told and taken out meanwhile. */
    writer->errands[writer->errands_ended++].result = result;
}

static bool has_errand(const struct writer *writer)
{
    return writer->errands_ended < writer->errand_count;
}

static void *run(void *argument)
{
    struct writer *writer = argument;
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        while (!writer->has_batch && !has_errand(writer) && !writer->quit)
            pthread_cond_wait(&writer->wake, &writer->lock);
        if (writer->has_batch)
            commit(writer);
        else if (has_errand(writer))
            run_errand(writer);
        else
            break;
        eventfd_write(writer->io.fd, 1);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

static bool take_ended(struct writer *writer, struct queued *out)
{
    pthread_mutex_lock(&writer->lock);
    bool ended = writer->errands_ended > 0;
    if (ended) {
        *out = writer->errands[0];
        writer->errands_ended--;
        memmove(writer->errands, writer->errands + 1,
                --writer->errand_count * sizeof(writer->errands[0]));
    }
    pthread_mutex_unlock(&writer->lock);
    return ended;
}

static void tell_errands(struct writer *writer)
{
    struct queued ended;
    while (take_ended(writer, &ended))
        ended.errand.done(ended.errand.argument, ended.result);
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct writer *writer = CONTAINER_OF(io, struct writer, io);
    eventfd_t count;
    if (eventfd_read(io->fd, &count) != 0)
        return;
    tell_errands(writer);
    pthread_mutex_lock(&writer->lock);
    int result = writer->result;
    bool ended = writer->batch_ended;
    writer->batch_ended = false;
    if (ended)
        store_batch_free(&writer->batch);
    pthread_mutex_unlock(&writer->lock);
    if (ended)
        writer->on_done(writer->context, result);
}

/* Signals belong to the loop's thread. */
static int start_thread(struct writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

struct writer *writer_new(struct loop *loop,
                          struct store *store,
                          void (*on_done)(void *context, int result),
                          void *context)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct writer *writer = memory_new(sizeof(*writer));
    writer->store = store;
    writer->on_done = on_done;
    writer->context = context;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->wake, NULL);
    if (loop_io_start(loop, &writer->io, fd, LOOP_READABLE, on_ready) == 0 &&
        start_thread(writer) == 0)
        return writer;
    loop_io_stop(&writer->io);
    close(fd);
    free(writer);
    return NULL;
}

void writer_commit(struct writer *writer, struct store_batch *batch)
{
    pthread_mutex_lock(&writer->lock);
    writer->batch = *batch;
    *batch = (struct store_batch){0};
    writer->has_batch = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
}

bool writer_run(struct writer *writer, const struct errand *errand)
{
    pthread_mutex_lock(&writer->lock);
    bool free_now = writer->errand_count < WRITER_ERRANDS && !writer->quit;
    if (free_now) {
        writer->errands[writer->errand_count++].errand = *errand;
        pthread_cond_signal(&writer->wake);
    }
    pthread_mutex_unlock(&writer->lock);
    return free_now;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->quit = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    tell_errands(writer);
    loop_io_stop(&writer->io);
    close(writer->io.fd);
    store_batch_free(&writer->batch);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->wake);
    free(writer);
}
