/* Becoming part of a cluster: init, one-time join tokens, both ends of a join. */
#include "lbnode/base/monotime.h"
#include "lbnode/base/random.h"
#include "lbnode/base/release.h"
#include "lbnode/model/field_table.h"
#include "replication/base32.h"
#include "replication/memory.h"
#include "replication/replication_internal.h"

#include <stdlib.h>
#include <string.h>

static bool set_text(char **target, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return false;
    free(*target);
    *target = copy;
    return true;
}

bool membership_set_key(struct node *node, const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE])
{
    char key[2 * SIGN_PUBLIC_KEY_SIZE + 1], id[2 * RECORD_KEY_ID_SIZE + 1];
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    record_key_id(public_key, key_id);
    bytes_to_hex((struct bytes){public_key, SIGN_PUBLIC_KEY_SIZE}, key);
    bytes_to_hex((struct bytes){key_id, sizeof(key_id)}, id);
    return set_text(&node->sign_key, key) && set_text(&node->key_id, id);
}

static bool fill_node(struct node *node, const struct node_facts *facts)
{
    node->resource.id = facts->id;
    node->vrrp_address = facts->vrrp_address;
    if (facts->protocol)
        node->protocol = (int64_t)(facts->protocol < UINT16_MAX ? facts->protocol : UINT16_MAX);
    if (facts->version && !set_text(&node->version, facts->version))
        return false;
    node->status = NODE_ACTIVE;
    text_list_free(&node->addresses);
    return set_text(&node->resource.name, facts->name) &&
           membership_set_key(node, facts->public_key) &&
           text_list_copy(facts->addresses, &node->addresses) &&
           (node->roles.count > 0 || text_list_add(&node->roles, "admin", 5));
}

/* A node that is known already (a join that broke off) is updated, not created twice. */
bool membership_plan_node(const struct facet_table *facets,
                          const struct node_facts *facts,
                          struct change_set *out)
{
    const struct object *object = facets ? facet_object(facets, &facts->id) : NULL;
    struct node *before = object ? roster_read_node(facets, object) : NULL;
    struct resource *resource =
        before ? resource_copy(&before->resource) : resource_new(RESOURCE_NODE);
    bool planned = resource && fill_node(CONTAINER_OF(resource, struct node, resource), facts);
    if (planned && before)
        planned = change_set_add_update(out, &before->resource, resource) >= 0;
    else if (planned)
        planned = change_set_add_create(out, resource);
    resource_free(resource);
    resource_free(before ? &before->resource : NULL);
    return planned;
}

bool membership_plan_admission(const struct replication *replication,
                               const struct node_facts *facts,
                               struct change_set *out)
{
    const struct facet_table *facets = core_facets(replication->core);
    return membership_plan_node(facets, facts, out) &&
           keyring_plan_grants(replication->keyring, facets, &facts->id, facts->public_key,
                               out);
}

/* ---- init ------------------------------------------------------------------------------- */

void replication_avoid_vrids(struct replication *replication, const bool *avoided)
{
    memcpy(replication->avoided_vrids, avoided, sizeof(replication->avoided_vrids));
}

/* Differs from cluster to cluster, so that two on one link are apart. */
static int64_t choose_vrid(const struct uuid *cluster_id, const bool *avoided)
{
    enum {
        MOST = 255
    };
    unsigned first = load_be16(cluster_id->bytes) % MOST, i = 0;
    while (i < MOST && avoided[1 + (first + i) % MOST])
        i++;
    return 1 + (first + i) % MOST;
}

static bool plan_default_group(const struct uuid *cluster_id,
                               const bool *avoided_vrids,
                               struct change_set *out)
{
    struct resource *resource = resource_new(RESOURCE_VRRP_GROUP);
    if (!resource)
        return false;
    struct vrrp_group *group = CONTAINER_OF(resource, struct vrrp_group, resource);
    resource->id = uuid_derived(cluster_id, "vrrp_group/default");
    group->vrid = choose_vrid(cluster_id, avoided_vrids);
    bool planned = set_text(&resource->name, "default") && change_set_add_create(out, resource);
    resource_free(resource);
    return planned;
}

static bool make_genesis(const struct replication *replication,
                         const char *cluster_name,
                         char out_recovery_code[RECOVERY_CODE_SIZE],
                         struct wire_writer *out,
                         struct error *error)
{
    struct sign_key *root = sign_key_generate();
    uint8_t seed[SIGN_SEED_SIZE];
    sign_key_seed(root, seed);
    bool made = base32_encode((struct bytes){seed, sizeof(seed)}, 6, out_recovery_code,
                              RECOVERY_CODE_SIZE) &&
                genesis_build(root, cluster_name, walltime_now_ms(), &replication->node_id,
                              sign_key_public(replication->key), out);
    secret_wipe(seed, sizeof(seed));
    sign_key_free(root);
    return made ||
           error_set(error, ERROR_INVALID, "the cluster name %.40s is too long", cluster_name);
}

/* What the first node speaks and seals with. */
static bool plan_first_keys(const struct replication *replication,
                            const struct genesis *genesis,
                            struct change_set *out)
{
    const struct facet_table nothing = {0};
    struct roster *roster = memory_new(sizeof(*roster));
    roster_rebuild(roster, &nothing, genesis);
    bool planned = keys_plan_first(replication, roster, out);
    roster_free(roster);
    free(roster);
    return planned;
}

static bool plan_first_change(const struct replication *replication,
                              const struct founding *founding,
                              const struct genesis *genesis,
                              struct change_set *out)
{
    const struct node_facts facts = {
        .id = replication->node_id,
        .name = replication->settings.node_name,
        .public_key = sign_key_public(replication->key),
        .addresses = &replication->settings.addresses,
        .vrrp_address = replication->settings.vrrp_address,
        .protocol = replication->settings.protocol,
        .version = release_version(),
    };
    return membership_plan_node(NULL, &facts, out) &&
           plan_first_keys(replication, genesis, out) &&
           (!founding->needs_group ||
            plan_default_group(&genesis->cluster_id, replication->avoided_vrids, out));
}

static void submit_set(struct replication *replication,
                       const struct change_set *changes,
                       enum record_kind kind,
                       const char *via,
                       const struct store_batch *extra,
                       uint64_t token)
{
    const struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = changes,
                   .change_id = uuid_random(),
                   .author = "root",
                   .via = via,
                   .kind = kind,
                   .token = token,
                   .extra = extra},
    };
    replication_step(replication, &event);
}

/* Submitted together, they are committed together. The answer is that of the last one. */
static void submit_all(struct replication *replication,
                       const struct founding *founding,
                       const struct change_set *first,
                       struct bytes genesis,
                       uint64_t token)
{
    struct store_batch extra = {0};
    size_t last = 0;
    store_batch_put(&extra, STORE_META, (struct bytes){(const uint8_t *)"g", 1}, genesis);
    for (size_t i = 0; i < founding->set_count; i++)
        if (founding->sets[i].count > 0)
            last = i + 1;
    replication_hold(replication);
    submit_set(replication, first, RECORD_ROSTER, founding->via, &extra, last == 0 ? token : 0);
    for (size_t i = 0; i < last; i++)
        submit_set(replication, &founding->sets[i], RECORD_CONFIG, founding->via, NULL,
                   i + 1 == last ? token : 0);
    replication_go_on(replication);
    store_batch_free(&extra);
}

bool membership_found(struct replication *replication,
                      const struct founding *founding,
                      char out_recovery_code[RECOVERY_CODE_SIZE],
                      replication_done *done,
                      void *context,
                      struct error *error)
{
    struct wire_writer bytes = {0};
    struct genesis genesis;
    struct change_set changes = {0};
    if (core_is_initialised(replication->core))
        return error_set(error, ERROR_CONFLICT, "this node is already part of a cluster");
    bool made =
        make_genesis(replication, founding->cluster_name, out_recovery_code, &bytes, error);
    if (made && (!genesis_parse(wire_written(&bytes), &genesis) ||
                 !plan_first_change(replication, founding, &genesis, &changes)))
        made = error_set(error, ERROR_INTERNAL, "the first change could not be made");
    if (made) {
        core_found(replication->core, &genesis);
        submit_all(replication, founding, &changes, wire_written(&bytes),
                   replication_await(replication, NULL, done, context));
    }
    change_set_free(&changes);
    wire_writer_free(&bytes);
    return made;
}

bool replication_init(struct replication *replication,
                      const char *cluster_name,
                      char out_recovery_code[RECOVERY_CODE_SIZE],
                      replication_done *done,
                      void *context,
                      struct error *error)
{
    const struct founding founding = {
        .cluster_name = cluster_name, .via = "init", .needs_group = true};
    return membership_found(replication, &founding, out_recovery_code, done, context, error);
}
