/* Workers that behave badly, each in a process of its own that serves one connection. */
#ifndef TESTS_UNIT_HEALTH_HOSTILE_WORKER_H
#define TESTS_UNIT_HEALTH_HOSTILE_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a worker does with its connection; it ends with the process. */
struct behaviour {
    void (*serve)(int fd, const struct behaviour *behaviour);
    const char *data; /* to be sent, by some */
    size_t size;
    size_t padding;
};

/* On a plain connection: */
void serve_answer(int fd, const struct behaviour *behaviour);   /* reads first, stays */
void serve_greeting(int fd, const struct behaviour *behaviour); /* does not read first */
void serve_and_close(int fd, const struct behaviour *behaviour);
void serve_and_reset(int fd, const struct behaviour *behaviour);
void serve_and_shut(int fd, const struct behaviour *behaviour); /* its sending side */
void serve_in_bytes(int fd, const struct behaviour *behaviour); /* one by one, in time */
void serve_drip(int fd, const struct behaviour *behaviour);     /* one each 20 ms */
void serve_endless(int fd, const struct behaviour *behaviour); /* then its last byte for ever */
void serve_padded(int fd, const struct behaviour *behaviour);  /* then "y" and the head's end */
void serve_fields(int fd, const struct behaviour *behaviour);  /* then fields for ever */
void serve_interims(int fd, const struct behaviour *behaviour);
void serve_nothing(int fd, const struct behaviour *behaviour);
void serve_reset(int fd, const struct behaviour *behaviour); /* at once */
void serve_close(int fd, const struct behaviour *behaviour); /* at once */
void serve_deaf(int fd, const struct behaviour *behaviour);  /* its end is a reset */

/* On top of TLS, with a certificate that nobody signed and that has expired: */
void tls_answer(int fd, const struct behaviour *behaviour);
void tls_answer_1_2(int fd, const struct behaviour *behaviour); /* and no newer version */
void tls_cut(int fd, const struct behaviour *behaviour);     /* closed without close_notify */
void tls_close(int fd, const struct behaviour *behaviour);   /* after the handshake */
void tls_break(int fd, const struct behaviour *behaviour);   /* sends no record */
void tls_tickets(int fd, const struct behaviour *behaviour); /* and nothing else */
void tls_wants_certificate(int fd, const struct behaviour *behaviour); /* its end is a reset */

/* A listening socket of 127.0.0.1. */
int worker_listen(int backlog, int receive_buffer, uint16_t *out_port);
/* Serves one connection of LISTENER, which stays the caller's. */
pid_t worker_start(int listener, const struct behaviour *behaviour);
void worker_stop(pid_t worker);
/* In a worker: the end of its process will reset the connection. */
void worker_end_by_reset(int fd);

#endif
