/* lbnode drill failover: planned switches there and back again, with a probe through the
 * address. The service ends where it began, also after an interrupt. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/parse_number.h"
#include "lbnode/cli/drill_probe.h"
#include "lbnode/cli/failover_commands.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    COUNT_MAXIMUM = 1000,
    SETTLE_MS = 1500, /* the old owner keeps the address for a second */
    NAME_SIZE = 256,
};

static const unsigned bucket_ends_ms[] = {0, 10, 20, 50, 100, 200, 500, 1000};

struct leg {
    const char *from, *to; /* of the drill */
    struct drill_report report;
};

struct drill {
    struct context *context;
    char group[NAME_SIZE], home[NAME_SIZE], away[NAME_SIZE], here[NAME_SIZE];
    struct ip_endpoint endpoint;
    char endpoint_text[IP_ENDPOINT_TEXT_SIZE];
    unsigned count;
    struct drill_probe *probe;
    struct leg *legs; /* owned; two for each of COUNT */
    size_t leg_count;
    bool is_away;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

static const char *text_of(const struct json_value *object, const char *key)
{
    const char *text = json_value_get_text(object, key);
    return text ? text : "";
}

static void copy(char out[NAME_SIZE], const char *text)
{
    snprintf(out, NAME_SIZE, "%s", text);
}

static void wait_ms(unsigned ms)
{
    const struct timespec step = {.tv_nsec = 10000000L};
    for (unsigned done = 0; done < ms && !interrupted; done += 10)
        nanosleep(&step, NULL);
}

/* ---- what to drill -------------------------------------------------------------------------
 */

static bool has_addresses(const struct json_value *entry)
{
    return json_value_count(json_value_get(entry, "addresses")) > 0;
}

/* The named group, or the only one that has addresses. An entry is of one family. */
static const struct json_value *
find_group(const struct json_value *groups, const char *wanted, struct error *error)
{
    const struct json_value *found = NULL;
    for (size_t i = 0; i < json_value_count(groups); i++) {
        const struct json_value *entry = json_value_at(groups, i);
        const char *name = text_of(entry, "group");
        if (!has_addresses(entry) || (wanted && strcmp(name, wanted) != 0) ||
            (found && strcmp(name, text_of(found, "group")) == 0))
            continue;
        if (found) {
            error_set(error, ERROR_USAGE,
                      "several groups have addresses: name one with --group (%s, %s, ...)",
                      text_of(found, "group"), name);
            return NULL;
        }
        found = entry;
    }
    if (!found)
        error_set(error, ERROR_NOT_FOUND,
                  wanted ? "group %s has no address here that could move"
                         : "there is no address that could move%s",
                  wanted ? wanted : "");
    return found;
}

/* Who is active now, and who may be; both have to be eligible, or there is no way back. */
static bool
choose_nodes(struct drill *drill, const struct json_value *group, struct error *error)
{
    const struct json_value *nodes = json_value_get(group, "nodes"), *other = NULL;
    const char *to = arguments_value(&drill->context->arguments, "to");
    copy(drill->home, text_of(group, "active_node"));
    if (!drill->home[0])
        return error_set(error, ERROR_CONFLICT,
                         "no node is known to be active for group %s: lbnode status",
                         drill->group);
    for (size_t i = 0; i < json_value_count(nodes); i++) {
        const struct json_value *node = json_value_at(nodes, i);
        const char *name = text_of(node, "name");
        bool eligible = json_value_truth(json_value_get(node, "eligible"));
        bool is_home = strcmp(name, drill->home) == 0;
        if (is_home && !eligible)
            return error_set(error, ERROR_CONFLICT,
                             "node %s is active but could not take group %s back: %s", name,
                             drill->group, text_of(node, "reason"));
        if (is_home || (to && strcmp(name, to) != 0))
            continue;
        other = node;
        if (eligible) {
            copy(drill->away, name);
            return true;
        }
    }
    if (other)
        return error_set(error, ERROR_CONFLICT,
                         "no switch is made, since no second node is eligible: %s: %s",
                         text_of(other, "name"), text_of(other, "reason"));
    return error_set(error, ERROR_CONFLICT,
                     "no switch is made, since there is no second node to switch to");
}

static bool names(const struct json_value *list, const char *address)
{
    for (size_t i = 0; i < json_value_count(list); i++)
        if (strcmp(json_value_text(json_value_at(list, i)), address) == 0)
            return true;
    return false;
}

static bool find_listener(struct drill *drill,
                          const struct json_value *status,
                          const struct json_value *group)
{
    const struct json_value *all = json_value_get(status, "loadbalancers");
    for (size_t i = 0; i < json_value_count(all); i++) {
        const struct json_value *balancer = json_value_at(all, i);
        const struct json_value *listeners = json_value_get(balancer, "listeners");
        const char *vip = text_of(balancer, "vip_address");
        if (json_value_count(listeners) == 0 ||
            !names(json_value_get(group, "addresses"), vip) ||
            !ip_address_parse(vip, &drill->endpoint.address))
            continue;
        drill->endpoint.port = (uint16_t)json_value_number(
            json_value_get(json_value_at(listeners, 0), "protocol_port"));
        return true;
    }
    return false;
}

static bool choose_endpoint(struct drill *drill,
                            const struct json_value *status,
                            const struct json_value *group,
                            struct error *error)
{
    const char *probe = arguments_value(&drill->context->arguments, "probe");
    if (probe && !ip_endpoint_parse(probe, 0, &drill->endpoint))
        return error_set(error, ERROR_USAGE,
                         "--probe: '%s' is no address with port, like 10.0.0.100:80", probe);
    if (!probe && !find_listener(drill, status, group))
        return error_set(error, ERROR_CONFLICT,
                         "no listener has an address of group %s: create one, or name what to "
                         "connect to with --probe ADDRESS:PORT",
                         drill->group);
    ip_endpoint_format(&drill->endpoint, drill->endpoint_text);
    return true;
}

static bool choose_count(struct drill *drill, struct error *error)
{
    const char *text = arguments_value(&drill->context->arguments, "count");
    int64_t count = 1;
    if (text && !parse_integer(text, 1, COUNT_MAXIMUM, &count))
        return error_set(error, ERROR_USAGE, "--count: '%s' is no number from 1 to %d", text,
                         COUNT_MAXIMUM);
    drill->count = (unsigned)count;
    drill->legs = calloc(2 * drill->count, sizeof(*drill->legs));
    return drill->legs || error_set(error, ERROR_INTERNAL, "out of memory");
}

static bool prepare(struct drill *drill, struct error *error)
{
    struct response response;
    bool good =
        choose_count(drill, error) &&
        client_request(&drill->context->client, "GET", "/v1/status", NULL, &response, error);
    if (!good)
        return false;
    const struct json_value *status = response.json;
    const struct json_value *group =
        find_group(json_value_get(status, "vrrp"),
                   arguments_value(&drill->context->arguments, "group"), error);
    copy(drill->here, text_of(json_value_get(status, "node"), "name"));
    if (group)
        copy(drill->group, text_of(group, "group"));
    good = group && choose_nodes(drill, group, error) &&
           choose_endpoint(drill, status, group, error);
    response_free(&response);
    return good;
}

/* ---- switches ------------------------------------------------------------------------------
 */

static bool switch_to(struct drill *drill, const char *node, struct error *error)
{
    struct response response;
    bool good = failover_ask(drill->context, drill->group, node, &response, error);
    if (good)
        good = failover_wait(drill->context, json_value_get(response.json, "failover"), false,
                             error);
    response_free(&response);
    return good;
}

static bool run_leg(struct drill *drill, const char *from, const char *to, struct error *error)
{
    drill_probe_take(drill->probe);
    bool good = switch_to(drill, to, error);
    if (!good && strstr(error->text, "is active already"))
        return error_set(
            error, ERROR_CONFLICT,
            "group %s moved to %s without being asked; lbnode events there tells why",
            drill->group, to);
    if (!good)
        return false;
    drill->is_away = to == drill->away;
    wait_ms(SETTLE_MS);
    struct leg *leg = &drill->legs[drill->leg_count++];
    *leg = (struct leg){from, to, drill_probe_take(drill->probe)};
    fprintf(output_notes(drill->context->format),
            "%3zu  %s -> %s   gap %.0f ms, %u connects, %u failed, slowest %.0f ms\n",
            drill->leg_count, from, to, leg->report.gap_us / 1000.0, leg->report.connects,
            leg->report.failed, leg->report.slowest_us / 1000.0);
    fflush(stdout);
    return true;
}

/* A switch that took longer than was waited for may be made all the same, and right after one
 * the nodes do not know yet who is active: so it is asked again. */
static bool go_home(struct drill *drill, struct error *error)
{
    enum {
        TRIES = 10
    };
    static const struct timespec pause = {.tv_nsec = 300000000L};
    struct error last = {0};
    for (int i = 0; i < TRIES; i++) {
        last = (struct error){0};
        if (switch_to(drill, drill->home, &last) || strstr(last.text, "is active already"))
            return true;
        nanosleep(&pause, NULL);
    }
    return error_set(error, ERROR_CONFLICT,
                     "group %s may have stayed on %s (%s): lbnode failover --group %s --to %s",
                     drill->group, drill->away, last.text, drill->group, drill->home);
}

static bool run_legs(struct drill *drill, struct error *error)
{
    bool good = true;
    for (unsigned i = 0; good && i < drill->count && !interrupted; i++) {
        good = run_leg(drill, drill->home, drill->away, error);
        if (!good) /* it may come late: then it is to be undone */
            drill->is_away = true;
        if (good && !interrupted)
            good = run_leg(drill, drill->away, drill->home, error);
    }
    if (drill->is_away) {
        struct error back = {0};
        if (!go_home(drill, &back)) {
            *error = back;
            return false;
        }
    }
    if (good && interrupted)
        return error_set(error, ERROR_CONFLICT, "interrupted; group %s is on %s again",
                         drill->group, drill->home);
    return good;
}

/* ---- telling -------------------------------------------------------------------------------
 */

static unsigned count_in(const struct drill *drill, size_t bucket)
{
    unsigned count = 0;
    for (size_t i = 0; i < drill->leg_count; i++) {
        uint32_t gap_ms = (drill->legs[i].report.gap_us + 999) / 1000;
        size_t at = 0;
        while (at < ARRAY_LENGTH(bucket_ends_ms) && gap_ms > bucket_ends_ms[at])
            at++;
        count += at == bucket;
    }
    return count;
}

static const char *whose_view(const struct drill *drill)
{
    bool member =
        strcmp(drill->here, drill->home) == 0 || strcmp(drill->here, drill->away) == 0;
    return member ? "this node has the address itself in between, and reaches it without the "
                    "network then; a third node or a client sees what clients see"
                  : "this node does not take part in the switch, so it sees what clients see";
}

static void tell_plan(const struct drill *drill)
{
    fprintf(output_notes(drill->context->format),
            "group %s: %s -> %s and back, %u time%s\n"
            "measured: TCP connects from %s to %s, one each %d ms;\n%s\n",
            drill->group, drill->home, drill->away, drill->count, drill->count == 1 ? "" : "s",
            drill->here, drill->endpoint_text, DRILL_PROBE_INTERVAL_MS, whose_view(drill));
    fflush(stdout);
}

static void print_histogram(const struct drill *drill)
{
    printf("\nlongest time without a connect, per switch\n");
    for (size_t i = 0; i <= ARRAY_LENGTH(bucket_ends_ms); i++) {
        unsigned count = count_in(drill, i);
        if (i < ARRAY_LENGTH(bucket_ends_ms))
            printf("  up to %5u ms  %4u  ", bucket_ends_ms[i], count);
        else
            printf("  longer         %4u  ", count);
        for (unsigned mark = 0; mark < count * 50 / (unsigned)drill->leg_count; mark++)
            putchar('#');
        putchar('\n');
    }
}

static struct json_value *legs_to_json(const struct drill *drill)
{
    struct json_value *list = json_value_array();
    for (size_t i = 0; i < drill->leg_count; i++) {
        const struct leg *leg = &drill->legs[i];
        struct json_value *entry = json_value_object();
        json_value_set_text(entry, "from", leg->from);
        json_value_set_text(entry, "to", leg->to);
        json_value_set(entry, "gap_ms", json_value_real(leg->report.gap_us / 1000.0));
        json_value_set_number(entry, "connects", leg->report.connects);
        json_value_set_number(entry, "failed", leg->report.failed);
        json_value_set(entry, "slowest_ms", json_value_real(leg->report.slowest_us / 1000.0));
        json_value_append(list, entry);
    }
    return list;
}

static struct json_value *histogram_to_json(const struct drill *drill)
{
    struct json_value *list = json_value_array();
    for (size_t i = 0; i <= ARRAY_LENGTH(bucket_ends_ms); i++) {
        struct json_value *entry = json_value_object();
        bool last = i == ARRAY_LENGTH(bucket_ends_ms);
        json_value_set(entry, "up_to_ms",
                       last ? json_value_null() : json_value_integer(bucket_ends_ms[i]));
        json_value_set_number(entry, "switches", count_in(drill, i));
        json_value_append(list, entry);
    }
    return list;
}

static void tell_document(const struct drill *drill)
{
    struct json_value *root = json_value_object();
    json_value_set_text(root, "group", drill->group);
    json_value_set_text(root, "home", drill->home);
    json_value_set_text(root, "away", drill->away);
    json_value_set_text(root, "measured_on", drill->here);
    json_value_set_text(root, "measured", "TCP connects");
    json_value_set_text(root, "endpoint", drill->endpoint_text);
    json_value_set_number(root, "interval_ms", DRILL_PROBE_INTERVAL_MS);
    json_value_set_text(root, "remark", whose_view(drill));
    json_value_set(root, "switches", legs_to_json(drill));
    json_value_set(root, "histogram", histogram_to_json(drill));
    output_document(drill->context->format, root);
    json_value_free(root);
}

bool run_drill_failover(struct context *context, struct error *error)
{
    struct drill drill = {.context = context};
    struct sigaction action = {.sa_handler = on_signal};
    bool good = prepare(&drill, error);
    if (good) {
        drill.probe = drill_probe_start(&drill.endpoint, error);
        good = drill.probe != NULL;
    }
    if (good) {
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        tell_plan(&drill);
        good = run_legs(&drill, error);
    }
    drill_probe_stop(drill.probe);
    if (drill.leg_count > 0 && context->format == OUTPUT_TABLE)
        print_histogram(&drill);
    else if (drill.leg_count > 0)
        tell_document(&drill);
    free(drill.legs);
    return good;
}
