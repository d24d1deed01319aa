/* Whole commands against a scripted daemon: a thread that checks each request and plays the
 * answer that stands beside it. */
#ifndef TESTS_UNIT_CLI_SCRIPTED_DAEMON_H
#define TESTS_UNIT_CLI_SCRIPTED_DAEMON_H

#include "lbnode/base/bytes.h"

#include <pthread.h>
#include <stddef.h>

struct step {
    const char *request; /* "METHOD TARGET BODY" */
    const char *answer;  /* status line, fields and body */
};

struct daemon {
    int listener;
    char path[64], directory[32];
    const struct step *steps;
    size_t step_count;
    size_t mistakes;
    pthread_t thread;
};

#define ANSWER(status, fields, body)                                                           \
    "HTTP/1.1 " status "\r\nConnection: close\r\n" fields "\r\n" body

void daemon_start(struct daemon *daemon, const struct step *steps, size_t count);
void daemon_stop(struct daemon *daemon);

/* What the last command printed to standard output. */
const char *printed(void);

/* Runs COMMAND against STEPS; all of them must have been asked for, in order. Its exit code. */
int run(const char *const *command, size_t words, const struct step *steps, size_t step_count);

#define RUN(steps, ...)                                                                        \
    run((const char *[]){__VA_ARGS__}, ARRAY_LENGTH(((const char *[]){__VA_ARGS__})), steps,   \
        ARRAY_LENGTH(steps))

#endif
