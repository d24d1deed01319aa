/* What tests of the past have in common: one node with a real store, a pool, and calls. */
#ifndef TESTS_UNIT_ADMIN_HISTORY_CALLS_H
#define TESTS_UNIT_ADMIN_HISTORY_CALLS_H

#include "tests/support/test.h"
#include "tests/unit/admin/store_fixture.h"

#include <stdio.h>
#include <string.h>

#define LBAAS "/v2.0/lbaas"

static struct store_fixture node;

static int setup(void **state)
{
    store_fixture_open(&node);
    return 0;
}

static int teardown(void **state)
{
    node.retention = (struct retention){0};
    store_fixture_close(&node);
    return 0;
}

/* Asks, expects STATUS, and returns the answer. */
static struct api_answer
ask(const char *method, const char *target, const char *body, int status)
{
    struct api_answer answer = api_call(&node.api, method, target, body);
    if (answer.status != status)
        fail_msg("%s %s %s: %d %s", method, target, body ? body : "", answer.status,
                 text_string(&answer.body));
    return answer;
}

/* Makes a change; its id goes to OUT if that is not NULL. */
static void change(const char *method, const char *target, const char *body, char out[40])
{
    struct api_answer answer = api_call(&node.api, method, target, body);
    if (answer.status >= 300)
        fail_msg("%s %s %s: %d %s", method, target, body ? body : "", answer.status,
                 text_string(&answer.body));
    if (out)
        snprintf(out, 40, "%s", api_field(&answer, "X-Lbnode-Change"));
    api_answer_free(&answer);
}

static void make_pool(char out_path[80])
{
    struct api_answer answer =
        ask("POST", LBAAS "/pools",
            "{\"pool\":{\"name\":\"workers\",\"protocol\":\"HTTP\",\"lb_algorithm\":"
            "\"ROUND_ROBIN\",\"loadbalancer\":{\"name\":\"web\"}}}",
            400);
    api_answer_free(&answer);
    answer = ask("POST", LBAAS "/loadbalancers",
                 "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}}", 201);
    char body[200];
    snprintf(body, sizeof(body),
             "{\"pool\":{\"name\":\"workers\",\"protocol\":\"HTTP\",\"lb_algorithm\":"
             "\"ROUND_ROBIN\",\"loadbalancer_id\":\"%s\"}}",
             json_value_get_text(json_value_get(answer.json, "loadbalancer"), "id"));
    api_answer_free(&answer);
    answer = ask("POST", LBAAS "/pools", body, 201);
    snprintf(out_path, 80, LBAAS "/pools/%s",
             json_value_get_text(json_value_get(answer.json, "pool"), "id"));
    api_answer_free(&answer);
}

static void describe(const char *path, const char *text, char out[40])
{
    char body[80];
    snprintf(body, sizeof(body), "{\"pool\":{\"description\":\"%s\"}}", text);
    change("PUT", path, body, out);
}

#endif
