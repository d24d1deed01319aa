/* The node that the tests of the API ask, with a replication that they control, and the objects
 * of a small working configuration on it. */
#ifndef TESTS_UNIT_ADMIN_API_GUIDE_H
#define TESTS_UNIT_ADMIN_API_GUIDE_H

#include "tests/unit/admin/api_fixture.h"
#include "tests/unit/admin/fake_replication.h"

#define LBAAS "/v2.0/lbaas"

/* The ids of what play_guide made. */
struct guide {
    char balancer[40], listener[40], pool[40], first[40], second[40], monitor[40];
};

/* The one node of a test program. */
struct api_fixture *api_guide_node(void);

int api_guide_setup(void **state);
int api_guide_teardown(void **state);
/* Load balancer web, listener http, pool workers with members w1 and w2, and a monitor. */
struct guide play_guide(void);
/* Asks for the target PREFIX, ID and SUFFIX together. */
struct api_answer call_id(const char *method,
                          const char *prefix,
                          const char *id,
                          const char *suffix,
                          const char *body);

#define API_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, api_guide_setup, api_guide_teardown)

#endif
