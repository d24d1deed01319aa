/* What a stolen disk gives away: `insider STATE_DIR`, of a copy of a node's state directory
 * with its node.key, prints for each cluster secret that this node can open and each node of
 * the roster a line "VERSION NAME NODE-KEY MAC-KEY": what it takes to make handshake messages
 * whose mac that node believes. */
#include "lbnode/base/monotime.h"
#include "replication/core.h"
#include "replication/keyring.h"
#include "replication/node_key.h"
#include "replication/session_wire.h"
#include "replication/state_store.h"

#include <limits.h>
#include <stdio.h>

static void print_line(const struct keyring_key *secret, const struct roster_node *node)
{
    uint8_t public_key[DH_KEY_SIZE], mac_key[HASH_KEY_SIZE];
    char key_hex[2 * HASH_KEY_SIZE + 1], id_hex[2 * NODE_KEY_SIZE + 1];
    if (!dh_key_public_of(node->public_key, public_key))
        return;
    session_mac_key(secret->secret, public_key, mac_key);
    bytes_to_hex((struct bytes){mac_key, sizeof(mac_key)}, key_hex);
    bytes_to_hex((struct bytes){node->id.bytes, NODE_KEY_SIZE}, id_hex);
    printf("%u %s %s %s\n", keyring_version(secret), node->name, id_hex, key_hex);
}

static void print_all(const struct core *core, struct keyring *keyring)
{
    size_t count;
    const struct keyring_key *secrets = keyring_keys(keyring, KEY_CLUSTER_SECRET, &count);
    const struct roster *roster = core_roster(core);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < roster->count; k++)
            print_line(&secrets[i], &roster->nodes[k]);
}

static int fail(const struct error *error)
{
    fprintf(stderr, "insider: %s\n", error->text);
    return 1;
}

int main(int argc, char **argv)
{
    const struct core_now now = {monotime_now_us(), walltime_now_ms()};
    struct core_settings settings = {.random_seed = 1, .incarnation = 1};
    struct state_store store;
    struct error error;
    char path[PATH_MAX];
    crypto_start();
    snprintf(path, sizeof(path), "%s/node.key", argc == 2 ? argv[1] : "");
    struct sign_key *key = node_key_open(path, &settings.node_id, &error);
    settings.key = key;
    if (!key || !state_store_open(argv[1], &settings, &store, &error))
        return fail(&error);
    struct core *core = core_load(&settings, store.store, now, &error);
    struct keyring *keyring = keyring_new(key);
    if (!core)
        return fail(&error);
    keyring_update(keyring, core_facets(core), &settings.node_id);
    print_all(core, keyring);
    keyring_free(keyring);
    core_free(core);
    store_close(store.store);
    sign_key_free(key);
    return 0;
}
