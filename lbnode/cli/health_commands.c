/* healthmonitor test: all nodes probe the members of a pool now, and tell. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/cli/health_text.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_MS = 100,
    AGAIN_MS = 1000, /* the daemon takes a question again after so long */
    YOUNG_MS = 100,
    /* Exit codes, as those of status --check. */
    TEST_SOME_FAILED = 10,
    TEST_ALL_FAILED = 11,
};

struct test {
    struct context *context;
    char pool_id[UUID_TEXT_SIZE];
    int64_t asked_at, asked_ms_ago, limit_ms, members;
    struct json_value *health; /* the last look */
};

struct tally {
    size_t asked, told, answered;
};

/* ---- the question -------------------------------------------------------------------------
 */

static void tell_plan(const struct test *test, const struct json_value *probe)
{
    const struct json_value *nodes = json_value_get(probe, "nodes");
    struct text names = {0};
    for (size_t i = 0; i < json_value_count(nodes); i++)
        text_appendf(&names, "%s%s", i > 0 ? ", " : "",
                     json_value_text(json_value_at(nodes, i)));
    fprintf(stderr, "%lld member%s of %s, probed by %s; at most %lld s\n",
            (long long)test->members, test->members == 1 ? "" : "s", cli_text_of(probe, "pool"),
            text_string(&names), (long long)(test->limit_ms + 999) / 1000);
    text_free(&names);
}

static bool ask_once(struct test *test, struct error *error)
{
    char target[128];
    struct response response;
    snprintf(target, sizeof(target), "/v1/pools/%s/probe", test->pool_id);
    bool good = client_request(&test->context->client, "POST", target, NULL, &response, error);
    const struct json_value *probe = json_value_get(response.json, "probe");
    test->asked_at = json_value_number(json_value_get(probe, "asked_at"));
    test->limit_ms = json_value_number(json_value_get(probe, "limit_ms"));
    test->asked_ms_ago = json_value_number(json_value_get(probe, "asked_ms_ago"));
    test->members = json_value_number(json_value_get(probe, "members"));
    if (good && test->members == 0)
        good = error_set(error, ERROR_CONFLICT,
                         "pool %s has no member that is probed: none is there, or they are "
                         "disabled; lbnode member list %s",
                         cli_text_of(probe, "pool"), cli_text_of(probe, "pool"));
    else if (good && test->asked_ms_ago <= YOUNG_MS)
        tell_plan(test, probe);
    response_free(&response);
    return good;
}

/* Whoever has just tested the pool, here or elsewhere, and changed something since wants to see
 * that. */
static bool ask(struct test *test, struct error *error)
{
    if (!ask_once(test, error))
        return false;
    if (test->asked_ms_ago <= YOUNG_MS)
        return true;
    poll(NULL, 0, AGAIN_MS);
    return ask_once(test, error);
}

/* ---- the answers --------------------------------------------------------------------------
 */

static struct tally count(const struct test *test)
{
    struct tally tally = {0};
    const struct json_value *members = json_value_get(test->health, "members");
    for (size_t m = 0; m < json_value_count(members); m++) {
        const struct json_value *member = json_value_at(members, m);
        const struct json_value *nodes = json_value_get(member, "nodes");
        for (size_t n = 0; value_is_true(member, "probed") && n < json_value_count(nodes);
             n++) {
            const struct json_value *node = json_value_at(nodes, n);
            tally.asked++;
            tally.told += value_is_true(node, "answered");
            tally.answered +=
                value_is_true(node, "answered") && value_is_true(node, "last_succeeded");
        }
    }
    return tally;
}

static bool look(struct test *test, struct error *error)
{
    char target[128];
    struct response response;
    snprintf(target, sizeof(target), "/v1/pools/%s/health?since=%lld", test->pool_id,
             (long long)test->asked_at);
    bool good = client_request(&test->context->client, "GET", target, NULL, &response, error);
    json_value_free(test->health);
    test->health = json_value_copy(json_value_get(response.json, "health"));
    response_free(&response);
    return good;
}

static bool wait_for_answers(struct test *test, struct error *error)
{
    uint64_t deadline_ms = monotime_now_ms() + (uint64_t)test->limit_ms;
    bool shows = isatty(STDERR_FILENO);
    for (;;) {
        if (!look(test, error))
            return false;
        struct tally tally = count(test);
        if (shows)
            fprintf(stderr, "\r%zu of %zu results", tally.told, tally.asked);
        if (tally.told == tally.asked || monotime_now_ms() >= deadline_ms)
            break;
        poll(NULL, 0, LOOK_MS);
    }
    if (shows)
        fprintf(stderr, "\r\033[K");
    return true;
}

/* ---- the table ----------------------------------------------------------------------------
 */

static const char *result_of(const struct json_value *node)
{
    if (!value_is_true(node, "answered"))
        return "no result";
    return value_is_true(node, "last_succeeded") ? "answered" : "failed";
}

static const char *reason_of(const struct json_value *node)
{
    const char *reason = json_value_get_text(node, "reason");
    if (!value_is_true(node, "alive"))
        return "this node does not answer";
    if (value_is_true(node, "answered"))
        return reason && !value_is_true(node, "last_succeeded") ? reason : "";
    /* Without any probe so far the reason is why there is none; else it is an earlier one's. */
    bool was_never_probed = json_value_is_null(json_value_get(node, "last_succeeded"));
    return reason && was_never_probed ? reason : "this node told nothing in time";
}

static void print_results(const struct test *test)
{
    static const char *const titles[] = {"member", "node",    "result",
                                         "took",   "verdict", "reason"};
    const struct json_value *members = json_value_get(test->health, "members");
    struct table table;
    struct text out = {0};
    table_init(&table, ARRAY_LENGTH(titles));
    for (size_t i = 0; i < ARRAY_LENGTH(titles); i++)
        table_add(&table, titles[i]);
    for (size_t m = 0; m < json_value_count(members); m++) {
        const struct json_value *member = json_value_at(members, m);
        const struct json_value *nodes = json_value_get(member, "nodes");
        for (size_t n = 0; value_is_true(member, "probed") && n < json_value_count(nodes);
             n++) {
            const struct json_value *node = json_value_at(nodes, n);
            table_add(&table, cli_text_of(member, "name"));
            table_add(&table, cli_text_of(node, "node"));
            table_add(&table, result_of(node));
            health_took_add(&table, value_is_true(node, "answered") ? node : NULL);
            table_add(&table, cli_text_of(node, "state"));
            table_add(&table, reason_of(node));
        }
    }
    table_write(&table, 0, &out);
    fputs(text_string(&out), stdout);
    text_free(&out);
    table_free(&table);
}

bool run_monitor_test(struct context *context, struct error *error)
{
    struct test test = {.context = context};
    bool good = lookup_id(&context->client, resource_class_of(RESOURCE_POOL), NULL,
                          context->arguments.positional[0], test.pool_id, error) &&
                ask(&test, error) && wait_for_answers(&test, error);
    if (good) {
        struct tally tally = count(&test);
        if (context->format == OUTPUT_TABLE)
            print_results(&test);
        else if (context->format != OUTPUT_NAME)
            output_document(context->format, test.health);
        if (tally.answered < tally.asked)
            context->exit_code = tally.answered > 0 ? TEST_SOME_FAILED : TEST_ALL_FAILED;
    }
    json_value_free(test.health);
    return good;
}
