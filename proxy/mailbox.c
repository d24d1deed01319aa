#include "proxy/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_open(struct mailbox *mailbox)
{
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->question = 0;
    mailbox->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->event_fd < 0)
        return -errno;
    pthread_mutex_init(&mailbox->lock, NULL);
    return 0;
}

void mailbox_close(struct mailbox *mailbox)
{
    struct order *order = mailbox_take(mailbox);
    while (order) {
        struct order *next = order->next;
        if (order->kind == ORDER_LISTEN)
            close(order->fd);
        free(order);
        order = next;
    }
    pthread_mutex_destroy(&mailbox->lock);
    close(mailbox->event_fd);
}

bool mailbox_post(struct mailbox *mailbox, const struct order *order)
{
    struct order *copy = malloc(sizeof(*copy));
    if (!copy)
        return false;
    *copy = *order;
    copy->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    *mailbox->last = copy;
    mailbox->last = &copy->next;
    pthread_mutex_unlock(&mailbox->lock);
    eventfd_write(mailbox->event_fd, 1);
    return true;
}

void mailbox_ask(struct mailbox *mailbox, uint32_t question)
{
    atomic_store(&mailbox->question, question);
    eventfd_write(mailbox->event_fd, 1);
}

struct order *mailbox_take(struct mailbox *mailbox)
{
    eventfd_t ignored;
    eventfd_read(mailbox->event_fd, &ignored);
    pthread_mutex_lock(&mailbox->lock);
    struct order *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}
