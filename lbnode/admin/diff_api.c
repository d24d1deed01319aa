/* GET /v1/diff?from=A&to=B: the configuration at two points of the past, compared. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/history_api.h"
#include "lbnode/admin/past_view.h"

#include <stdlib.h>
#include <string.h>

enum {
    FACETS = 64,
    OBJECTS = 4096 /* in an answer */
};

struct side {
    uint8_t *value;
    size_t size;
    bool known;
};

struct compared {
    uint16_t facet;
    struct side from, to;
    bool unsure; /* what stood there at the earlier point is not kept any more */
};

struct comparison {
    struct admin_request *request;
    struct past_point from, to;
    struct json_value *list;
    struct error error;

    /* of one object */
    uint8_t type;
    struct change_stamp stamp; /* of the write that is told */
    struct compared facets[FACETS];
    size_t facet_count;
};

static void set_side(struct side *side, struct bytes value)
{
    free(side->value);
    side->value = malloc(value.size + 1);
    side->known = side->value;
    side->size = side->known ? value.size : 0;
    if (side->known && value.size > 0)
        memcpy(side->value, value.data, value.size);
}

static struct compared *facet_for(struct comparison *comparison, uint16_t facet)
{
    for (size_t i = 0; i < comparison->facet_count; i++)
        if (comparison->facets[i].facet == facet)
            return &comparison->facets[i];
    if (comparison->facet_count == FACETS)
        return NULL;
    struct compared *compared = &comparison->facets[comparison->facet_count++];
    *compared = (struct compared){.facet = facet};
    return compared;
}

static bool take_write(void *context, const struct past_change *change)
{
    struct comparison *comparison = context;
    comparison->stamp = change->stamp;
    return true;
}

static void take_value(void *context, const struct past_op *op)
{
    struct comparison *comparison = context;
    struct compared *compared = facet_for(comparison, op->facet);
    comparison->type = op->type;
    if (!compared)
        return;
    compared->unsure |= op->has_before == BEFORE_GONE;
    if (history_stamp_compare(&comparison->stamp, &comparison->from.upto) <= 0)
        set_side(&compared->from, op->in_force);
    if (history_stamp_compare(&comparison->stamp, &comparison->to.upto) <= 0)
        set_side(&compared->to, op->in_force);
}

/* Without a word about its life there was none; that is kept as long as the object is. */
static bool was_alive(const struct comparison *comparison, bool at_end)
{
    for (size_t i = 0; i < comparison->facet_count; i++) {
        const struct compared *facet = &comparison->facets[i];
        const struct side *side = at_end ? &facet->to : &facet->from;
        if (facet->facet == FACET_LIFE)
            return side->known && side->size > 0 && side->value[0] != 0;
    }
    return false;
}

static void add_facet(struct json_value *object,
                      uint8_t type,
                      const struct compared *facet,
                      bool from_alive,
                      bool to_alive)
{
    const struct bytes from = {facet->from.value, facet->from.size};
    const struct bytes to = {facet->to.value, facet->to.size};
    bool has_from = from_alive && facet->from.known && !facet->unsure;
    if (facet->facet == FACET_LIFE || (from_alive == to_alive && facet->from.known &&
                                       facet->to.known && bytes_equal(from, to)))
        return;
    past_add_differences(json_value_get(object, "attributes"), type, facet->facet,
                         has_from ? &from : NULL, to_alive && facet->to.known ? &to : NULL);
    if (from_alive && !has_from)
        json_value_set_bool(object, "before_is_gone", true);
}

static void add_object(struct comparison *comparison, const struct uuid *id)
{
    bool from_alive = was_alive(comparison, false), to_alive = was_alive(comparison, true);
    const char *action = !from_alive ? "create" : !to_alive ? "delete" : "update";
    if (!from_alive && !to_alive)
        return;
    struct json_value *object =
        past_object_json(comparison->request->state, id, comparison->type, action);
    for (size_t i = 0; i < comparison->facet_count && to_alive; i++)
        add_facet(object, comparison->type, &comparison->facets[i], from_alive, to_alive);
    bool differs = from_alive != to_alive ||
                   json_value_count(json_value_get(object, "attributes")) > 0 ||
                   json_value_get(object, "before_is_gone");
    if (differs)
        json_value_append(comparison->list, object);
    else
        json_value_free(object);
}

static void compare_object(void *context, const struct uuid *id)
{
    struct comparison *comparison = context;
    const struct past_visitor visitor = {take_write, take_value, comparison};
    const struct change_stamp after = history_after(&comparison->from);
    comparison->facet_count = 0;
    if (comparison->error.kind != ERROR_NONE)
        return;
    if (json_value_count(comparison->list) == OBJECTS)
        error_set(&comparison->error, ERROR_TOO_LARGE,
                  "More than %d objects differ; compare points that are closer.", OBJECTS);
    else if (replication_history_writes(comparison->request->state->replication, id, &after,
                                        &visitor, &comparison->error))
        add_object(comparison, id);
    for (size_t i = 0; i < comparison->facet_count; i++) {
        free(comparison->facets[i].from.value);
        free(comparison->facets[i].to.value);
    }
}

static bool read_points(struct comparison *comparison, struct error *error)
{
    const struct http_url *url = &comparison->request->url;
    bool good = history_point(comparison->request, "from", http_url_parameter(url, "from"),
                              &comparison->from, error) &&
                history_point(comparison->request, "to", http_url_parameter(url, "to"),
                              &comparison->to, error);
    if (good && history_stamp_compare(&comparison->from.upto, &comparison->to.upto) > 0)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: 'from' is later than 'to'; the earlier point "
                         "comes first.");
    return good;
}

static void compare(struct admin_request *request)
{
    struct comparison *comparison = calloc(1, sizeof(*comparison));
    if (!comparison) {
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    struct error *error = &comparison->error;
    comparison->request = request;
    comparison->list = json_value_array();
    if (read_points(comparison, error)) {
        const struct change_stamp after = history_after(&comparison->from);
        replication_history_objects(request->state->replication, &after, compare_object,
                                    comparison, error);
    }
    if (error->kind == ERROR_NONE) {
        admin_answer_wrapped(request, 200, "diff", comparison->list);
    } else {
        json_value_free(comparison->list);
        admin_answer_error(request, error);
    }
    free(comparison);
}

void diff_show(struct admin_request *request)
{
    history_ask(request, compare);
}
