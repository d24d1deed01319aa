/* Frames of a verified but malicious peer: first byte the type, the rest the body. */
#include "replication/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct uuid self = {{1}}, other = {{2}};

static void step(struct core *core, const struct core_event *event)
{
    struct core_actions actions = {0};
    core_step(core, event, (struct core_now){5000000, 1800000000000}, &actions);
    core_actions_free(&actions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[SIGN_SEED_SIZE] = {1};
    static const struct vrrp_claim claim = {.group_id = {{9}},
                                            .family = 4,
                                            .state = 2,
                                            .priority = 100,
                                            .advert_ms = 20,
                                            .source = {4, {192, 0, 2, 1}}};
    struct genesis genesis = {.first_node = other};
    struct error error;
    if (size == 0)
        return 0;
    crypto_start();
    struct sign_key *key = sign_key_from_seed(seed);
    struct store *store = store_mem_open();
    const struct core_settings settings = {.node_id = self, .key = key, .random_seed = 1};
    struct core *core = core_load(&settings, store, (struct core_now){1000000, 1}, &error);
    core_found(core, &genesis);
    step(core, &(struct core_event){.kind = CORE_CLAIMS, .claims = &claim, .claim_count = 1});
    step(core, &(struct core_event){.kind = CORE_FRAME,
                                    .node = other,
                                    .frame_type = data[0],
                                    .body = {data + 1, size - 1}});
    step(core, &(struct core_event){.kind = CORE_STAGE});
    step(core, &(struct core_event){.kind = CORE_TICK});
    if (core_vector(core)->count != 0) /* nothing unsigned is ever applied */
        abort();
    core_free(core);
    store_close(store);
    sign_key_free(key);
    return 0;
}
