#include "tests/unit/admin/fake_replication.h"

#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAXIMUM_FACETS = 4096
};

struct stored_facet {
    struct change_op op;
    uint64_t hlc, seq;
};

struct replication {
    unsigned rotated; /* purposes */
    struct loop *loop;
    struct replication_handler handler;
    const char *name;
    struct uuid node_id, cluster_id;
    char cluster_name[64];
    bool initialised;
    struct stored_facet facets[MAXIMUM_FACETS];
    size_t facet_count;
    uint64_t seq;
    enum error_kind refusal;
    struct uuid owner; /* of all vrrp groups; zero: nobody is known */
    struct peer_view peer;
    const struct conflict_view *conflict;
    size_t submissions, gathered;
    char author[64];
};

struct replication *fake_replication_new(struct loop *loop,
                                         const char *name,
                                         const struct replication_handler *handler)
{
    struct replication *replication = calloc(1, sizeof(*replication));
    replication->loop = loop;
    replication->name = name;
    replication->handler = *handler;
    replication->node_id = uuid_random();
    return replication;
}

void fake_replication_free(struct replication *replication)
{
    for (size_t i = 0; i < replication->facet_count; i++)
        free(replication->facets[i].op.value);
    free(replication);
}

void fake_replication_refuse(struct replication *replication, enum error_kind kind)
{
    replication->refusal = kind;
}

void fake_replication_set_peer(struct replication *replication,
                               const char *name,
                               enum peer_state state)
{
    replication->peer = (struct peer_view){.node_id = uuid_random(),
                                           .name = name,
                                           .state = state,
                                           .last_heard_ms_ago = 5,
                                           .session_ms_ago = 35000,
                                           .protocol = 2,
                                           .key_version = 0x1a2b,
                                           .in_sync = state == PEER_IS_ALIVE};
}

void fake_replication_set_peer_trouble(struct replication *replication, bool storage_trouble)
{
    replication->peer.storage_trouble = storage_trouble;
}

void fake_replication_set_owner(struct replication *replication, const struct uuid *node_id)
{
    replication->owner = *node_id;
}

void fake_replication_set_conflict(struct replication *replication,
                                   const struct conflict_view *conflict)
{
    replication->conflict = conflict;
}

size_t fake_replication_submissions(const struct replication *replication)
{
    return replication->submissions;
}

const char *fake_replication_last_author(const struct replication *replication)
{
    return replication->author;
}

/* ---- storing -------------------------------------------------------------------------------
 */

static struct stored_facet *facet_of(struct replication *replication,
                                     const struct change_op *op)
{
    for (size_t i = 0; i < replication->facet_count; i++) {
        struct stored_facet *facet = &replication->facets[i];
        if (facet->op.facet == op->facet && uuid_equal(&facet->op.object_id, &op->object_id))
            return facet;
    }
    assert(replication->facet_count < MAXIMUM_FACETS);
    return &replication->facets[replication->facet_count++];
}

void fake_replication_store(struct replication *replication, const struct change_set *changes)
{
    replication->seq++;
    for (size_t i = 0; i < changes->count; i++) {
        struct stored_facet *facet = facet_of(replication, &changes->ops[i]);
        free(facet->op.value);
        facet->op = changes->ops[i];
        facet->op.value = malloc(facet->op.value_size + 1);
        memcpy(facet->op.value, changes->ops[i].value, facet->op.value_size);
        facet->hlc = walltime_now_ms() << 16 | replication->seq;
        facet->seq = replication->seq;
    }
    replication->handler.applied(replication->handler.context, replication->seq);
}

void replication_visit_facets(const struct replication *replication,
                              bool (*visit)(void *context, const struct raw_facet *facet),
                              void *context)
{
    for (size_t i = 0; i < replication->facet_count; i++) {
        const struct stored_facet *stored = &replication->facets[i];
        struct raw_facet facet = {
            .object_id = stored->op.object_id,
            .owner = stored->op.owner,
            .type = stored->op.type,
            .facet = stored->op.facet,
            .value = {stored->op.value, stored->op.value_size},
            .hlc = stored->hlc,
            .stream = 1,
            .seq = stored->seq,
            .entry_count = 1,
        };
        if (!visit(context, &facet))
            return;
    }
}

/* ---- identity ------------------------------------------------------------------------------
 */

void replication_visit_entries(const struct replication *replication,
                               const struct uuid *object_id,
                               void (*visit)(void *context, const struct conflict_view *facet),
                               void *context)
{
    for (size_t i = 0; i < replication->facet_count; i++) {
        const struct stored_facet *stored = &replication->facets[i];
        if (!uuid_equal(&stored->op.object_id, object_id))
            continue;
        const struct conflict_entry entry = {
            .value = {stored->op.value, stored->op.value_size},
            .wall_ms = stored->hlc >> 16,
            .node_id = replication->node_id,
            .author = replication->author,
            .is_active = true,
        };
        const struct conflict_view view = {*object_id, stored->op.type, stored->op.facet,
                                           &entry, 1};
        visit(context, &view);
    }
}

bool replication_is_initialised(const struct replication *replication)
{
    return replication->initialised;
}

size_t replication_data_keys(const struct replication *replication,
                             struct secret_box_key *out,
                             size_t capacity)
{
    static const uint8_t secret[SECRET_BOX_KEY_SIZE] = "the only key of this replication";
    out[0] = (struct secret_box_key){{"its id"}, secret};
    return replication->initialised ? 1 : 0;
}

const struct uuid *replication_node_id(const struct replication *replication)
{
    return &replication->node_id;
}

bool replication_is_root(const struct replication *replication, const struct uuid *id)
{
    return false;
}

const struct uuid *replication_cluster_id(const struct replication *replication)
{
    return &replication->cluster_id;
}

const char *replication_node_name(const struct replication *replication)
{
    return replication->name;
}

const char *replication_cluster_name(const struct replication *replication)
{
    return replication->cluster_name;
}

static void add_first_objects(struct replication *replication)
{
    struct change_set changes = {0};
    struct resource *node = resource_new(RESOURCE_NODE);
    struct resource *group = resource_new(RESOURCE_VRRP_GROUP);
    node->id = replication->node_id;
    free(node->name);
    node->name = strdup(replication->name);
    text_list_add(&((struct node *)node)->addresses, "10.77.0.2:7850", 14);
    group->id = uuid_random();
    free(group->name);
    group->name = strdup("default");
    ((struct vrrp_group *)group)->vrid = 51;
    change_set_add_create(&changes, node);
    change_set_add_create(&changes, group);
    fake_replication_store(replication, &changes);
    change_set_free(&changes);
    resource_free(node);
    resource_free(group);
}

bool replication_init(struct replication *replication,
                      const char *cluster_name,
                      char out_recovery_code[RECOVERY_CODE_SIZE],
                      replication_done *done,
                      void *context,
                      struct error *error)
{
    const struct error none = {0};
    if (replication->initialised)
        return error_set(error, ERROR_CONFLICT, "this node is already in a cluster");
    replication->initialised = true;
    replication->cluster_id = uuid_random();
    snprintf(replication->cluster_name, sizeof(replication->cluster_name), "%s", cluster_name);
    snprintf(out_recovery_code, RECOVERY_CODE_SIZE, "recovery-code");
    add_first_objects(replication);
    done(context, &none);
    return true;
}

bool replication_token_create(struct replication *replication,
                              uint32_t ttl_s,
                              char out_token[JOIN_TOKEN_SIZE],
                              struct error *error)
{
    snprintf(out_token, JOIN_TOKEN_SIZE, "token-%u", ttl_s);
    return true;
}

bool replication_rekey(struct replication *replication,
                       const char *author,
                       const char *via,
                       replication_done *done,
                       void *context,
                       struct error *error)
{
    const struct error none = {.kind = ERROR_NONE};
    done(context, &none);
    return true;
}

void replication_visit_unaware(const struct replication *replication,
                               void (*visit)(void *context, const char *name),
                               void *context)
{}

bool replication_was_removed(const struct replication *replication)
{
    return false;
}

void replication_visit_tokens(const struct replication *replication,
                              void (*visit)(void *context, const struct token_view *token),
                              void *context)
{
    visit(context, &(struct token_view){.id = "0011223344556677", .state = TOKEN_OPEN});
}

bool replication_token_delete(struct replication *replication,
                              const char *id,
                              struct error *error)
{
    return strcmp(id, "0011223344556677") == 0 ||
           error_set(error, ERROR_NOT_FOUND, "this node has no token %.32s", id);
}

bool replication_fingerprint(const struct replication *replication,
                             const struct uuid *node_id,
                             char out[JOIN_FINGERPRINT_SIZE])
{
    snprintf(out, JOIN_FINGERPRINT_SIZE, "acorn badge cabin daisy eagle fabric");
    return true;
}

void replication_join(struct replication *replication,
                      const char *token,
                      replication_done *done,
                      void *context)
{
    struct error error = {0};
    if (strcmp(token, "good") != 0)
        error_set(&error, ERROR_REFUSED, "the token is wrong, too old or was used before");
    done(context, &error);
}

/* ---- changes -------------------------------------------------------------------------------
 */

void replication_submit(struct replication *replication,
                        const struct change_set *changes,
                        const struct submit_options *options,
                        submit_done *done,
                        void *context)
{
    struct submit_result result = {.change_id = options->change_id, .peers = 1};
    if (uuid_is_zero(&result.change_id))
        result.change_id = uuid_random();
    replication->submissions++;
    snprintf(replication->author, sizeof(replication->author), "%s", options->author);
    if (replication->refusal != ERROR_NONE) {
        error_set(&result.error, replication->refusal, "refused by the test");
    } else {
        fake_replication_store(replication, changes);
        snprintf(result.text, sizeof(result.text), "committed, 0/1 peers have it yet");
    }
    done(context, &result);
}

void replication_remove_node(struct replication *replication,
                             const struct uuid *node_id,
                             bool compromised,
                             const struct submit_options *options,
                             submit_done *done,
                             void *context)
{
    const struct submit_result result = {.text = "removed"};
    replication->submissions++;
    done(context, &result);
}

void replication_visit_keys(const struct replication *replication,
                            void (*visit)(void *context, const struct key_summary *key),
                            void *context)
{
    if (replication->rotated & 1u << KEY_CLUSTER_SECRET)
        visit(context,
              &(struct key_summary){.id = "00112233", .use = KEY_COMING, .lacks = "lb2"});
    visit(context, &(struct key_summary){.id = "44556677", .use = KEY_IN_USE, .knows = "lb9"});
    visit(context, &(struct key_summary){.id = "8899aabb", .purpose = KEY_DATA});
}

void replication_rotate_keys(struct replication *replication,
                             unsigned purposes,
                             const struct submit_options *options,
                             submit_done *done,
                             void *context)
{
    struct submit_result result = {.text = "rotated", .change_id = uuid_random()};
    if (replication->rotated)
        error_set(&result.error, ERROR_CONFLICT, "node lb2 does not have the last one yet");
    replication->rotated |= purposes;
    done(context, &result);
}

/* ---- the others ----------------------------------------------------------------------------
 */

void replication_visit_peers(const struct replication *replication,
                             void (*visit)(void *context, const struct peer_view *peer),
                             void *context)
{
    if (replication->peer.name)
        visit(context, &replication->peer);
}

void replication_visit_datagrams(const struct replication *replication,
                                 void (*visit)(void *context,
                                               const char *outcome,
                                               uint64_t count),
                                 void *context)
{
    visit(context, "opened", 7);
}

void replication_visit_streams(const struct replication *replication,
                               void (*visit)(void *context,
                                             const char *outcome,
                                             uint64_t count),
                               void *context)
{
    visit(context, "answered", 3);
}

void replication_visit_evidence(const struct replication *replication,
                                void (*visit)(void *context, const struct evidence *evidence),
                                void *context)
{}

bool replication_find_owner(const struct replication *replication,
                            const struct uuid *group_id,
                            uint8_t family,
                            struct uuid *out)
{
    *out = replication->owner;
    return !uuid_is_zero(out);
}

void replication_avoid_vrids(struct replication *replication, const bool *avoided)
{}

bool replication_find_claim(const struct replication *replication,
                            const struct uuid *node_id,
                            const struct uuid *group_id,
                            uint8_t family,
                            struct vrrp_claim *out)
{
    return false;
}

void replication_ask_switch(struct replication *replication,
                            const struct uuid *node_id,
                            const struct uuid *group_id,
                            const struct uuid *to)
{}

void replication_visit_conflicts(const struct replication *replication,
                                 void (*visit)(void *context,
                                               const struct conflict_view *conflict),
                                 void *context)
{
    if (replication->conflict)
        visit(context, replication->conflict);
}

void replication_state_hash(const struct replication *replication, uint8_t out[32])
{
    memset(out, (int)replication->seq, 32);
}

bool replication_bootstrap(const struct replication *replication, struct bootstrap_view *out)
{
    return false;
}

const char *replication_storage_problem(const struct replication *replication)
{
    return "";
}

bool replication_backup_page(struct replication *replication,
                             struct bytes have,
                             struct wire_writer *out_page,
                             struct wire_writer *out_have,
                             bool *out_more,
                             struct error *error)
{
    *out_more = have.size == 0;
    wire_append(out_page, have.size ? "second" : "first", have.size ? 6 : 5);
    wire_append(out_have, "x", 1);
    return true;
}

void replication_restore(struct replication *replication,
                         struct bytes genesis,
                         const struct bytes *records,
                         size_t count,
                         restore_done *done,
                         void *context)
{
    const struct restore_result result = {.offered = count, .merged = count / 2};
    done(context, &result);
}

bool replication_refound_gather(struct replication *replication,
                                bool first,
                                struct bytes genesis,
                                const struct bytes *records,
                                size_t count,
                                struct error *error)
{
    replication->gathered = (first ? 0 : replication->gathered) + count;
    return true;
}

bool replication_refound(struct replication *replication,
                         const char *cluster_name,
                         struct refound_result *out,
                         replication_done *done,
                         void *context,
                         struct error *error)
{
    const struct error none = {0};
    if (replication->initialised)
        return error_set(error, ERROR_CONFLICT, "this node is in a cluster");
    *out = (struct refound_result){.offered = replication->gathered,
                                   .applied = replication->gathered,
                                   .objects = 2,
                                   .recovery_code = "CODE"};
    replication->initialised = true;
    done(context, &none);
    return true;
}
