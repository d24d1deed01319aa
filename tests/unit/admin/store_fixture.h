/* A node with the API and a real store in a temporary directory, without a network. */
#ifndef TESTS_UNIT_ADMIN_STORE_FIXTURE_H
#define TESTS_UNIT_ADMIN_STORE_FIXTURE_H

#include "tests/unit/admin/api_fixture.h"

struct store_fixture {
    struct api_fixture api;
    char state_dir[64];
    void (*unconfirmed)(void *context);    /* of the handler, or NULL; set before */
    void (*tamper)(const char *state_dir); /* before it is opened; or NULL */
    struct retention retention;            /* set before it is opened; zeros: all is kept */
};

void store_fixture_open(struct store_fixture *fixture);
/* The same store in a new process, as it were. */
void store_fixture_restart(struct store_fixture *fixture);
void store_fixture_close(struct store_fixture *fixture);

#endif
