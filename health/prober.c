#include "health/prober.h"

#include "health/probe.h"

#include <stdlib.h>

struct prober *prober_new(struct loop *loop, const struct icmp_sockets *icmp)
{
    struct prober *prober = malloc(sizeof(*prober));
    if (!prober)
        return NULL;
    prober->loop = loop;
    prober->swarm = loop_swarm_new(loop);
    loop_deadlines_init(&prober->deadlines, loop, probe_on_deadline);
    prober->pinger = pinger_new(loop, icmp);
    prober->tls = NULL;
    if (prober->swarm && prober->pinger)
        return prober;
    prober_free(prober);
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
    loop_deadlines_stop(&prober->deadlines);
    loop_swarm_free(prober->swarm);
    free(prober);
}
