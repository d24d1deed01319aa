/* A new key for this node. On its disk the new one is written beside the old one first; then
 * one record, signed by the old one, names it in the roster; the file takes the old one's place
 * when all nodes have the record. Whenever the power fails in between, the roster in the store
 * says which of the two is in force.
 *
 * Who has the record speaks with the new key only, who does not with the old one. So as long as
 * a node may lack it, this node speaks by turns with the one and the other: what it says with
 * the old key is how that node learns of the new one.
 *
 * A disk may lose the record again (a damaged store, an older copy of it), or it was never
 * made: then a new key is in its file, and the roster does not name it. Others may have the
 * record, and what the old key signs is void to them. So this node writes nothing, speaks by
 * turns with either key, and once all others answer and it has all that they have, it makes the
 * record, if it has not got it by then. Two such records make each other void, for each ends
 * the streams of the old key that it does not list. So it is not made at once: another node
 * may have the first one on its way to the disk, and says nothing of that until it is there. */
#include "lbnode/model/field_table.h"
#include "replication/memory.h"
#include "replication/node_key.h"
#include "replication/replication_internal.h"
#include "replication/roster.h"
#include "replication/token_store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_US = 50000, /* with the old key, after the record is on this disk */
    OTHER_US = 2500000,
    OWN_US = 4000000,
    RETRY_US = 60000000,
    QUIET_US = 3000000,  /* all was known for that long: what others were writing is written */
    ANSWER_US = 6000000, /* who asked for it is told by then */
    KEY_FACET = 10       /* of a node */
};

struct rekey {
    struct sign_key *next;        /* not in force yet; or NULL */
    struct sign_key *old;         /* in force before: not all nodes have the record; or NULL */
    bool is_submitted;            /* the record that names the next one is on its way */
    bool is_resumed;              /* nobody asked: the record was not there at the start */
    bool speaks_other;            /* the old one, or the next one */
    uint64_t turn_us, started_us; /* when the other one's turn is; when it came into force, or
                                   was looked at last */
    uint64_t retry_us;            /* not before: the disk refused */
    uint64_t known_us;            /* resumed: since when all is known that others have; or 0 */
    uint64_t waiter;              /* who asked; 0: nobody any more */
};

static void key_path(const struct replication *replication, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/node.key", replication->settings.state_dir);
}

static uint64_t now_us(const struct replication *replication)
{
    return replication_now(replication).mono_us;
}

const struct sign_key *rekey_spoken(const struct replication *replication)
{
    const struct rekey *rekey = replication->rekey;
    if (!rekey || !rekey->speaks_other)
        return replication->key;
    return rekey->old ? rekey->old : rekey->next;
}

static bool is_key_of(const struct sign_key *key, const struct roster_node *node)
{
    return memcmp(sign_key_public(key), node->public_key, SIGN_PUBLIC_KEY_SIZE) == 0;
}

static const struct roster_node *own_node(const struct replication *replication)
{
    return roster_find(core_roster(replication->core), &replication->node_id);
}

bool rekey_allows_removal(const struct replication *replication, struct error *error)
{
    return !replication->rekey || !replication->rekey->is_submitted ||
           error_set(error, ERROR_CONFLICT,
                     "this node gets a new key in this moment; try again");
}

bool rekey_allows(const struct replication *replication, struct error *error)
{
    const struct rekey *rekey = replication->rekey;
    if (!rekey_allows_removal(replication, error))
        return false;
    return !rekey || !rekey->next ||
           error_set(error, ERROR_CONFLICT,
                     "this node was given a new key that its store does not know: nothing is "
                     "written here before all other nodes answer, or were removed");
}

void rekey_close(struct replication *replication)
{
    struct rekey *rekey = replication->rekey;
    if (!rekey)
        return;
    sign_key_free(rekey->next);
    sign_key_free(rekey->old);
    free(rekey);
    replication->rekey = NULL;
}

/* ---- in force --------------------------------------------------------------------------- */

/* NEXT signs from now on; the one before still speaks for OLD_US. */
static void
come_into_force(struct replication *replication, struct sign_key *next, uint64_t old_us)
{
    struct rekey *rekey = replication->rekey;
    rekey->next = NULL;
    rekey->is_submitted = false;
    rekey->old = replication->key;
    rekey->speaks_other = true;
    rekey->started_us = now_us(replication);
    rekey->turn_us = rekey->started_us + old_us;
    replication->key = next;
    core_set_key(replication->core, next);
}

/* The record that names the key in force. */
static bool find_record(const struct replication *replication, struct dot *out)
{
    const struct object *object =
        facet_object(core_facets(replication->core), &replication->node_id);
    const struct facet_state *state = object ? facet_of(object, KEY_FACET) : NULL;
    const struct facet_entry *entry = state ? facet_winner(state) : NULL;
    if (entry)
        *out = entry->dot;
    return entry != NULL;
}

struct unaware {
    const struct replication *replication;
    void (*visit)(void *context, const char *name);
    void *context;
    struct dot record;
};

/* Who has the same vector as this node has the record, too, before it says so. */
static void look_at_peer(void *context, const struct peer_view *peer)
{
    const struct unaware *unaware = context;
    if (!peer->in_sync &&
        !core_node_has(unaware->replication->core, &peer->node_id, unaware->record))
        unaware->visit(unaware->context, peer->name);
}

void replication_visit_unaware(const struct replication *replication,
                               void (*visit)(void *context, const char *name),
                               void *context)
{
    struct unaware unaware = {replication, visit, context, {0}};
    if (replication->rekey && replication->rekey->old &&
        find_record(replication, &unaware.record))
        replication_visit_peers(replication, look_at_peer, &unaware);
}

static void count_one(void *context, const char *name)
{
    ++*(size_t *)context;
}

static void answer(struct replication *replication)
{
    const struct error none = {.kind = ERROR_NONE};
    if (replication->rekey->waiter)
        replication_finish(replication, replication->rekey->waiter, &none);
    replication->rekey->waiter = 0;
}

/* All nodes have the record: the old key is gone for good. */
static void end(struct replication *replication)
{
    char path[PATH_MAX], text[PATH_MAX + 100];
    key_path(replication, path);
    if (!node_key_take_next(path)) {
        snprintf(text, sizeof(text), "%s.new cannot be renamed: %s", path, strerror(errno));
        replication_event(replication, EVENT_STORAGE_DEGRADED, text);
        replication->rekey->retry_us = now_us(replication) + RETRY_US;
        return;
    }
    replication_event(replication, EVENT_NODE_REKEYED,
                      "all nodes know the new key of this one");
    answer(replication);
    rekey_close(replication);
}

static void take_turns(struct rekey *rekey, uint64_t now)
{
    if (now < rekey->turn_us)
        return;
    rekey->speaks_other = !rekey->speaks_other;
    rekey->turn_us = now + (rekey->speaks_other ? OTHER_US : OWN_US);
}

static void tell(struct replication *replication)
{
    struct rekey *rekey = replication->rekey;
    uint64_t now = now_us(replication);
    size_t unaware = 0;
    replication_visit_unaware(replication, count_one, &unaware);
    if (unaware == 0) {
        rekey->speaks_other = false;
        if (now >= rekey->retry_us)
            end(replication);
    } else {
        take_turns(rekey, now);
    }
    if (replication->rekey && now - rekey->started_us > ANSWER_US)
        answer(replication);
}

/* ---- after a restart -------------------------------------------------------------------- */

void rekey_open(struct replication *replication)
{
    const struct roster_node *own = own_node(replication);
    char path[PATH_MAX];
    key_path(replication, path);
    struct sign_key *next = replication->settings.key_fd > 0
                                ? NULL
                                : node_key_read_next(path, &replication->node_id);
    if (!next || !own) {
        sign_key_free(next);
        return;
    }
    replication->rekey = memory_new(sizeof(*replication->rekey));
    replication->rekey->next = next;
    replication->rekey->is_resumed = true;
    replication->rekey->turn_us = now_us(replication) + OWN_US;
    if (is_key_of(next, own))
        come_into_force(replication, next, OTHER_US);
}

/* ---- the beginning ---------------------------------------------------------------------- */

static bool may_rekey(const struct replication *replication, struct error *error)
{
    if (!core_is_initialised(replication->core) || core_was_removed(replication->core))
        return error_set(error, ERROR_CONFLICT, "this node is not part of a cluster");
    if (replication->settings.key_fd > 0)
        return error_set(error, ERROR_CONFLICT,
                         "the key of this node is a credential of the service manager, which "
                         "cannot be replaced from here: remove the node and let it join again "
                         "with another one");
    if (replication->rekey)
        return error_set(error, ERROR_CONFLICT,
                         "this node has got a new key already, which not all nodes know yet");
    /* What the old key signed counts as far as this node knows of it. */
    return core_knows_all(replication->core, error);
}

static bool plan_key(const struct replication *replication,
                     const struct sign_key *next,
                     struct change_set *out)
{
    const struct facet_table *facets = core_facets(replication->core);
    const struct object *object = facet_object(facets, &replication->node_id);
    struct node *before = object ? roster_read_node(facets, object) : NULL;
    struct resource *after = before ? resource_copy(&before->resource) : NULL;
    bool planned =
        after &&
        membership_set_key(CONTAINER_OF(after, struct node, resource), sign_key_public(next)) &&
        change_set_add_update(out, &before->resource, after) > 0 &&
        keyring_plan_grants(replication->keyring, facets, &replication->node_id,
                            sign_key_public(next), out);
    resource_free(after);
    resource_free(before ? &before->resource : NULL);
    return planned;
}

static void on_committed(void *context, const struct submit_result *result)
{
    struct replication *replication = context;
    struct rekey *rekey = replication->rekey;
    char path[PATH_MAX];
    if (result->error.kind != ERROR_NONE && rekey->is_resumed) {
        rekey->is_submitted = false;
        rekey->retry_us = now_us(replication) + RETRY_US;
        return;
    }
    if (result->error.kind != ERROR_NONE) {
        key_path(replication, path);
        node_key_drop_next(path);
        replication_finish(replication, rekey->waiter, &result->error);
        rekey_close(replication);
        return;
    }
    come_into_force(replication, rekey->next, FIRST_US);
    keys_open(replication); /* what is sealed to this node is sealed to the new key */
    replication_event(replication, EVENT_NODE_REKEYED,
                      "this node has a new key; what the old one signs is void");
    tell(replication);
}

static void submit(struct replication *replication,
                   const struct change_set *changes,
                   const char *author,
                   const char *via)
{
    struct store_batch extra = {0};
    replication->rekey->is_submitted = true;
    token_rows_clear(replication->store, &extra); /* they name the old key */
    const struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes,
                   .change_id = uuid_random(),
                   .author = author,
                   .via = via,
                   .kind = RECORD_ROSTER,
                   .token = replication_await(replication, on_committed, NULL, replication),
                   .extra = &extra},
    };
    replication_step(replication, &event);
    store_batch_free(&extra);
}

bool replication_rekey(struct replication *replication,
                       const char *author,
                       const char *via,
                       replication_done *done,
                       void *context,
                       struct error *error)
{
    struct change_set changes = {0};
    char path[PATH_MAX];
    if (!may_rekey(replication, error))
        return false;
    struct sign_key *next = sign_key_generate();
    key_path(replication, path);
    bool made = plan_key(replication, next, &changes) ||
                error_set(error, ERROR_INTERNAL, "the change could not be made");
    made = made && node_key_write_next(path, &replication->node_id, next, error);
    if (made) {
        replication->rekey = memory_new(sizeof(*replication->rekey));
        replication->rekey->next = next;
        replication->rekey->waiter = replication_await(replication, NULL, done, context);
        submit(replication, &changes, author, via);
    } else {
        sign_key_free(next);
    }
    change_set_free(&changes);
    return made;
}

/* ---- what was begun before the start ---------------------------------------------------- */

static void make_record(struct replication *replication)
{
    struct rekey *rekey = replication->rekey;
    struct change_set changes = {0};
    uint64_t now = now_us(replication);
    if (now < rekey->retry_us || rekey->known_us == 0 || now - rekey->known_us < QUIET_US)
        return;
    if (plan_key(replication, rekey->next, &changes))
        submit(replication, &changes, NULL, NULL);
    change_set_free(&changes);
}

static void resume(struct replication *replication)
{
    struct rekey *rekey = replication->rekey;
    const struct roster_node *own = own_node(replication);
    if (rekey->started_us == 0)
        replication_event(replication, EVENT_NODE_REKEYED,
                          "this node was given a new key that its store does not know: it "
                          "writes nothing before all others answer");
    rekey->started_us = now_us(replication);
    if (!core_knows_all(replication->core, NULL)) {
        rekey->known_us = 0;
        take_turns(rekey, rekey->started_us);
    } else if (rekey->known_us == 0) {
        rekey->known_us = rekey->started_us;
    }
    if (!own || core_was_removed(replication->core))
        return;
    if (is_key_of(rekey->next, own)) {
        come_into_force(replication, rekey->next, OTHER_US);
        keys_open(replication);
    } else if (is_key_of(replication->key, own)) {
        make_record(replication);
    }
}

void rekey_tick(struct replication *replication)
{
    const struct rekey *rekey = replication->rekey;
    if (rekey && rekey->next && !rekey->is_submitted)
        resume(replication);
    else if (rekey && rekey->old)
        tell(replication);
}
