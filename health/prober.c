#include "health/prober.h"

#include <stdlib.h>

struct prober *prober_new(struct loop *loop, const struct icmp_sockets *icmp)
{
    struct prober *prober = malloc(sizeof(*prober));
    if (!prober)
        return NULL;
    prober->loop = loop;
    prober->pinger = pinger_new(loop, icmp);
    prober->tls = NULL;
    if (prober->pinger)
        return prober;
    free(prober);
    return NULL;
}

struct tls_context *prober_tls(struct prober *prober)
{
    if (!prober->tls)
        prober->tls = tls_context_new();
    return prober->tls;
}

void prober_free(struct prober *prober)
{
    if (!prober)
        return;
    pinger_free(prober->pinger);
    tls_context_free(prober->tls);
    free(prober);
}
