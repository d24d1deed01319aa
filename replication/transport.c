#include "replication/transport.h"
int transport_start(struct replication *replication, struct error *error)
{
    return 0;
}
void transport_send(struct transport *transport,
                    const struct uuid *peer,
                    uint32_t frame_type,
                    struct bytes body,
                    bool bulk)
{}
void transport_free(struct transport *transport)
{}
bool replication_token_create(struct replication *replication,
                              uint32_t ttl_s,
                              char out_token[JOIN_TOKEN_SIZE],
                              struct error *error)
{
    return error_set(error, ERROR_UNAVAILABLE, "not available");
}
void replication_join(struct replication *replication,
                      const char *token,
                      replication_done *done,
                      void *context)
{
    struct error error;
    error_set(&error, ERROR_UNAVAILABLE, "not available");
    replication_finish(replication, replication_await(replication, NULL, done, context),
                       &error);
}
