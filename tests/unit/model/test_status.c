#include "lbnode/model/status.h"
#include "tests/unit/model/raw_state.h"

/* What the node would report, changed row by row. */
struct world {
    struct uuid w1, w2;
    enum verdict_state verdict_w1, verdict_w2;
    bool running, full;
};

static enum verdict_state verdict(void *context, const struct uuid *member_id)
{
    const struct world *world = context;
    return uuid_equal(member_id, &world->w1) ? world->verdict_w1 : world->verdict_w2;
}

static bool listener_running(void *context, const struct uuid *listener_id)
{
    return ((const struct world *)context)->running;
}

static bool listener_full(void *context, const struct uuid *listener_id)
{
    return ((const struct world *)context)->full;
}

static const struct world usual = {
    .verdict_w1 = VERDICT_ONLINE,
    .verdict_w2 = VERDICT_ONLINE,
    .running = true,
};

static void set(struct raw_state *state, const struct uuid *id, const char *text)
{
    struct error error = {0};
    char json[256];
    struct configuration *configuration = raw_state_project(state);
    const struct resource *before = configuration_find(configuration, id)->resource;
    struct resource *after = resource_copy(before);
    struct change_set changes = {0};
    snprintf(json, sizeof(json), "%s", text);
    for (char *at = json; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    struct json_value *object = json_value_parse(json, strlen(json), &error);
    if (!resource_update_from_json(after, object, &error))
        fail_msg("%s", error.text);
    assert_true(change_set_add_update(&changes, before, after) > 0);
    raw_state_apply(state, &changes);
    change_set_free(&changes);
    json_value_free(object);
    resource_free(after);
    configuration_free(configuration);
}

/* Names of what the example has, for the rows below. */
enum subject {
    NOTHING,
    WEB,
    HTTP,
    WORKERS,
    W1,
    W2,
    MONITOR,
    MEMBERS /* both of them */
};

static const struct uuid *subject_id(const struct example_ids *ids, enum subject subject)
{
    const struct uuid *const all[] = {NULL,     &ids->web, &ids->http,   &ids->workers,
                                      &ids->w1, &ids->w2,  &ids->monitor};
    return all[subject];
}

struct row {
    const char *rule;
    struct {
        enum subject what;
        const char *to;
    } changes[2];
    enum subject removed;
    struct world world;
    enum subject asked;
    const char *expected;
};

#define DOWN "{'admin_state_up': false}"
#define UP(w1, w2)                                                                             \
    {                                                                                          \
        .verdict_w1 = VERDICT_##w1, .verdict_w2 = VERDICT_##w2, .running = true                \
    }
#define AS_USUAL UP(ONLINE, ONLINE)
#define FULL(w1, w2)                                                                           \
    {                                                                                          \
        .verdict_w1 = VERDICT_##w1, .verdict_w2 = VERDICT_##w2, .running = true, .full = true  \
    }
#define CHANGE(a, to)                                                                          \
    {                                                                                          \
        {                                                                                      \
            a, to                                                                              \
        }                                                                                      \
    }

#define WEIGHT_0 "{'weight': 0}"
#define BACKUP   "{'backup': true}"
#define DETACHED "{'default_pool_id': null}"

/* clang-format off */
static const struct row rows[] = {
    {"member: up", {{0}}, 0, AS_USUAL, W1, "ONLINE"},
    {"member: down", {{0}}, 0, UP(ERROR, ONLINE), W1, "ERROR"},
    {"member: no result yet", {{0}}, 0, UP(UNKNOWN, ONLINE), W1, "OFFLINE"},
    {"member: weight 0", CHANGE(W1, WEIGHT_0), 0, AS_USUAL, W1, "DRAINING"},
    {"member: weight 0 and down", CHANGE(W1, WEIGHT_0), 0, UP(ERROR, ONLINE), W1, "ERROR"},
    {"member: weight 0, no result yet", CHANGE(W1, WEIGHT_0), 0, UP(UNKNOWN, ONLINE), W1, "DRAINING"},
    {"member: no monitor", {{0}}, MONITOR, AS_USUAL, W1, "NO_MONITOR"},
    {"member: no monitor, what was measured counts no more", {{0}}, MONITOR, UP(ERROR, ERROR), W1, "NO_MONITOR"},
    {"member: no monitor, weight 0", CHANGE(W1, WEIGHT_0), MONITOR, AS_USUAL, W1, "NO_MONITOR"},
    {"member: monitor disabled", CHANGE(MONITOR, DOWN), 0, UP(ERROR, ERROR), W1, "NO_MONITOR"},
    {"member: monitor disabled, weight 0", {{MONITOR, DOWN}, {W1, WEIGHT_0}}, 0, UP(ERROR, ERROR), W1, "NO_MONITOR"},
    {"member: disabled", CHANGE(W1, DOWN), 0, AS_USUAL, W1, "OFFLINE"},
    {"member: disabled and down", CHANGE(W1, DOWN), 0, UP(ERROR, ERROR), W1, "OFFLINE"},
    {"member: disabled, no monitor", CHANGE(W1, DOWN), MONITOR, AS_USUAL, W1, "OFFLINE"},
    {"member: disabled, weight 0", {{W1, DOWN}, {W1, WEIGHT_0}}, 0, AS_USUAL, W1, "OFFLINE"},
    {"member: a backup is up like any other", CHANGE(W1, BACKUP), 0, AS_USUAL, W1, "ONLINE"},
    {"member: a backup is down like any other", CHANGE(W1, BACKUP), 0, UP(ERROR, ONLINE), W1, "ERROR"},
    {"member: its pool disabled", CHANGE(WORKERS, DOWN), 0, UP(ERROR, ONLINE), W1, "ERROR"},
    {"member: its pool without listener", {{0}}, HTTP, UP(ERROR, ONLINE), W1, "ERROR"},

    {"pool: all up", {{0}}, 0, AS_USUAL, WORKERS, "ONLINE"},
    {"pool: one down", {{0}}, 0, UP(ERROR, ONLINE), WORKERS, "DEGRADED"},
    {"pool: all down", {{0}}, 0, UP(ERROR, ERROR), WORKERS, "ERROR"},
    {"pool: no members", {{0}}, MEMBERS, AS_USUAL, WORKERS, "ONLINE"},
    {"pool: no members, no monitor verdicts of old", {{0}}, MEMBERS, UP(ERROR, ERROR), WORKERS, "ONLINE"},
    {"pool: down beside a drained one", CHANGE(W2, WEIGHT_0), 0, UP(ERROR, ONLINE), WORKERS, "ERROR"},
    {"pool: a drained one that is down", CHANGE(W1, WEIGHT_0), 0, UP(ERROR, ONLINE), WORKERS, "DEGRADED"},
    {"pool: down beside a disabled one", CHANGE(W2, DOWN), 0, UP(ERROR, ERROR), WORKERS, "ERROR"},
    {"pool: a disabled member does not degrade it", CHANGE(W1, DOWN), 0, UP(ERROR, ONLINE), WORKERS, "ONLINE"},
    {"pool: a drained member does not degrade it", CHANGE(W1, WEIGHT_0), 0, AS_USUAL, WORKERS, "ONLINE"},
    {"pool: all members disabled", {{W1, DOWN}, {W2, DOWN}}, 0, AS_USUAL, WORKERS, "ERROR"},
    {"pool: all drained", {{W1, WEIGHT_0}, {W2, WEIGHT_0}}, 0, AS_USUAL, WORKERS, "ERROR"},
    {"pool: all drained, no monitor", {{W1, WEIGHT_0}, {W2, WEIGHT_0}}, MONITOR, AS_USUAL, WORKERS, "ERROR"},
    {"pool: one drained, one disabled", {{W1, WEIGHT_0}, {W2, DOWN}}, 0, AS_USUAL, WORKERS, "ERROR"},
    {"pool: the backup serves", CHANGE(W2, BACKUP), 0, UP(ERROR, ONLINE), WORKERS, "DEGRADED"},
    {"pool: the backup is down", CHANGE(W2, BACKUP), 0, UP(ONLINE, ERROR), WORKERS, "DEGRADED"},
    {"pool: backups only", {{W1, BACKUP}, {W2, BACKUP}}, 0, AS_USUAL, WORKERS, "ONLINE"},
    {"pool: backups only, all down", {{W1, BACKUP}, {W2, BACKUP}}, 0, UP(ERROR, ERROR), WORKERS, "ERROR"},
    {"pool: no monitor", {{0}}, MONITOR, UP(ERROR, ERROR), WORKERS, "ONLINE"},
    {"pool: monitor disabled", CHANGE(MONITOR, DOWN), 0, UP(ERROR, ERROR), WORKERS, "ONLINE"},
    {"pool: no member reported yet", {{0}}, 0, UP(UNKNOWN, UNKNOWN), WORKERS, "OFFLINE"},
    {"pool: one not reported yet", {{0}}, 0, UP(ONLINE, UNKNOWN), WORKERS, "ONLINE"},
    {"pool: one down, one not reported yet", {{0}}, 0, UP(ERROR, UNKNOWN), WORKERS, "ERROR"},
    {"pool: one drained, one not reported yet", CHANGE(W1, WEIGHT_0), 0, UP(ONLINE, UNKNOWN), WORKERS, "OFFLINE"},
    {"pool: disabled", CHANGE(WORKERS, DOWN), 0, AS_USUAL, WORKERS, "OFFLINE"},
    {"pool: disabled, members down", CHANGE(WORKERS, DOWN), 0, UP(ERROR, ERROR), WORKERS, "OFFLINE"},
    {"pool: its listener disabled", CHANGE(HTTP, DOWN), 0, AS_USUAL, WORKERS, "OFFLINE"},
    {"pool: its listener gone", {{0}}, HTTP, AS_USUAL, WORKERS, "OFFLINE"},
    {"pool: not attached", CHANGE(HTTP, DETACHED), 0, AS_USUAL, WORKERS, "OFFLINE"},
    {"pool: load balancer disabled", CHANGE(WEB, DOWN), 0, AS_USUAL, WORKERS, "OFFLINE"},
    {"pool: its listener full", {{0}}, 0, FULL(ONLINE, ONLINE), WORKERS, "ONLINE"},

    {"listener: running", {{0}}, 0, UP(ERROR, ERROR), HTTP, "ONLINE"},
    {"listener: no pool", CHANGE(HTTP, DETACHED), 0, AS_USUAL, HTTP, "ONLINE"},
    {"listener: full", {{0}}, 0, FULL(ONLINE, ONLINE), HTTP, "DEGRADED"},
    {"listener: not running", {{0}}, 0, {.running = false}, HTTP, "ERROR"},
    {"listener: disabled", CHANGE(HTTP, DOWN), 0, {.running = false}, HTTP, "OFFLINE"},
    {"listener: disabled and full", CHANGE(HTTP, DOWN), 0, FULL(ONLINE, ONLINE), HTTP, "OFFLINE"},
    {"listener: load balancer disabled", CHANGE(WEB, DOWN), 0, {.running = false}, HTTP, "OFFLINE"},

    {"load balancer: all well", {{0}}, 0, AS_USUAL, WEB, "ONLINE"},
    {"load balancer: pool degraded", {{0}}, 0, UP(ONLINE, ERROR), WEB, "DEGRADED"},
    {"load balancer: pool in error", {{0}}, 0, UP(ERROR, ERROR), WEB, "ERROR"},
    {"load balancer: pool all drained", {{W1, WEIGHT_0}, {W2, WEIGHT_0}}, 0, AS_USUAL, WEB, "ERROR"},
    {"load balancer: pool not reported, listener disabled", CHANGE(HTTP, DOWN), 0, UP(ERROR, ERROR), WEB, "ONLINE"},
    {"load balancer: pool without listener", {{0}}, HTTP, UP(ERROR, ERROR), WEB, "ONLINE"},
    {"load balancer: pool disabled", CHANGE(WORKERS, DOWN), 0, UP(ERROR, ERROR), WEB, "ONLINE"},
    {"load balancer: pool without verdicts", {{0}}, 0, UP(UNKNOWN, UNKNOWN), WEB, "ONLINE"},
    {"load balancer: no pool", {{0}}, WORKERS, AS_USUAL, WEB, "ONLINE"},
    {"load balancer: listener full", {{0}}, 0, FULL(ONLINE, ONLINE), WEB, "DEGRADED"},
    {"load balancer: listener full, pool degraded", {{0}}, 0, FULL(ONLINE, ERROR), WEB, "DEGRADED"},
    {"load balancer: listener full, pool in error", {{0}}, 0, FULL(ERROR, ERROR), WEB, "ERROR"},
    {"load balancer: listener not running", {{0}}, 0,
     {.verdict_w1 = VERDICT_ONLINE, .verdict_w2 = VERDICT_ONLINE}, WEB, "ONLINE"},
    {"load balancer: disabled", CHANGE(WEB, DOWN), 0, UP(ERROR, ERROR), WEB, "OFFLINE"},
    {"load balancer: disabled, listener full", CHANGE(WEB, DOWN), 0, FULL(ONLINE, ONLINE), WEB, "OFFLINE"},

    {"monitor: enabled", {{0}}, 0, AS_USUAL, MONITOR, "ONLINE"},
    {"monitor: enabled, all members down", {{0}}, 0, UP(ERROR, ERROR), MONITOR, "ONLINE"},
    {"monitor: disabled", CHANGE(MONITOR, DOWN), 0, AS_USUAL, MONITOR, "OFFLINE"},
    {"monitor: its load balancer disabled", CHANGE(WEB, DOWN), 0, AS_USUAL, MONITOR, "ONLINE"},
};
/* clang-format on */

static void check_row(const struct row *row)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct world world = row->world;
    world.w1 = ids.w1;
    world.w2 = ids.w2;
    for (size_t i = 0; i < ARRAY_LENGTH(row->changes) && row->changes[i].what; i++)
        set(state, subject_id(&ids, row->changes[i].what), row->changes[i].to);
    if (row->removed == MEMBERS) {
        raw_state_delete(state, &ids.w1);
        raw_state_delete(state, &ids.w2);
    } else if (row->removed) {
        raw_state_delete(state, subject_id(&ids, row->removed));
    }
    struct configuration *configuration = raw_state_project(state);
    struct status_source source = {verdict, listener_running, listener_full, &world};
    const struct effective *asked =
        configuration_find(configuration, subject_id(&ids, row->asked));
    const char *status =
        operating_status_name(status_of(configuration, asked->resource, &source));
    if (strcmp(status, row->expected) != 0)
        fail_msg("%s: %s instead of %s", row->rule, status, row->expected);
    configuration_free(configuration);
    raw_state_free(state);
}

static void every_row_of_the_table_holds(void **context)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        check_row(&rows[i]);
}

static void what_a_merge_left_without_effect_is_in_error(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct uuid loser =
        raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': '10.77.0.100'}");
    struct uuid second = raw_state_create(state, RESOURCE_LISTENER, &ids.web,
                                          "{'protocol': 'TCP', 'protocol_port': 80}");
    struct configuration *c = raw_state_project(state);
    struct world world = usual;
    struct status_source source = {verdict, listener_running, listener_full, &world};
    assert_int_equal(status_of(c, configuration_find(c, &loser)->resource, &source),
                     OPERATING_ERROR);
    assert_int_equal(status_of(c, configuration_find(c, &second)->resource, &source),
                     OPERATING_ERROR);
    configuration_free(c);
    raw_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_holds),
        cmocka_unit_test(what_a_merge_left_without_effect_is_in_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
